"""Erasing, inserting and deleting (ED, EL, ECH, ICH, DCH, IL, DL, SU, SD, REP, DECALN, DECSTBM).

What is erased keeps the current background and nothing else (BCE), as xterm and the Linux console do.
"""

from __future__ import annotations

from tui.terminal.attrs import GUARDED, PLAIN, PROTECTED, erased
from tui.terminal.cells import Row
from tui.terminal.grid import Grid


class Editing(Grid):
    """The sequences that change cells other than by drawing text."""

    def erase_in_line(self, how: int = 0, *_: int) -> None:
        """EL: 0 right of the cursor, 1 left of it (both with it), 2 the whole row."""
        x = min(self.cursor.x, self.columns - 1)
        start, end = {0: (x, self.columns), 1: (0, x + 1), 2: (0, self.columns)}.get(how, (0, 0))
        self._erase(self.cursor.y, start, end)

    def erase_in_display(self, how: int = 0, *_: int) -> None:
        """ED: 0 below the cursor, 1 above it, 2 all, 3 the scrollback."""
        y = self.cursor.y
        if how == 3:
            self.scrollback.clear()
            return
        for line in {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}.get(how, ()):
            self._erase(line, 0, self.columns)
        if how < 2:
            self.erase_in_line(how)

    def selective_erase_in_line(self, how: int = 0, *_: int) -> None:
        """DECSEL: EL that spares protected cells."""
        x = min(self.cursor.x, self.columns - 1)
        start, end = {0: (x, self.columns), 1: (0, x + 1), 2: (0, self.columns)}.get(how, (0, 0))
        self._erase_unprotected(self.cursor.y, start, end)

    def selective_erase_in_display(self, how: int = 0, *_: int) -> None:
        """DECSED: ED that spares protected cells."""
        y = self.cursor.y
        for line in {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}.get(how, ()):
            self._erase_unprotected(line, 0, self.columns)
        if how < 2:
            self.selective_erase_in_line(how)

    def erase_characters(self, count: int = 0, *_: int) -> None:
        """ECH."""
        x = min(self.cursor.x, self.columns - 1)
        self._erase(self.cursor.y, x, min(x + (count or 1), self.columns))

    def insert_characters(self, count: int = 0, *_: int) -> None:
        """ICH."""
        self._shift(count or 1)

    def delete_characters(self, count: int = 0, *_: int) -> None:
        """DCH."""
        self._shift(-(count or 1))

    def insert_lines(self, count: int = 0, *_: int) -> None:
        """IL: only inside the scrolling region; the cursor goes to the first column."""
        top, bottom = self.region
        if top <= self.cursor.y <= bottom and self.between_sides:
            self.scroll_down(self.cursor.y, bottom, count or 1)
            self.cursor.x = self.sides[0] if self.sides else 0

    def delete_lines(self, count: int = 0, *_: int) -> None:
        """DL: only inside the scrolling region; the cursor goes to the first column."""
        top, bottom = self.region
        if top <= self.cursor.y <= bottom and self.between_sides:
            self.scroll_up(self.cursor.y, bottom, count or 1, keep=False)
            self.cursor.x = self.sides[0] if self.sides else 0

    def repeat(self, count: int = 0, *_: int) -> None:
        """REP: the last character drawn once more, at most a screenful of times."""
        if self.last_drawn:
            self.draw(self.last_drawn[-1] * min(count or 1, self.columns * self.lines))

    def alignment_display(self) -> None:
        """DECALN: the screen full of E, margins gone, cursor home."""
        for row in self.rows:
            row.put(0, "E" * self.columns, self.columns, PLAIN)
        self.margins = self.sides = None
        self.cursor.x = self.cursor.y = 0
        self.dirty.update(range(self.lines))

    def _erase(self, y: int, start: int, end: int) -> None:
        if self.guarded:
            self._erase_unprotected(y, start, end, GUARDED)
            return
        attr = erased(self.cursor.attrs)
        if start == 0 and end == self.columns:
            self.rows[y] = Row(self.columns, attr)
        else:
            self.rows[y].erase(start, end, attr)
            if end == self.columns:
                self.rows[y].wrapped = 0
        self.dirty.add(y)

    def _erase_unprotected(self, y: int, start: int, end: int, kept: int = PROTECTED) -> None:
        row = self.rows[y]
        attr = erased(self.cursor.attrs)
        for x in range(start, end):
            if not row.attrs[x].flags & kept:
                row.put(x, " ", 1, attr)
        self.dirty.add(y)

    def _shift(self, by: int) -> None:
        x = self.cursor.x = min(self.cursor.x, self.columns - 1)
        if self.between_sides:
            end = self.sides[1] + 1 if self.sides else self.columns
            self.rows[self.cursor.y].shift(x, end, by, erased(self.cursor.attrs))
            self.dirty.add(self.cursor.y)
