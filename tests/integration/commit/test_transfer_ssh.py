"""Images from engine to engine through a real ssh, as a user sends them to another machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commit_kit import PROGRAM, image, onggi

from tests.integration.conftest import EngineUnderTest, running_engine, wait_until
from tests.support.sshd import Sshd, available, running_sshd

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="needs ssh and sshd")]

MIB = 1 << 20


@pytest.fixture(scope="module")
def far() -> Iterator[EngineUnderTest]:
    """The engine of the other machine."""
    with running_engine() as found:
        yield found


@pytest.fixture(scope="module")
def sshd(far: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The way there: whoever logs in finds `onggi` and that engine."""
    names = ("ONGGI_ROOT", "ONGGI_RUN", "ONGGI_HOST", "DOCKER_HOST")
    environment = {name: far.environment[name] for name in names}
    environment["PATH"] = f"{PROGRAM.parent}:/usr/bin:/bin"
    with running_sshd(tmp_path_factory.mktemp("ssh"), environment) as found:
        yield found


@pytest.fixture(scope="module")
def made(engine: EngineUnderTest) -> str:
    """The id of the image `made:1`, which only the near engine has."""
    ident = engine.run("sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=24; echo 1 > /small")
    engine.wait(ident)
    return onggi(engine, "commit", ident, "made:1").strip()


@pytest.fixture
def here(engine: EngineUnderTest, sshd: Sshd) -> dict[str, str]:
    """The environment of a user who may log in there."""
    return {**engine.environment, "PATH": f"{sshd.bin}:{os.environ['PATH']}"}


def test_push_over_ssh_sends_what_is_missing_and_goes_on_after_a_cut_line(
    engine: EngineUnderTest, far: EngineUnderTest, sshd: Sshd, made: str, here: dict[str, str]
) -> None:
    push = [str(PROGRAM), "push", sshd.url, "made:1"]
    ingest = far.paths.content / "ingest"

    cut = subprocess.Popen(push, env=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(file.stat().st_size > MIB for file in ingest.iterdir()), "bytes arrive")
    sshd.cut()
    _, error = cut.communicate(timeout=60)
    assert cut.returncode == 1
    assert "sent again, it goes on" in error
    assert not far.client.get("/images/json", {"filters": {"reference": ["made"]}}), "no name before all is there"

    done = subprocess.run(push, env=here, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "Loaded image: made:1\n"
    assert image(far, "made:1")["Id"] == made
    assert far.output("cat", "/small", Image="made:1") == "1\n"

    again = subprocess.run([*push, "busybox"], env=here, capture_output=True, text=True, timeout=60, check=True)
    assert "Loaded image: made:1\n" in again.stdout
    assert not any(ingest.iterdir())
    far.client.delete("/images/made:1")


def test_send_piped_into_receive_behind_ssh(
    engine: EngineUnderTest, far: EngineUnderTest, sshd: Sshd, made: str, here: dict[str, str]
) -> None:
    command = f"{PROGRAM} image send made:1 | ssh -p {sshd.port} root@127.0.0.1 onggi image receive"
    done = subprocess.run(["sh", "-c", command], env=here, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "Loaded image: made:1\n"
    assert image(far, "made:1")["Id"] == made


def test_what_is_wrong_with_the_way_is_said_in_a_line(
    engine: EngineUnderTest, sshd: Sshd, made: str, here: dict[str, str], tmp_path: Path
) -> None:
    def pushed(url: str) -> str:
        command = [str(PROGRAM), "push", url, "made:1"]
        done = subprocess.run(command, env=here, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert not done.stdout
        return done.stderr

    nobody = pushed("ssh://nobody-there@127.0.0.1:" + str(sshd.port))
    assert "Permission denied" in nobody
    assert nobody.endswith("cannot reach 127.0.0.1: ssh says why above\n")
    known = sshd.known_hosts.read_text()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} ssh-ed25519 {'A' * 67}B\n")
    try:
        assert pushed(sshd.url).endswith("cannot reach 127.0.0.1: ssh says why above\n")
    finally:
        sshd.known_hosts.write_text(known)


def test_a_machine_without_onggi_is_told_as_such(engine: EngineUnderTest, made: str, tmp_path: Path) -> None:
    with running_sshd(tmp_path, {"PATH": "/usr/bin:/bin"}) as bare:
        environment = {**engine.environment, "PATH": f"{bare.bin}:{os.environ['PATH']}"}
        command = [str(PROGRAM), "push", bare.url, "made:1"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("127.0.0.1 has no program `onggi` where ssh looks for it\n")
