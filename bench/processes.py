"""What the kernel says of processes. proc(5)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def pss(pid: int) -> int:
    """Proportional set size in bytes: memory shared by n processes counts as an n-th in each."""
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} has no Pss")


def disk_bytes(folder: Path) -> int:
    """What a tree takes on disk, as du(1) counts it."""
    done = subprocess.run(["du", "-sxB1", str(folder)], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0])


class Peak:
    """While inside, how much more memory some processes and all below them take than at the beginning."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._before = self._now()
        self._most = self._before
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def growth(self) -> float:
        """Bytes."""
        return float(self._most - self._before)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, self._now())

    def _now(self) -> int:
        total = 0
        for pid in with_descendants(self._pids):
            with suppress(OSError, LookupError):  # a short-lived one is gone
                total += pss(pid)
        return total


def name(pid: int) -> str:
    """What ps calls a process."""
    return (_PROC / str(pid) / "comm").read_text().rstrip("\n")


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    text = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [int(child) for child in text.split()]


def with_descendants(pids: Iterable[int]) -> set[int]:
    """These processes and all below them, as far as they are still there."""
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            with suppress(OSError):
                waiting += children(pid)
    return found


def with_words(*words: str) -> list[int]:
    """The processes whose command line contains all of `words`."""
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if all(word in line for word in words):
                found.append(int(folder.name))
    return found


def busy_share(pids: Iterable[int], seconds: float) -> float:
    """The part of one core that these use together while nobody asks anything of them."""
    pids = tuple(pids)
    before = sum(cpu_seconds(pid) for pid in pids)
    time.sleep(seconds)
    return (sum(cpu_seconds(pid) for pid in pids) - before) / seconds
