"""One log or several merged, read where they lie: an index of blocks, built backwards from the end.

A log of a gigabyte is 4,000 blocks; only those that are looked at are read. Lines are ordered by time, within a
block exactly; blocks do not overlap in time, so far as each log's times ascend.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple, overload

from tui.logview.logfile import BLOCK, LogFile
from tui.logview.records import STAMP, is_ours, line_of, stamp_of, text_of
from tui.logview.store import Block, LogLine

_CACHED: Final = 24  # blocks


class Span(NamedTuple):
    """One block: from where to where of each log, and how many lines."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    lines: int


Record = tuple[int, bytes]
"""A source and a raw record."""


def _stamp(record: Record) -> bytes:
    return stamp_of(record[1])


def _quick_stamp(record: Record) -> bytes:
    return record[1][STAMP]


class _Texts(Sequence[bytes]):
    """The texts of records, each taken out when it is asked for: a search may be over before the last."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [text_of(raw) for _, raw in self._records[index]]
        return text_of(self._records[index][1])


def step_back(files: Sequence[LogFile], ends: tuple[int, ...]) -> Span | None:
    """The block before `ends`; None where there is none. Reads, and changes nothing: a thread may do it."""
    if not any(ends):
        return None
    starts = tuple(file.block_before(end) if end else 0 for file, end in zip(files, ends, strict=True))
    if len(files) == 1:
        return Span(starts, ends, _lines_in(files[0].read(starts[0], ends[0])))
    firsts = {at: files[at].stamp_at(start) for at, start in enumerate(starts) if start}
    newest = max(firsts, key=lambda at: firsts[at], default=None)
    cuts: list[int] = []
    count = 0
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        data = files[at].read(start, end) if end else b""
        cut = 0 if newest is None or newest == at else _first_from(data, firsts[newest])
        cuts.append(start + cut)
        count += _lines_in(data[cut:])
    return Span(tuple(cuts), ends, count)


def _lines_in(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def _first_from(data: bytes, stamp: bytes) -> int:
    """Where the first record in `data` begins that is not older than `stamp`."""
    low, high = 0, len(data)  # low and high are beginnings of records, or the end
    while low < high:
        middle = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
        stop = data.find(b"\n", middle)
        stop = stop if stop >= 0 else len(data)
        if stamp_of(data[middle:stop]) < stamp:
            low = min(stop + 1, len(data))
        else:
            high = middle
    return low


class FileStore:
    """Lines of some logs by number; 0 is the first that comes after the opening, what was there counts down.

    `look_back` makes the index longer at its front, `refresh` at its end. Closes the files. Not for two threads.
    """

    def __init__(self, files: Sequence[LogFile], sources: Sequence[int] | None = None) -> None:
        """`sources` are the numbers that lines of each file are to have, by default its place."""
        self.files = tuple(files)
        self._sources = tuple(sources) if sources is not None else tuple(range(len(self.files)))
        self._old: list[Span] = []
        self._depths: list[int] = []  # lines from the beginning of an old block to 0
        self._new: list[Span] = []
        self._tops: list[int] = []  # numbers that new blocks begin with
        self._cache: OrderedDict[tuple[bool, int], list[Record]] = OrderedDict()
        self.first = 0
        self._end = 0
        self._front: tuple[int, ...] = ()
        self._back: tuple[int, ...] = ()
        self.complete = True
        self.begin()

    def begin(self) -> None:
        """Begin at the ends that the files have now; before anything else is asked."""
        self._front = self._back = tuple(file.end for file in self.files)
        self.complete = not any(self._front)

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            file.close()

    @property
    def end(self) -> int:
        """The number after the last line."""
        return self._end

    def __len__(self) -> int:
        return self._end - self.first

    @property
    def front(self) -> tuple[int, ...]:
        """Up to where of each file the index has not come yet."""
        return self._front

    def look_back(self, span: Span | None) -> None:
        """Take what `step_back` found before `front`."""
        if span is None:
            self.complete = True
            return
        self._old.append(span)
        self.first -= span.lines
        self._depths.append(-self.first)
        self._front = span.starts
        self.complete = not any(self._front)

    def refresh(self) -> int | None:
        """Take what has come: the number of the first line that is new or has moved; None = nothing. Shrunk."""
        grown = [file.grow() for file in self.files]
        count = sum(data.count(b"\n") for _, _, data in grown)
        if not count:
            return None
        ends = tuple(stop for _, stop, _ in grown)
        last = self._new[-1] if self._new else None
        if last is not None and sum(ends) - sum(last.starts) <= BLOCK:
            self._cache.pop((True, len(self._new) - 1), None)
            self._new[-1] = Span(last.starts, ends, last.lines + count)
            changed = self._end if len(self.files) == 1 else self._tops[-1]
        else:
            changed = self._end
            self._tops.append(self._end)
            self._new.append(Span(self._back, ends, count))
        self._back = ends
        self._end += count
        return changed

    def __getitem__(self, number: int) -> LogLine:
        """The line with that number. Raises IndexError for one that is not there."""
        first, records = self._records(number)
        source, raw = records[number - first]
        return line_of(raw, source)

    def block(self, number: int, needle: bytes = b"") -> Block:
        """The block that a line is in."""
        new, at, first, span = self._find(number)
        if needle and (new, at) not in self._cache and not self._may_hold(span, needle):
            return Block(first, span.lines, None)
        _, records = self._records(number)
        return Block(first, len(records), _Texts(records))

    def _may_hold(self, span: Span, needle: bytes) -> bool:
        for file, start, end in zip(self.files, span.starts, span.ends, strict=True):
            data = file.read(start, end)
            if needle in data.lower() or b"\\u001b" in data:  # colours may stand in the middle of a word
                return True
        return False

    def at_time(self, time_ns: int) -> int | None:
        """The number of the first line that is not older, None where it may lie before `first`."""
        low, high = self.first, self._end
        while low < high:
            middle = (low + high) // 2
            time = self[middle].time_ns
            if time is not None and time < time_ns:
                low = middle + 1
            else:
                high = middle
        return None if low == self.first and not self.complete else low

    def _find(self, number: int) -> tuple[bool, int, int, Span]:
        if not self.first <= number < self._end:
            raise IndexError(number)
        if number >= 0:
            at = bisect_right(self._tops, number) - 1
            return True, at, self._tops[at], self._new[at]
        at = bisect_right(self._depths, -number - 1)
        return False, at, -self._depths[at], self._old[at]

    def _records(self, number: int) -> tuple[int, list[Record]]:
        new, at, first, span = self._find(number)
        key = (new, at)
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = self._load(span)
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return first, found

    def _load(self, span: Span) -> list[Record]:
        found: list[Record] = []
        ours = True
        for at, file in enumerate(self.files):
            data = file.read(span.starts[at], span.ends[at])
            raws = data.split(b"\n")
            if data.endswith(b"\n") or not data:
                raws.pop()
            ours = ours and all(map(is_ours, (*raws[:1], *raws[-1:])))
            source = self._sources[at]
            found += [(source, raw) for raw in raws]
        if len(self.files) > 1:
            found.sort(key=_quick_stamp if ours else _stamp)
        lost = span.lines - len(found)
        return found if not lost else (found + [(0, b"")] * lost)[: span.lines]  # the file was cut meanwhile


__all__ = ["BLOCK", "FileStore", "Span", "step_back"]
