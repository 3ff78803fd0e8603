"""Docker's own client with its classic builder, against a real dockerd and against ours: what its user sees."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import Dockerd, available, private_dockerd

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker,
    pytest.mark.skipif(not available(), reason="dockerd is not installed"),
]

FROM = "FROM busybox:latest\n"
PLAIN = FROM + "RUN echo said\n"
# Name: the Dockerfile, and what is asked. Every one without a network: the daemon of the test has none.
CASES = {
    "plain": (PLAIN, ("-t", "cli:1", "-t", "cli/more:2")),
    "quiet": (PLAIN, ("-q",)),
    "no cache": (PLAIN, ("--no-cache", "--rm=false", "--force-rm", "--compress")),
    "arguments": (FROM + "ARG A=1\nARG B\nRUN echo $A-$B\n", ("--build-arg", "A=2", "--build-arg", "B=3")),
    "an unused argument": (PLAIN, ("--build-arg", "NOPE=1")),
    "labels": (PLAIN, ("--label", "a=b", "--label", "c=d e")),
    "target": ("FROM busybox:latest AS one\nRUN echo one\nFROM one\nRUN echo never\n", ("--target", "one")),
    "no such target": (PLAIN, ("--target", "nosuch")),
    "limits": (
        FROM + "RUN ulimit -n; df -k /dev/shm | tail -1 | cut -c1-30\n",
        ("-m", "64m", "--memory-swap", "64m", "-c", "512", "--cpu-period", "100000", "--cpu-quota", "50000",
         "--cpuset-cpus", "0", "--shm-size", "8m", "--ulimit", "nofile=77:77"),
    ),
    "hosts": (FROM + "RUN grep named /etc/hosts\n", ("--add-host", "named:10.1.2.3")),
    "a failing step": (FROM + "RUN echo before; exit 7\nRUN echo never\n", ()),
    "no such program": (FROM + 'RUN ["nosuch"]\n', ()),
    "no such file": (FROM + "COPY nosuch /x\n", ()),
    "out of the context": (FROM + "COPY ../x /x\n", ()),
    "unknown instruction": (FROM + "BOGUS x\n", ()),
    "an empty file": ("", ()),
    "no FROM": ("RUN x\n", ()),
    "a wrong name": (PLAIN, ("-t", "UPPER:1")),
    "a missing Dockerfile": (PLAIN, ("-f", "nosuch")),
    "isolation": (PLAIN, ("--isolation", "default")),
    "cache from": (PLAIN, ("--no-cache", "--cache-from", "busybox:latest")),
    "platform": (PLAIN, ("--platform", "linux/amd64")),
    "iidfile": (PLAIN, ("--iidfile", "{out}/iid")),
}  # fmt: skip
# Words in which the two differ on purpose, or by what they are.
_SAME = (
    (re.compile(r"sha256:[0-9a-f]{64}"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "ID"),
    (re.compile(r" ---> Removed intermediate container ID\n|Removing intermediate container ID\n"), ""),
    (re.compile(r" ---> Running in ID\n"), ""),
    (re.compile(r"DEPRECATED: The legacy builder.*?\n\n", re.DOTALL), ""),
    (re.compile(r"Sending build context to Docker daemon.*?\n"), ""),
    (re.compile(r"[^\n]*\r"), ""),
    # Ours says where in the file it is, nothing of how the program was to be started, and of targets what BuildKit
    # says.
    (re.compile(r"dockerfile parse error line 1: (?=no build stage)"), ""),
    (re.compile(r"failed to create shim task: .*?(?=exec: )|(?<=in \$PATH): unknown"), ""),
    (re.compile(r"failed to reach build target nosuch in Dockerfile"), 'target stage "nosuch" could not be found'),
    (re.compile(r"(?i)\[warning\] [^\n]*swap[^\n]*\n| ---> \[Warning\] [^\n]*\n"), ""),
)  # fmt: skip


@pytest.fixture(scope="module")
def dockerd(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    base = tmp_path_factory.mktemp("base") / "base.tar"
    Cli(engine.environment).ok("save", "-o", str(base), "busybox:latest")
    with private_dockerd() as daemon:
        daemon.run("load", "-i", str(base))
        yield daemon


def build(host: str, folder: Path, asked: tuple[str, ...]) -> tuple[int, list[str], list[str]]:
    """Exit code, and the lines on stdout and stderr without what tells the two apart."""
    environment = {**os.environ, "DOCKER_HOST": host, "DOCKER_CONFIG": "/nonexistent", "DOCKER_BUILDKIT": "0"}
    words = [word.replace("{out}", str(folder.parent)) for word in asked]
    command = ["docker", "build", "--network", "none", *words, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, _lines(done.stdout), _lines(done.stderr)


def _lines(text: str) -> list[str]:
    for pattern, instead in _SAME:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", CASES)
def test_dockers_client_sees_the_same(name: str, dockerd: Dockerd, engine: EngineUnderTest, tmp_path: Path) -> None:
    text, asked = CASES[name]
    (tmp_path / "c").mkdir()
    (tmp_path / "c/Dockerfile").write_text(text)
    theirs = build(dockerd.host, tmp_path / "c", asked)
    ours = build(engine.host, tmp_path / "c", asked)
    assert ours == theirs
