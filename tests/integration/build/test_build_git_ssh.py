"""Repositories over ssh, from a real sshd: as the context, as a named one and in ADD, by the keys of the client."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.client.buildsession import Session
from core.errors import EngineError
from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest
from tests.support.sshd import available, running_sshd

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="OpenSSH is not installed")]
# sshd knows a user git, who is root: nobody else sees that passwd.
_PASSWD = 'mount --bind "$0" /etc/passwd && exec "$@"'
_HERE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(frozen=True)
class Remote:
    """The repository by both of its names, the key for it, a folder with an `ssh` of the test's, its network."""

    url: str
    short: str
    key: Path
    bin: Path
    network: list[str]


@pytest.fixture(scope="module")
def remote(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """In the network of the engine, where the port can be ssh's own: `git@host:path` names none."""
    folder = tmp_path_factory.mktemp("ssh")
    repository = folder / "repo.git"
    (folder / "work/sub").mkdir(parents=True)
    (folder / "work/sub/Dockerfile").write_text("FROM busybox\nCOPY . /all\nRUN cat /all/f; ls -a /all\n")
    (folder / "work/sub/f").write_text("over ssh\n")
    commit = ("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "one")
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        commit,
        ("clone", "-q", "--bare", ".", str(repository)),
    ):
        env = {**os.environ, **_HERE}
        subprocess.run(["git", *words], cwd=folder / "work", env=env, check=True, timeout=60, capture_output=True)
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + "git:x:0:0::/root:/bin/sh\n")
    network = ["nsenter", f"--net={engine.netns}"]
    inside = [*network, "unshare", "-m", "sh", "-c", _PASSWD, str(folder / "passwd")]
    with running_sshd(folder, {"PATH": "/usr/bin:/bin"}, inside=inside) as server:
        yield Remote(
            f"ssh://git@127.0.0.1{repository}",
            f"git@127.0.0.1:{repository}",
            folder / "user_key",
            server.bin,
            network,
        )


@pytest.fixture
def there(cli: Cli, remote: Remote) -> Cli:
    """The command line in the engine's network. No agent is there and no key of the user's own."""
    environment = {name: value for name, value in cli.environment.items() if name != "SSH_AUTH_SOCK"}
    command = "ssh -F /dev/null -oBatchMode=yes -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null"
    more = {**_HERE, "GIT_SSH_COMMAND": f"{command} -oLogLevel=ERROR -oIdentityFile=/nonexistent"}
    return Cli(environment | more, remote.network)


def test_the_context_is_cloned_with_the_key_that_is_named(there: Cli, remote: Remote) -> None:
    for where in (remote.url, remote.short):
        done = there("build", "--no-cache", "--ssh", f"default={remote.key}", f"{where}#main:sub")
        assert done.code == 0 and "over ssh" in done.err and " .git" not in done.err, done
        assert "Permission denied" in there("build", f"{where}#main:sub").err
    text = b"FROM busybox\nCOPY --from=it f /f\nRUN cat /f\n"
    asked = ("--no-cache", "--ssh", f"default={remote.key}", "--build-context", f"it={remote.short}#main:sub", "-")
    assert "over ssh" in there("build", *asked, stdin=text).err


def test_users_own_ssh_is_used_where_no_key_is_named(there: Cli, remote: Remote) -> None:
    own = {**there.environment, "PATH": f"{remote.bin}:{os.environ['PATH']}"}
    del own["GIT_SSH_COMMAND"]
    assert "over ssh" in Cli(own, remote.network)("build", "--no-cache", f"{remote.url}#main:sub").err


def test_add_is_cloned_by_the_engine_with_the_agent_of_the_client(there: Cli, remote: Remote) -> None:
    text = f"FROM busybox\nADD {remote.short}#main:sub /one/\nADD {remote.url} /two\nRUN cat /one/f /two/sub/f\n"
    done = there("build", "--no-cache", "--ssh", f"default={remote.key}", "-t", "added:1", "-", stdin=text.encode())
    assert done.code == 0 and done.err.count("over ssh") == 2, done
    assert "KEY" not in there.ok("history", "--no-trunc", "added:1")
    refused = there("build", "--no-cache", "-", stdin=text.encode())
    assert refused.code == 1 and "Permission denied (publickey)" in refused.err, refused


def test_a_remote_of_the_api_is_cloned_with_the_agent_of_the_session(
    engine: EngineUnderTest, remote: Remote
) -> None:
    with pytest.raises(EngineError, match=r"git fetch: .*Permission denied"):
        engine.client.open("POST", "/build", {"remote": f"{remote.short}#main:sub"}).read()
    socket = remote.key.with_name("agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        try:
            add = ["ssh-add", "-q", str(remote.key)]
            environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            for _ in range(100):
                if (
                    subprocess.run(add, env=environment, check=False, timeout=60, capture_output=True).returncode
                    == 0
                ):
                    break
            with Session(engine.client, [], {"default": str(socket)}) as session:
                query = {
                    "remote": f"{remote.short}#main:sub",
                    "session": session.id,
                    "ssh": '["default"]',
                    "nocache": "1",
                }
                said = engine.client.open("POST", "/build", query).read().decode()
        finally:
            agent.terminate()
    assert "over ssh" in said and "Successfully built" in said
    assert not list((engine.paths.root / "build").iterdir())
