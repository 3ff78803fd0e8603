"""The engine's end of a log: the rotated files as one, from the n-th last record on, and what is added."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.logs.jsonfile import Line, read, seek, tail


@dataclass(slots=True)
class _Segment:
    fd: int
    inode: int
    offset: int


class LogReader:
    """Reads the log at `path` with its rotated files, oldest record first. A missing log is an empty one.

    Blocking file I/O; `close` it (or use `with`).
    """

    def __init__(self, path: str, *, count: int | None = None) -> None:
        """`count` limits the first reading to the last records; None = all. Raises OSError."""
        self._path = path
        self._count = count
        self._begun = False
        self._segments: list[_Segment] = []
        for name in _files(path):
            self._add(name)

    def _add(self, name: str) -> None:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        self._segments.append(_Segment(fd, os.fstat(fd).st_ino, 0))

    def _skip(self, count: int) -> None:
        left = count
        for segment in reversed(self._segments):
            segment.offset = tail(segment.fd, left) if left else os.fstat(segment.fd).st_size
            if left and segment.offset == 0:
                left -= min(left, _count(segment.fd))
            else:
                left = 0

    def lines(
        self, *, since: str = "", until: str = "", streams: Collection[str] = ("stdout", "stderr")
    ) -> Iterator[Line]:
        """The records that are there now and were not returned before; call again for more (following)."""
        if self._count is not None:
            self._skip(self._count)
            self._count = None
        if since and not self._begun:
            for segment in self._segments:
                segment.offset = max(segment.offset, seek(segment.fd, since))
        self._begun = True
        self._refresh()
        while self._segments:
            segment = self._segments[0]
            if os.fstat(segment.fd).st_size < segment.offset:
                segment.offset = 0  # truncated by a rotation that keeps one file
            for line in read(segment.fd, segment.offset):
                segment.offset = line.end
                if until and line.time > until:
                    return
                if line.stream in streams and line.time >= since:
                    yield line
            if len(self._segments) == 1:
                return
            os.close(self._segments.pop(0).fd)

    def _refresh(self) -> None:
        """Take up the files that rotation has put behind the newest one known."""
        known = {segment.inode for segment in self._segments}
        behind: list[str] = []
        for name in _files(self._path):
            try:
                inode = os.stat(name).st_ino
            except FileNotFoundError:
                continue
            if inode in known:
                behind.clear()
            else:
                behind.append(name)
        for name in behind:
            self._add(name)

    def close(self) -> None:
        """Close the files."""
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_files(path: str) -> list[int]:
    """The files of the log at `path` as descriptors open for reading, oldest first, the caller's to close."""
    found: list[int] = []
    try:
        for name in _files(path):
            try:
                found.append(os.open(name, os.O_RDONLY | os.O_CLOEXEC))
            except FileNotFoundError:
                continue  # rotation has taken it
    except BaseException:
        for fd in found:
            os.close(fd)
        raise
    return found


def newest_inode(path: str) -> int:
    """The inode of the file that is written now, 0 = there is none. Another one: the files have changed."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _files(path: str) -> list[str]:
    """The files of the log at `path`, oldest first."""
    number = 1
    while os.path.exists(f"{path}.{number}"):
        number += 1
    return [f"{path}.{n}" for n in range(number - 1, 0, -1)] + [path]


def _count(fd: int) -> int:
    total, offset = 0, 0
    while block := os.pread(fd, 1 << 20, offset):
        total += block.count(b"\n")
        offset += len(block)
    return total
