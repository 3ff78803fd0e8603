"""What is searched for in a log, and the numbers of the lines that have it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from time import monotonic
from typing import Final

from core.client.limit import TooSlow, within
from tui.logview.store import LineStore
from tui.safe import safe_log

_LONGEST: Final = 16384  # bytes of a line that are searched
_EVERY: Final = 64  # lines between two looks at the clock
_SCAN_LIMIT: Final = 0.1  # seconds that a pattern may overrun its turn: the keyboard waits no longer
_SHOWN_LIMIT: Final = 0.02  # seconds for the hits of one shown line


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


class Hits:
    """The numbers of matching lines, found piece by piece so that a long log never holds the keyboard."""

    def __init__(self, query: Query, store: LineStore) -> None:
        self.query = query
        self._store = store
        self.numbers: list[int] = []
        self.scanned = store.first

    @property
    def complete(self) -> bool:
        """Every line there is has been looked at."""
        return self.scanned >= self._store.end

    def scan(self, seconds: float) -> None:
        """Look at more lines for at most about `seconds`; a pattern that hangs on one line is given up."""
        self.forget()
        if self.query.slow:
            self.scanned = self._store.end
            return
        try:
            with within(seconds + _SCAN_LIMIT):
                self._scan(monotonic() + seconds)
        except TooSlow:
            self.query.slow = True
            self.scanned = self._store.end

    def _scan(self, deadline: float) -> None:
        matches, numbers = self.query.matches, self.numbers
        for number, line in enumerate(self._store.since(self.scanned), self.scanned):
            if number % _EVERY == 0 and monotonic() > deadline:
                self.scanned = number
                return
            if matches(line.data):
                numbers.append(number)
        self.scanned = self._store.end

    def changed(self, number: int) -> None:
        """Lines from `number` on are new or have grown: look at them again."""
        self.scanned = min(self.scanned, max(number, self._store.first))
        del self.numbers[bisect_left(self.numbers, self.scanned) :]

    def forget(self) -> None:
        """Drop lines that the store has dropped."""
        first = self._store.first
        if self.numbers and self.numbers[0] < first:
            del self.numbers[: bisect_left(self.numbers, first)]
        self.scanned = max(self.scanned, first)

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
