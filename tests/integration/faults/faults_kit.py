"""What the tests of faults share: command lines in real terminals, killings, and the search for what is left."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.client import spawn
from tests.integration.conftest import EngineUnderTest, running_engine, wait_until

ONGGI = (sys.executable, "-m", "core.cli")
REPOSITORY = str(Path(__file__).parents[3])
GROUPS = Path("/sys/fs/cgroup")


def command(engine: EngineUnderTest, *words: str, program: tuple[str, ...] = ONGGI) -> list[str]:
    """The argv of a client in the engine's network namespace: an engine that it starts lives there too."""
    return ["nsenter", f"--net={engine.netns}", "--", *program, *words]


@dataclass(frozen=True)
class Done:
    """A command's end."""

    code: int
    out: str
    err: str


def onggi(engine: EngineUnderTest, *words: str, patience: float = 60, **options: Any) -> Done:
    """Run our command line to its end."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        command(engine, *words),
        env=engine.environment,
        cwd=REPOSITORY,
        capture_output=True,
        timeout=patience,
        **options,
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, engine: EngineUnderTest, *words: str, program: tuple[str, ...] = ONGGI) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command(engine, *words, program=program),
            env={**engine.environment, "TERM": "xterm"},
            cwd=REPOSITORY,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read_until(self, word: str, patience: float = 20) -> str:
        """What has come since the last call, up to and with `word`."""
        wanted, deadline = word.encode(), time.monotonic() + patience
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"waited in vain for {word!r}, saw {self.seen[-2000:]!r}")
            self.seen += self._read()
        found, _, self.seen = self.seen.partition(wanted)
        return (found + wanted).decode("utf-8", "replace")

    def _read(self) -> bytes:
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            raise AssertionError(f"the terminal ended, saw {self.seen[-2000:]!r}") from error
        return data

    def wait(self, patience: float = 20) -> int:
        """The exit code; what is still written is read away."""
        deadline = time.monotonic() + patience
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"the command does not end, saw {self.seen[-2000:]!r}")
            if select.select([self.master], [], [], 0.05)[0]:
                with contextlib.suppress(AssertionError):
                    self.seen += self._read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@contextlib.contextmanager
def terminal(engine: EngineUnderTest, *words: str, program: tuple[str, ...] = ONGGI) -> Iterator[Terminal]:
    made = Terminal(engine, *words, program=program)
    try:
        yield made
    finally:
        made.close()


def kill_engine(engine: EngineUnderTest) -> None:
    """SIGKILL the zygote; the daemon dies with it, nothing starts them again."""
    daemon = engine.daemon_pid()
    zygote = engine.zygote_pid()
    os.kill(zygote, signal.SIGKILL)
    wait_until(lambda: not running(zygote) and not running(daemon), "the daemon dies with its zygote")


def running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(engine: EngineUnderTest) -> None:
    spawn.ensure_engine(engine.paths, netns=engine.netns)


def groups_of_containers() -> set[str]:
    """Every cgroup of a container, in all hierarchies."""
    return {str(path) for pattern in ("onggi/*", "*/onggi/*") for path in GROUPS.glob(pattern) if path.is_dir()}


@dataclass
class Leftovers:
    """Looks for what containers leave behind; made before the first one is."""

    engine: EngineUnderTest
    groups: set[str] = field(default_factory=groups_of_containers)
    rules: str = ""
    links: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rules, self.links = self._rules(), self._links()

    def _inside(self, *argv: str) -> str:
        done = subprocess.run(
            ["nsenter", f"--net={self.engine.netns}", "--", *argv], capture_output=True, text=True
        )
        return done.stdout

    def _rules(self) -> str:
        if shutil.which("nft") is None:
            return ""
        return re.sub(r"counter packets \d+ bytes \d+", "counter", self._inside("nft", "list", "ruleset"))

    def _links(self) -> set[str]:
        lines = self._inside("ip", "-o", "link").splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines} - {"onggi0"}

    def found(self) -> list[str]:
        """Everything that is there and should not, in words."""
        paths = self.engine.paths
        found = [f"cgroup {path}" for path in groups_of_containers() - self.groups if _is_empty(path)]
        found += [f"process {pid}" for pid in self._processes()]
        found += [f"link {name}" for name in self._links() - self.links]
        found += [f"path {path}" for path in paths.run.glob("containers/*")]
        found += [f"path {path}" for path in paths.root.glob("containers/*")]
        found += [f"path {path}" for path in paths.root.glob("content/ingest/*")]
        found += [f"path {path}" for path in paths.trash.glob("*")]
        if self._rules() != self.rules and "dnat" in self._rules():
            found.append(f"rules {self._rules()}")
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(paths.root) in line]
        return found

    def _processes(self) -> list[int]:
        """Processes under a container's mounts, shims among them; engine and clients have none of those."""
        marks = (f"{self.engine.paths.root}/snapshots/".encode(), f"{self.engine.paths.root}/containers/".encode())
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    mounts = (folder / "mountinfo").read_bytes()
                    if any(mark in mounts for mark in marks):
                        found.append(int(folder.name))
        return found

    def none(self) -> None:
        """Remove every container and wait until nothing is left."""
        self.engine.remove_all()
        deadline = time.monotonic() + 20
        while left := self.found():
            assert time.monotonic() < deadline, "\n".join(left)
            time.sleep(0.02)
        assert self._snapshots() == [], "what is not a layer of an image"

    def _snapshots(self) -> list[str]:
        """Directories of no committed layer, and layers without theirs."""
        database = sqlite3.connect(f"file:{self.engine.paths.database}?mode=ro", uri=True)
        try:
            rows = database.execute("SELECT number, committed FROM snapshot").fetchall()
        finally:
            database.close()
        known = {str(number) for number, _ in rows}
        there = {path.name for path in self.engine.paths.snapshots.glob("[0-9]*")}
        return sorted(known ^ there) + [f"{number} is no layer" for number, committed in rows if not committed]


def _is_empty(group: str) -> bool:
    try:
        return not (Path(group) / "cgroup.procs").read_text()
    except OSError:
        return False


@contextlib.contextmanager
def clean_engine() -> Iterator[EngineUnderTest]:
    """An engine that must leave nothing when its containers are removed."""
    with running_engine() as engine:
        leftovers = Leftovers(engine)
        yield engine
        start(engine)
        leftovers.none()


@contextlib.contextmanager
def small_engine(mib: int = 24) -> Iterator[EngineUnderTest]:
    """An engine whose ROOT is a file system of `mib` MiB."""
    with running_engine() as engine:
        engine.stop()
        kept = engine.paths.root.with_name("kept")
        engine.paths.root.rename(kept)
        engine.paths.root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", str(engine.paths.root)], check=True)
        try:
            subprocess.run(["cp", "-a", f"{kept}/.", str(engine.paths.root)], check=True)
            start(engine)
            yield engine
            (engine.paths.root / "filler").unlink(missing_ok=True)
            start(engine)
            engine.remove_all()
            engine.stop()
        finally:
            subprocess.run(["umount", "-l", str(engine.paths.root)], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Take all the space there is but `leave` bytes."""
    fd = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, bytes(1 << 16))
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, bytes(512))
    if leave:
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - leave))
    os.close(fd)
