"""One container's log as its engine handed it over: some files, read as one run of bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from core.gzipped import readable
from tui.logview.records import stamp_of

BLOCK: Final = 256 * 1024  # bytes that are looked at together
_FEW: Final = 4  # files that may be gone, and take room as long as they are open here
_MOST_LINE: Final = 4 << 20  # bytes after which a line is cut where it stands


class Shrunk(Exception):
    """The file has become shorter: it was begun anew."""


class LogFile:
    """Owns the descriptors, oldest file first; only the last one grows. `end` lies behind the last whole record.

    Offsets stay what they are when files are added. Files that compression has taken are read as what they hold.
    """

    def __init__(self, fds: Sequence[int], numbers: Sequence[int] | None = None) -> None:
        """`numbers` are the files' own, by which `take` knows them again; by default their places."""
        self._numbers = list(numbers) if numbers is not None else list(range(len(fds)))
        self._files = [readable(fd) for fd in fds]
        self._bases: list[int] = []
        self.end = 0
        self.measure()

    def measure(self) -> None:
        """Look how long the files are now: `end` is anew where the last whole record ends."""
        self.end = self.line_start(self._place())

    def _place(self) -> int:
        """Where each file begins; the length of all."""
        self._bases.clear()
        size = 0
        for file in self._files:
            self._bases.append(size)
            size += file.size
        return size

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.pop().close()

    def take(self, other: LogFile) -> bool:
        """Go on in what `other` holds, which is emptied: it is the same log after a rotation.

        False, and nothing done, where that would leave a gap, or more files that are gone than are there.
        """
        gone = [number for number in self._numbers if number not in other._numbers]
        new = [number for number in other._numbers if number not in self._numbers]
        kept = len(self._numbers) - len(gone)
        if not kept or len(gone) > max(len(other._numbers), _FEW) or new != other._numbers[kept:]:
            return False
        for number, file in zip(other._numbers, other._files, strict=True):
            if number in self._numbers:
                at = self._numbers.index(number)
                self._files[at].close()
                self._files[at] = file
            else:
                self._numbers.append(number)
                self._files.append(file)
        other._files.clear()
        self._place()
        return True

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, fewer where the files have become shorter."""
        pieces: list[bytes] = []
        at = bisect_right(self._bases, start) - 1
        while start < stop and 0 <= at < len(self._files):
            last = at == len(self._files) - 1
            limit = stop if last else min(stop, self._bases[at + 1])
            piece = self._files[at].pread(limit - start, start - self._bases[at])
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
        if not self._files:
            return self.end, self.end, b""
        size = self._bases[-1] + self._files[-1].size
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
