"""Which line stands on which row: lines that are filtered out, and lines that wrap over several rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final

_COMPACT: Final = 50_000


class Layout:
    """Rows of the shown lines. Unwrapped it costs nothing; wrapped, only what changed is measured again."""

    def __init__(self) -> None:
        self._shown: Sequence[int] = range(0)
        self._wrapped = False
        self._numbers: list[int] = []  # wrapped only: line numbers, and the row each begins on, counted for
        self._tops: list[int] = []  # ever; what has been dropped stays in front of `_low` for a while
        self._low = 0
        self._end = 0

    @property
    def lines(self) -> int:
        """How many lines are shown."""
        return len(self._shown)

    @property
    def rows(self) -> int:
        """How many rows they take."""
        if not self._wrapped:
            return len(self._shown)
        return self._end - self._tops[self._low] if self._low < len(self._tops) else 0

    def update(self, shown: Sequence[int], height: Callable[[int], int] | None, changed: int | None = None) -> None:
        """Show these line numbers (ascending). `height` gives the rows of a line, None means one row each.

        Of lines before number `changed` nothing but the dropping of the oldest is new; None: all is new, as it is
        where older ones have come in front.
        """
        self._shown = shown
        older = bool(shown) and self._low < len(self._numbers) and shown[0] < self._numbers[self._low]
        if height is None or changed is None or not self._wrapped or older:
            self._numbers, self._tops, self._low, self._end = [], [], 0, 0
        self._wrapped = height is not None
        if height is None:
            return
        self._low = bisect_left(self._numbers, shown[0], self._low) if shown else len(self._numbers)
        if self._low > _COMPACT:
            del self._numbers[: self._low], self._tops[: self._low]
            self._low = 0
        cut = bisect_left(self._numbers, changed, self._low) if changed is not None else 0
        if cut < len(self._tops):
            self._end = self._tops[cut]
            del self._numbers[cut:], self._tops[cut:]
        new = bisect_right(shown, self._numbers[-1]) if self._low < len(self._numbers) else 0
        for at in range(new, len(shown)):
            self._numbers.append(shown[at])
            self._tops.append(self._end)
            self._end += height(shown[at])

    def at(self, row: int) -> tuple[int, int] | None:
        """(line number, row within it) at a row, or None past the end."""
        if not 0 <= row < self.rows:
            return None
        if not self._wrapped:
            return self._shown[row], 0
        row += self._tops[self._low]
        index = bisect_right(self._tops, row, self._low) - 1
        return self._numbers[index], row - self._tops[index]

    def row_of(self, number: int) -> int:
        """The first row of a line, or of the next one shown where it is not."""
        if not self._wrapped:
            return bisect_left(self._shown, number)
        if self._low >= len(self._tops):
            return 0
        index = bisect_left(self._numbers, number, self._low)
        return (self._tops[index] if index < len(self._tops) else self._end) - self._tops[self._low]
