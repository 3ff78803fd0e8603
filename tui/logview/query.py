"""What is searched for in a log, and the numbers of the lines that have it."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from time import thread_time
from typing import Final, overload

from core.client.limit import TooSlow, within
from tui.logview.store import Store
from tui.safe import safe_log

_LONGEST: Final = 16384  # bytes of a line that are searched
_EVERY: Final = 16  # lines between two looks at the clock
_SCAN_LIMIT: Final = 0.06  # seconds that a pattern may overrun its turn: the keyboard waits no longer
_SHOWN_LIMIT: Final = 0.02  # seconds for the hits of one shown line
_BRANCHING: Final = re.compile(r"[|(){}*?\\]")
_BETWEEN: Final = re.compile(r"\[\^?\]?[^\]]*\]|[.^$+]")


def needle_of(text: str) -> bytes:
    """What every line that matches the pattern `text` has in it, in lower case; empty where that is hard to say."""
    if _BRANCHING.search(text):
        return b""
    words = [word for word in _BETWEEN.split(text) if word.isascii() and not set(word) & set("\"'[]\t")]
    longest = max(words, key=len, default="")
    return longest.lower().encode() if len(longest) > 1 else b""


class Query:
    """A regular expression if `text` is one, else the text itself; upper case in it makes case count."""

    def __init__(self, text: str, *, invert: bool = False) -> None:
        self.text = text
        self.invert = invert
        self.slow = False
        """It took too long on some line: it is not tried on another one."""
        flags = 0 if any(char.isupper() for char in text) else re.IGNORECASE
        try:
            self._pattern = re.compile(text, flags)
            self.literal = False
        except (re.error, OverflowError, RecursionError):
            self._pattern = re.compile(re.escape(text), flags)
            self.literal = True
        self.needle = b"" if invert or self.literal else needle_of(text)

    @property
    def pattern(self) -> str:
        """The regular expression that it is, with all that it depends on."""
        return ("(?i)" if self._pattern.flags & re.IGNORECASE else "") + self._pattern.pattern

    def matches(self, data: bytes) -> bool:
        """Whether a line, as it is shown, is one of those looked for."""
        data = data[:_LONGEST]
        if b"\x1b" in data:
            text = safe_log(data).plain
        else:
            text = data.decode("utf-8", "backslashreplace")
        return (self._pattern.search(text) is None) is self.invert

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the hits stand in a shown line; none while inverted, or where finding them takes too long."""
        if self.invert or self.slow:
            return []
        try:
            with within(_SHOWN_LIMIT):
                return [m.span() for m in self._pattern.finditer(text[:_LONGEST]) if m.end() > m.start()]
        except TooSlow:
            self.slow = True
            return []


class Numbers(Sequence[int]):
    """Ascending line numbers that grow at both ends: eight bytes each."""

    def __init__(self) -> None:
        self._old = array("q")  # the front, descending
        self._new = array("q")
        self._skip = 0  # of the new ones, dropped at the front

    def __len__(self) -> int:
        return len(self._old) + len(self._new) - self._skip

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        old = len(self._old)
        return self._old[old - 1 - index] if 0 <= index < old else self._new[index - old + self._skip]

    def add(self, number: int) -> None:
        """A number behind all others."""
        self._new.append(number)

    def add_older(self, number: int) -> None:
        """A number before all others."""
        self._old.append(number)

    def cut(self, number: int) -> None:
        """Drop what is `number` or behind it."""
        at = bisect_left(self, number)
        if at < len(self._old):
            del self._old[: len(self._old) - at]
            self._new, self._skip = array("q"), 0
        else:
            del self._new[at - len(self._old) + self._skip :]

    def forget(self, number: int) -> None:
        """Drop what is before `number`."""
        at = bisect_left(self, number)
        if not at:
            return
        old = len(self._old)
        del self._old[old - min(at, old) :]
        self._skip += max(at - old, 0)
        if self._skip > 10_000:
            del self._new[: self._skip]
            self._skip = 0


class Hits:
    """The numbers of matching lines, found piece by piece so that a long log never holds the keyboard.

    What has come lately is looked at first, then the past, backwards: lines from `low` up to `high` are done.
    """

    def __init__(self, query: Query, store: Store) -> None:
        self.query = query
        self._store = store
        self.numbers = Numbers()
        self.low = self.high = store.end

    @property
    def complete(self) -> bool:
        """Every line there is has been looked at."""
        return self.low <= self._store.first and self.high >= self._store.end

    def scan(self, seconds: float) -> None:
        """Look at more lines for about `seconds` of the processor's time; one that hangs is given up."""
        self.forget()
        try:
            if not self.query.slow:
                with within(seconds + _SCAN_LIMIT):
                    self._scan(thread_time() + seconds)
        except TooSlow:
            self.query.slow = True
        if self.query.slow:
            self.low, self.high = self._store.first, self._store.end

    def _scan(self, deadline: float) -> None:
        while self.high < self._store.end and thread_time() < deadline:
            self._scan_on(deadline)
        while self.low > self._store.first and thread_time() < deadline:
            self._scan_back(deadline)

    def _scan_on(self, deadline: float) -> None:
        block = self._store.block(self.high, self.query.needle)
        matches, numbers = self.query.matches, self.numbers
        if block.texts is not None:
            for number in range(self.high, block.first + block.lines):
                if number % _EVERY == 0 and thread_time() > deadline and number > self.high:
                    self.high = number
                    return
                if matches(block.texts[number - block.first]):
                    numbers.add(number)
        self.high = block.first + block.lines

    def _scan_back(self, deadline: float) -> None:
        block = self._store.block(self.low - 1, self.query.needle)
        matches, numbers = self.query.matches, self.numbers
        if block.texts is not None:
            for number in range(self.low - 1, block.first - 1, -1):
                if number % _EVERY == 0 and thread_time() > deadline and number < self.low - 1:
                    self.low = number + 1
                    return
                if matches(block.texts[number - block.first]):
                    numbers.add_older(number)
        self.low = block.first

    def changed(self, number: int) -> None:
        """Lines from `number` on are new or have grown: look at them again."""
        if number >= self.high:
            return
        number = max(number, self._store.first)
        self.numbers.cut(number)
        self.high = number
        self.low = min(self.low, number)

    def forget(self) -> None:
        """Drop lines that the store has dropped."""
        first = self._store.first
        if self.numbers and self.numbers[0] < first:
            self.numbers.forget(first)
        self.low, self.high = max(self.low, first), max(self.high, first)

    def after(self, number: int) -> int | None:
        """The next hit behind a line, going round."""
        if not self.numbers:
            return None
        at = bisect_right(self.numbers, number)
        return self.numbers[at % len(self.numbers)]

    def before(self, number: int) -> int | None:
        """The last hit before a line, going round."""
        if not self.numbers:
            return None
        return self.numbers[bisect_left(self.numbers, number) - 1]
