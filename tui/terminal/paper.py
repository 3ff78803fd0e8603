"""History and screen as one paper of numbered rows, for reading, searching and copying.

A row keeps its number while new ones come below it: row 0 is the first that ever left the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from tui.terminal.cells import FILLED, Run, split
from tui.terminal.history import History
from tui.terminal.screen import FastScreen

_MOST_ROWS: Final = 2000  # of one line that is searched as one


class Place(NamedTuple):
    """A cell: the row's number and the column from 0."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Selection:
    """From one cell to another, both included, in either order; `whole` rows or as text flows."""

    anchor: Place
    head: Place
    whole: bool = False

    @property
    def ends(self) -> tuple[Place, Place]:
        """First and last cell."""
        return min(self.anchor, self.head), max(self.anchor, self.head)

    def span(self, row: int, columns: int) -> tuple[int, int] | None:
        """The columns of `row` that are selected, as (first, end)."""
        first, last = self.ends
        if not first.row <= row <= last.row:
            return None
        if self.whole:
            return 0, columns
        return (
            first.column if row == first.row else 0,
            min(last.column + 1, columns) if row == last.row else columns,
        )


class Paper:
    """Reads the rows of a screen and of what has left it."""

    def __init__(self, screen: FastScreen, history: History) -> None:
        self._screen = screen
        self._history = history

    @property
    def first(self) -> int:
        """The number of the oldest row, as far as is known without laying everything out."""
        return self.live - len(self._screen.scrollback) if not self._screen.alternate else self.live

    @property
    def live(self) -> int:
        """The number of the screen's first row."""
        return self._screen.scrollback.scrolled

    @property
    def last(self) -> int:
        """The number of the screen's last row."""
        return self.live + self._screen.lines - 1

    @property
    def top(self) -> int:
        """The number of the row at the top of the view."""
        return self.live - self._history.offset

    def runs(self, number: int) -> list[Run]:
        """The runs of a row."""
        if number >= self.live:
            rows = self._screen.rows
            return rows[number - self.live].runs() if number - self.live < len(rows) else []
        return self._history.row(self.live - number)

    def goes_on(self, number: int) -> bool:
        """Whether the text of a row goes on in the next."""
        if number >= self.live:
            rows = self._screen.rows
            return number - self.live < len(rows) and bool(rows[number - self.live].wrapped)
        return self._history.goes_on(self.live - number)

    def cells(self, number: int) -> list[str]:
        """The cells of a row as text, "" behind a two-cell character."""
        cells = [cell for run in self.runs(number) for cell in split(run.text)]
        at = number - self.live
        if 0 <= at < len(self._screen.rows) and self._screen.rows[at].wrapped == FILLED and cells[-1] == " ":
            del cells[-1]  # it is only there because the next character is two cells wide
        return cells

    def text(self, selection: Selection) -> str:
        """What is selected; rows of one line are joined, and blanks at the ends of lines left out."""
        first, last = selection.ends
        out = ""
        for number in range(max(first.row, self.first), min(last.row, self.last) + 1):
            cells = self.cells(number)
            start, end = selection.span(number, max(len(cells), self._screen.columns)) or (0, 0)
            if start < len(cells) and not cells[start] and start:
                start -= 1
            part = "".join(cells[start:end])
            joined = self.goes_on(number) and number < last.row and not selection.whole
            out += part if joined else part.rstrip(" ") + ("\n" if number < last.row else "")
        return out

    def word(self, place: Place) -> Selection:
        """The word at a place: what stands between blanks and brackets."""
        cells = self.cells(place.row)
        column = min(place.column, max(len(cells) - 1, 0))
        if not cells or _parts(cells[column]):
            return Selection(place, place)
        start = end = column
        while start > 0 and not _parts(cells[start - 1]):
            start -= 1
        while end + 1 < len(cells) and not _parts(cells[end + 1]):
            end += 1
        return Selection(Place(place.row, start), Place(place.row, end))

    def find(self, wanted: str) -> list[Selection]:
        """Every place where `wanted` stands, oldest first; capitals count only if there are some in it."""
        if not wanted:
            return []
        folded = wanted == wanted.lower()
        self._history.reach(1 << 30)
        out: list[Selection] = []
        number = self.first
        while number <= self.last:
            rows = [self.cells(number)]
            while self.goes_on(number + len(rows) - 1) and len(rows) < _MOST_ROWS:
                rows.append(self.cells(number + len(rows)))
            text = "".join("".join(row) for row in rows)
            heap = text.lower() if folded else text
            at = heap.find(wanted) if len(heap) == len(text) else -1
            if at >= 0:
                places = [
                    Place(number + n, x) for n, row in enumerate(rows) for x, cell in enumerate(row) for _ in cell
                ]
                while at >= 0:
                    out.append(Selection(places[at], places[at + len(wanted) - 1]))
                    at = heap.find(wanted, at + len(wanted))
            number += len(rows)
        return out


def _parts(cell: str) -> bool:
    return cell in (" ", *"()[]{}<>\"'`│|")
