"""One container's log as its engine handed it over: some files, read as one run of bytes."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from tui.logview.records import stamp_of

BLOCK: Final = 256 * 1024  # bytes that are looked at together
_MOST_LINE: Final = 4 << 20  # bytes after which a line is cut where it stands


class Shrunk(Exception):
    """The file has become shorter: it was begun anew."""


class LogFile:
    """Owns the descriptors, oldest file first; only the last one grows. `end` lies behind the last whole record."""

    def __init__(self, fds: Sequence[int]) -> None:
        self._fds = list(fds)
        self._bases: list[int] = []
        self.end = 0
        self.measure()

    def measure(self) -> None:
        """Look how long the files are now: `end` is anew where the last whole record ends."""
        self._bases.clear()
        size = 0
        for fd in self._fds:
            self._bases.append(size)
            size += os.fstat(fd).st_size
        self.end = self.line_start(size)

    def close(self) -> None:
        """Close the files."""
        while self._fds:
            os.close(self._fds.pop())

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, fewer where the files have become shorter."""
        pieces: list[bytes] = []
        at = bisect_right(self._bases, start) - 1
        while start < stop and 0 <= at < len(self._fds):
            last = at == len(self._fds) - 1
            limit = stop if last else min(stop, self._bases[at + 1])
            piece = os.pread(self._fds[at], limit - start, start - self._bases[at])
            if piece:
                pieces.append(piece)
                start += len(piece)
            if start >= limit:
                at += 1
            elif not piece:
                break
        return b"".join(pieces)

    def line_start(self, offset: int) -> int:
        """Where the line begins that the byte before `offset` is in, or `offset` itself behind a newline."""
        low = offset
        while low > 0 and offset - low < _MOST_LINE:
            start = max(0, low - BLOCK // 4)
            found = self.read(start, low).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            low = start
        return low

    def block_before(self, stop: int) -> int:
        """Where some whole lines before `stop` begin that are about a block together."""
        if stop <= BLOCK:
            return 0
        start = stop - BLOCK
        for size in (4096, BLOCK):
            found = self.read(start, min(start + size, stop - 1)).find(b"\n")
            if found >= 0:
                return start + found + 1
        return self.line_start(stop - 1)

    def stamp_at(self, start: int) -> bytes:
        """The time of the record that begins at `start`, empty where it cannot be read."""
        size = 4096
        while size <= _MOST_LINE:
            data = self.read(start, start + size)
            stop = data.find(b"\n")
            if stop >= 0 or len(data) < size:
                return stamp_of(data[:stop] if stop >= 0 else data)
            size *= 16
        return b""

    def grow(self) -> tuple[int, int, bytes]:
        """What whole lines have come since: from, to, and the bytes; at most a block. Raises Shrunk."""
        if not self._fds:
            return self.end, self.end, b""
        size = self._bases[-1] + os.fstat(self._fds[-1]).st_size
        if size < self.end:
            raise Shrunk
        start = self.end
        data = self.read(start, min(size, start + BLOCK))
        stop = data.rfind(b"\n") + 1
        if not stop and len(data) < BLOCK:
            return start, start, b""
        stop = stop or len(data)
        self.end = start + stop
        return start, self.end, data[:stop]
