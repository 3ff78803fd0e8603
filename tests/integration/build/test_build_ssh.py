"""`--ssh` and `RUN --mount=type=ssh`: a step uses the agent of its client, and nothing of it stays."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("ssh-add"), reason="OpenSSH is not installed")]


@pytest.fixture(scope="module")
def keys() -> Iterator[Path]:
    """A folder with a key, and another that has a passphrase."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-keys-"))
    for name, word in (("key", ""), ("locked", "word")):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", word, "-C", f"the {name}", "-f", str(folder / name)],
            check=True,
        )
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with OpenSSH's own ssh-add, to ask an agent from a step."""
    folder = tmp_path / "c"
    program = Path(shutil.which("ssh-add") or "")  # the image looks for programs in /bin
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout.split()
    for source in (program, *(Path(word) for word in listed if word.startswith("/"))):
        target = folder / "root" / ("bin/ssh-add" if source == program else source.relative_to("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder


def said(cli: Cli, folder: Path, text: str, *asked: str, code: int = 0) -> str:
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY root /\n" + text)
    done = cli("build", "-t", "agents:1", *asked, str(folder))
    assert done.code == code, done
    return done.err


def test_a_step_asks_the_agent_of_its_client(cli: Cli, context: Path, keys: Path, engine: EngineUnderTest) -> None:
    text = "RUN --mount=type=ssh ssh-add -l; stat -c 'it is %a %u' $SSH_AUTH_SOCK; ssh-add -D 2>&1; ssh-add -l\n"
    text += "RUN --mount=type=ssh,id=mine,mode=666,uid=5,target=/a.sock stat -c 'it is %a %u' /a.sock; ssh-add -l\n"
    text += "RUN env | grep SSH; ls /run/buildkit /a.sock; true\n"
    found = said(cli, context, text, "--ssh", f"default={keys / 'key'}", "--ssh", f"mine={keys / 'key'}")
    assert found.count("the key") == 3  # also after ssh-add -D, which does not get through
    assert "it is 600 0" in found and "it is 666 5" in found
    assert "SSH_AUTH_SOCK=" not in found.partition("env | grep SSH")[2]
    assert "/a.sock: No such file" in found
    history = cli.ok("history", "--no-trunc", "agents:1")
    assert "agent" not in history.replace("agents", "") and "ed25519" not in history
    assert not list((engine.paths.run / "build").iterdir())


def test_an_agent_that_runs_is_used_and_is_asked_for_keys_and_signatures_alone(
    cli: Cli, context: Path, tmp_path: Path, engine: EngineUnderTest
) -> None:
    asked: list[bytes] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "agent"))
    listening.listen()

    def serve() -> None:
        sock, _ = listening.accept()
        with sock:
            while question := sock.recv(65536):
                asked.append(question)
                sock.sendall(b"\0\0\0\5\x0c\0\0\0\0")  # no keys at all

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    cli.environment["SSH_AUTH_SOCK"] = str(tmp_path / "agent")
    text = "RUN --mount=type=ssh ssh-add -l; ssh-add -x < /dev/null; true\n"
    assert "The agent has no identities" in said(cli, context, text, "--no-cache", "--ssh", "default")
    thread.join(5)
    listening.close()
    assert asked == [b"\0\0\0\1\x0b"]


def test_what_is_missing_is_said(cli: Cli, context: Path, keys: Path, engine: EngineUnderTest) -> None:
    found = said(cli, context, "RUN --mount=type=ssh,required=true true\n", code=1)
    assert "ssh default: not found: give it by --ssh default" in found
    assert said(cli, context, 'RUN --mount=type=ssh test -z "$SSH_AUTH_SOCK"\n')
    cli.environment.pop("SSH_AUTH_SOCK", None)
    assert "SSH_AUTH_SOCK is not set" in said(cli, context, "RUN true\n", "--ssh", "default", code=1)
    locked = said(cli, context, "RUN true\n", "--ssh", f"x={keys / 'locked'}", code=1)
    assert "ERROR: --ssh x: " in locked
