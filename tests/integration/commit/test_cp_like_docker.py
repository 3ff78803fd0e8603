"""`cp` beside Docker's own: the same words on a container of ours and of a real dockerd do the same."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commit_kit import PROGRAM

from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import WORDS, Dockerd, client_version

pytestmark = [pytest.mark.root, pytest.mark.docker]

NONE = ("--network", "none")
INSIDE = (
    "mkdir -p /src/sub /dst/sub /vol/v; echo f > /src/f; echo g > /src/sub/g; ln -s f /src/l; ln -s sub /src/ld; "
    "ln /src/f /src/h; chmod 640 /src/f; ln -s /src/sub /toward; ln -s /nowhere /broken; echo old > /dst/f; "
    "mkdir /dst/dir; echo v > /vol/v/x; ln -s /dst/sub /linked; ln -s /dst/f /filelink; mkfifo /src/p"
)


class Twins:
    """A container `twin` in both engines, and two folders of this machine with the same files."""

    def __init__(self, engine: EngineUnderTest, dockerd: Dockerd, folder: Path) -> None:
        self.engine, self.dockerd = engine, dockerd
        self.folders = folder / "mine", folder / "theirs"
        for place in self.folders:
            (place / "in/sub").mkdir(parents=True)
            (place / "in/f").write_text("local f")
            (place / "in/sub/g").write_text("local g")
            (place / "in/l").symlink_to("f")
            (place / "in/f").chmod(0o751)
            (place / "inlink").symlink_to("in")
            (place / "out").mkdir()
            (place / "file").write_text("a file")
            (place / "out/f").write_text("old")

    def both(self, *words: str) -> tuple[tuple[int, str], tuple[int, str]]:
        """Exit code and stderr of both, which run at the same time."""
        environment = {**os.environ, "DOCKER_HOST": self.dockerd.host, "DOCKER_CONFIG": "/nonexistent"}
        theirs = self._begin(["docker", *words], environment, self.folders[1])
        mine = self._begin([PROGRAM, *words], self.engine.environment, self.folders[0])
        return self._end(mine, self.folders[0]), self._end(theirs, self.folders[1])

    @staticmethod
    def _begin(command: list[str | Path], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def _end(process: subprocess.Popen[bytes], folder: Path) -> tuple[int, str]:
        with process:
            try:
                text = process.communicate(timeout=60)[1].decode()
            except BaseException:
                process.kill()
                raise
        lines = [line for line in text.splitlines() if not line.startswith("time=")]
        said = "\n".join(lines).replace("Error processing tar file(exit status 1): ", "")
        return process.returncode, said.replace(str(folder), "HERE")

    def inside(self) -> tuple[str, str]:
        """Everything in both containers that a `cp` may change."""
        script = (
            "find /src /dst /vol /new /root /toward /linked /filelink 2>/dev/null | sort | while read n; do "
            "stat -c '%n %F %a %u:%g %s' $n; test -f $n && cat $n; done"
        )
        (_, _), (_, _) = self.both("start", "twin")
        found = []
        for command, environment in (
            ([PROGRAM], self.engine.environment),
            (["docker"], {**os.environ, "DOCKER_HOST": self.dockerd.host}),
        ):
            done = subprocess.run(
                [*command, "exec", "twin", "sh", "-c", script], env=environment, capture_output=True, check=False,
                timeout=60,
            )  # fmt: skip
            found.append(done.stdout.decode())
        return found[0], found[1]

    def outside(self) -> tuple[dict[str, tuple[object, ...]], dict[str, tuple[object, ...]]]:
        """Both folders of this machine."""
        return _tree(self.folders[0]), _tree(self.folders[1])


def _tree(folder: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        body = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        mode = 0 if path.is_symlink() else status.st_mode
        found[str(path.relative_to(folder))] = (stat.S_IFMT(status.st_mode), mode, body, status.st_uid)
    return found


@pytest.fixture(scope="module")
def containers(engine: EngineUnderTest, dockerd: Dockerd) -> Iterator[tuple[EngineUnderTest, Dockerd]]:
    return engine, dockerd


@pytest.fixture(params=["running", "stopped"])
def twins(
    request: pytest.FixtureRequest, containers: tuple[EngineUnderTest, Dockerd], tmp_path: Path
) -> Iterator[Twins]:
    found = Twins(*containers, tmp_path)
    words = ("run", "-d", "--name", "twin", *NONE, "-v", "twinvol:/vol", "busybox", "sleep", "1000")
    assert [code for code, _ in found.both(*words)] == [0, 0]
    assert [code for code, _ in found.both("exec", "twin", "sh", "-c", INSIDE)] == [0, 0]
    if request.param == "stopped":
        found.both("stop", "-t", "0", "twin")
    yield found
    found.both("rm", "-f", "-v", "twin")
    found.both("volume", "rm", "-f", "twinvol")
    shutil.rmtree(tmp_path)


CASES = [
    ("twin:/src", "new"), ("twin:/src", "out"), ("twin:/src/", "new"), ("twin:/src/.", "new"),
    ("twin:/src/.", "out"),
    ("twin:/src/f", "new"), ("twin:/src/f", "out"), ("twin:/src/f", "file"), ("twin:/src", "file"),
    ("twin:/src/f", "new/"), ("twin:/src", "new/"), ("twin:/src", "no/where"), ("twin:/src/l", "new"),
    ("twin:src/f", "new"), ("twin:/src/ld", "new"), ("twin:/src/ld/", "new"), ("twin:/toward/.", "new"),
    ("twin:/broken", "new"), ("twin:/nope", "new"), ("twin:/vol/v", "out"), ("twin:/src/f", "/dev/null"),
    ("twin:/src/../src/f", "new"), ("twin:/src/f/", "new"), ("nope:/x", "new"), ("twin:/dst/f", "out/"),
    ("in", "twin:/dst"), ("in", "twin:/new"), ("in/", "twin:/new"), ("in/.", "twin:/new"), ("in/.", "twin:/dst"),
    ("in/f", "twin:/new"), ("in/f", "twin:/dst"), ("in/f", "twin:/dst/f"), ("in/f", "twin:/dst/dir"),
    ("in", "twin:/dst/f"), ("in/f", "twin:/new/"), ("in/f", "twin:/no/where"), ("in/l", "twin:/dst"),
    ("inlink", "twin:/dst"), ("inlink/", "twin:/dst"), ("inlink/.", "twin:/dst"), ("in/f", "twin:/linked"),
    ("in", "twin:/linked"), ("in/f", "twin:/filelink"), ("in/f", "twin:/linked/x"), ("nope", "twin:/dst"),
    ("in/f", "twin:/vol/v"), ("in", "twin:/vol"), ("in/f", "twin:dst/x"), ("file", "twin:/dst/f/x"),
    ("in", "out"), ("twin:/src", "twin:/dst"), ("in/f", "nope:/x"), ("file", "twin:/etc/hosts"),
]  # fmt: skip
# Where docker's words are its own insides, only the failure is compared.
WORDS_DIFFER = {"twin:/src/f/", "twin:/dst/f/x", "twin:/etc/hosts", "twin:/dst/dir", "no/where"}


@pytest.mark.parametrize("flags", [(), ("-L",), ("-a",)], ids=["plain", "follow", "archive"])
def test_the_same_words_do_the_same(twins: Twins, flags: tuple[str, ...]) -> None:
    """All cases in one container one after the other: what one leaves is there for the next."""
    wrong: list[tuple[object, ...]] = []
    words = client_version() >= WORDS
    for case in CASES:
        (code, said), (their_code, they_said) = twins.both("cp", *flags, *case)
        if (code, said) != (their_code, they_said) and (
            (words and not WORDS_DIFFER & {*case}) or bool(code) != bool(their_code)
        ):
            wrong.append((case, code, said, their_code, they_said))
        if flags != (
            "-a",
        ):  # where owners are kept on this machine, as Docker's documentation says and it does not
            mine, theirs = twins.outside()
            if mine != theirs:
                wrong.append((case, mine.items() - theirs.items(), theirs.items() - mine.items()))
        for folder in twins.folders:
            shutil.rmtree(folder / "new", ignore_errors=True)
            (folder / "new").unlink(missing_ok=True)
    assert not wrong, "\n".join(map(str, wrong))
    mine_inside, their_inside = twins.inside()
    assert mine_inside == their_inside
