"""The engine's end of a log: its segments as one, from the n-th last record on, and what is added."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.gzipped import Gzipped, Plain
from core.logs import segments
from core.logs.jsonfile import Line, read, seek, tail

_OPEN = 32  # segments that are held open, so that they stay though rotation removes them


@dataclass(slots=True)
class _Segment:
    """`file` is None until it is reached, where there are very many."""

    number: int
    file: Plain | Gzipped | None = None
    offset: int = 0


class LogReader:
    """Reads the log at `path`, oldest record first, compressed segments too. A missing log is an empty one.

    Blocking file I/O; `close` it (or use `with`).
    """

    def __init__(self, path: str, *, count: int | None = None) -> None:
        """`count` limits the first reading to the last records; None = all. Raises OSError."""
        self._path = path
        self._count = count
        self._begun = False
        self._segments: list[_Segment] = []
        self._refresh()

    def lines(
        self, *, since: str = "", until: str = "", streams: Collection[str] = ("stdout", "stderr")
    ) -> Iterator[Line]:
        """The records that are there now and were not returned before; call again for more (following)."""
        self._begin(since)
        self._refresh()
        while self._segments:
            segment = self._segments[0]
            file = self._file(segment)
            for line in read(file, segment.offset) if file is not None else ():
                segment.offset = line.end
                if until and line.time > until:
                    return
                if line.stream in streams and line.time >= since:
                    yield line
            if len(self._segments) == 1:
                return
            self._forget(self._segments.pop(0))

    def _begin(self, since: str) -> None:
        """Once: pass over what is not wanted."""
        if self._begun:
            return
        self._begun = True
        if self._count is not None:
            self._skip(self._count)
        while since and len(self._segments) > 1 and self._older(self._segments[1], since):
            self._forget(self._segments.pop(0))
        if since and self._segments:
            file = self._file(self._segments[0])
            if file is not None:
                self._segments[0].offset = max(self._segments[0].offset, seek(file, since))

    def _older(self, segment: _Segment, since: str) -> bool:
        """Whether the first record of a segment is older than `since`: then all before it are."""
        file = self._file(segment)
        first = next(read(file), None) if file is not None else None
        return first is not None and first.time < since

    def _skip(self, count: int) -> None:
        left = count
        for at in range(len(self._segments) - 1, -1, -1):
            file = self._file(self._segments[at])
            if file is None:
                continue
            self._segments[at].offset, found = tail(file, left)
            left -= found
            if left <= 0:
                for segment in self._segments[:at]:
                    self._forget(segment)
                del self._segments[:at]
                return

    def _file(self, segment: _Segment) -> Plain | Gzipped | None:
        if segment.file is None:
            segment.file = segments.opened(self._path, segment.number)
        return segment.file

    def _refresh(self) -> None:
        """Take up the segments behind the newest one known."""
        known = self._segments[-1].number if self._segments else 0
        added = [_Segment(number) for number in segments.numbers(self._path) if number > known]
        self._segments += added
        for segment in added[-_OPEN:]:
            self._file(segment)

    def _forget(self, segment: _Segment) -> None:
        if segment.file is not None:
            segment.file.close()
            segment.file = None

    def close(self) -> None:
        """Close the files."""
        for segment in self._segments:
            self._forget(segment)
        self._segments.clear()

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_files(path: str, most: int) -> dict[int, int]:
    """The newest segments of the log at `path`: number to a descriptor open for reading, the caller's to close.

    Oldest first. Raises OSError.
    """
    found: dict[int, int] = {}
    try:
        for number in segments.numbers(path)[-most:]:
            fd = segments.descriptor(path, number)
            if fd is not None:
                found[number] = fd
    except BaseException:
        for fd in found.values():
            os.close(fd)
        raise
    return found
