"""The lines of a log that is sent to us, oldest dropped first, numbered for ever: a line keeps its number."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

_LONGEST: Final = 65536  # bytes; a stream without newlines is cut into lines of this length
_BLOCK: Final = 1024  # lines of one block


class LogLine(NamedTuple):
    """One line without its newline; `time_ns` is since the epoch, None where the engine gave no time."""

    error: bool
    time_ns: int | None
    data: bytes
    source: int = 0


class Block(NamedTuple):
    """Some neighbouring lines: the number of the first, and their texts. None: none of them can have the needle."""

    first: int
    lines: int
    texts: Sequence[bytes] | None


class Store(Protocol):
    """Lines `first` up to `end`, which both may move; a line's number never does."""

    first: int

    @property
    def end(self) -> int: ...

    @property
    def complete(self) -> bool:
        """Nothing older than `first` can come any more."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> LogLine: ...

    def block(self, number: int, needle: bytes = b"") -> Block:
        """The neighbourhood of a line, for a search; `needle` must be in what it looks for."""
        ...

    def at_time(self, time_ns: int) -> int | None:
        """The number of the first line that is not older, None where it may lie before `first`."""
        ...


class LineStore:
    """At most `limit` lines and `limit_bytes` of text. The last line of a stream may still grow."""

    def __init__(self, limit: int = 100_000, limit_bytes: int = 64 << 20) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._lines: deque[LogLine] = deque()
        self._bytes = 0
        self._open: dict[tuple[int, bool], int] = {}  # source and stream -> number of its unfinished line
        self.first = 0

    @property
    def end(self) -> int:
        """The number after the last line; `first` is the oldest one kept."""
        return self.first + len(self._lines)

    @property
    def complete(self) -> bool:
        """Nothing comes in front of what is here."""
        return True

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> LogLine:
        """The line with that number. Raises IndexError for one that is gone or not yet there."""
        if number < self.first:
            raise IndexError(number)
        return self._lines[number - self.first]

    def since(self, number: int) -> Iterator[LogLine]:
        """The lines from `number` on, in order."""
        for at in range(max(number, self.first) - self.first, len(self._lines)):
            yield self._lines[at]

    def block(self, number: int, needle: bytes = b"") -> Block:
        """Up to some thousand lines around one."""
        start = max(number - number % _BLOCK, self.first)
        stop = min(number - number % _BLOCK + _BLOCK, self.end)
        return Block(start, stop - start, [self._lines[at - self.first].data for at in range(start, stop)])

    def at_time(self, time_ns: int) -> int | None:
        """The first line that is not older."""
        numbers = (n for n, line in enumerate(self._lines, self.first) if line.time_ns and line.time_ns >= time_ns)
        return next(numbers, self.end)

    def append(self, error: bool, time_ns: int | None, data: bytes, source: int = 0) -> int:
        """Add a chunk of one stream; returns the number of the first line that is new or has grown."""
        changed = self.end
        pieces = data.split(b"\n")
        number = self._open.pop((source, error), None)
        if number is not None and number >= self.first:
            old = self[number]
            if len(old.data) < _LONGEST:
                changed = number
                grown = LogLine(error, old.time_ns, old.data + pieces[0], source)
                self._lines[number - self.first] = grown
                self._bytes += len(pieces[0])
                if len(pieces) == 1:
                    self._open[source, error] = number
                pieces = pieces[1:]
        for at, piece in enumerate(pieces):
            unfinished = at == len(pieces) - 1
            if unfinished and not piece:
                break
            for start in range(0, max(len(piece), 1), _LONGEST):
                self._lines.append(LogLine(error, time_ns, piece[start : start + _LONGEST], source))
            self._bytes += len(piece)
            if unfinished:
                self._open[source, error] = self.end - 1
        self._trim()
        return max(changed, self.first)

    def clear(self) -> None:
        """Forget all lines; numbers go on."""
        self.first = self.end
        self._lines.clear()
        self._open.clear()
        self._bytes = 0

    def _trim(self) -> None:
        while len(self._lines) > self._limit or (self._bytes > self._limit_bytes and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft().data)
            self.first += 1
