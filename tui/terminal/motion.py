"""Cursor movement: CUP and its kin, tabs, and DECSC/DECRC (DEC STD 070; xterm's ctlseqs).

Handlers take the numeric parameters of their sequence, 0 where one is missing, and ignore what is too many.
"""

from __future__ import annotations

from tui.terminal.attrs import PLAIN
from tui.terminal.grid import DECAWM, DECOM, REVERSE_WRAP, Grid, Saved


class Motion(Grid):
    """The sequences that move the cursor without changing a cell."""

    def cursor_up(self, count: int = 0, *_: int) -> None:
        """CUU: up, not past the top margin unless the cursor is above it."""
        top, _bottom = self.region
        y = self.cursor.y
        self._move(self.cursor.x, max(y - (count or 1), top if y >= top else 0))

    def cursor_down(self, count: int = 0, *_: int) -> None:
        """CUD, VPR: down, not past the bottom margin unless the cursor is below it."""
        _top, bottom = self.region
        y = self.cursor.y
        self._move(self.cursor.x, min(y + (count or 1), bottom if y <= bottom else self.lines - 1))

    def cursor_forward(self, count: int = 0, *_: int) -> None:
        """CUF, HPR."""
        x = self.cursor.x + (count or 1)
        if self.sides is not None and self.cursor.x <= self.sides[1]:
            x = min(x, self.sides[1])
        self._move(x, self.cursor.y)

    def cursor_back(self, count: int = 0, *_: int) -> None:
        """CUB and BS."""
        x = min(self.cursor.x, self.columns - 1)
        if REVERSE_WRAP in self.mode and DECAWM in self.mode and (count or 1) > x - (self.sides or (0,))[0]:
            self._move_back(count or 1)
            return
        least = self.sides[0] if self.sides is not None and x >= self.sides[0] else 0
        self._move(max(x - (count or 1), least), self.cursor.y)

    def cursor_to_column(self, column: int = 0, *_: int) -> None:
        """CHA, HPA."""
        left = self.sides[0] if self.sides is not None and DECOM in self.mode else 0
        self._move(left + (column or 1) - 1, self.cursor.y)

    def cursor_to_line(self, line: int = 0, *_: int) -> None:
        """VPA."""
        self.cursor_position(line, min(self.cursor.x, self.columns - 1) + 1)

    def cursor_position(self, line: int = 0, column: int = 0, *_: int) -> None:
        """CUP, HVP. In origin mode rows count from the top margin and stay within the margins."""
        y = line - 1 if line else 0
        x = column - 1 if column else 0
        if DECOM in self.mode:
            top, bottom = self.region
            y = min(y + top, bottom)
            if self.sides is not None:
                x = min(x + self.sides[0], self.sides[1])
        cursor = self.cursor
        cursor.x = x if x < self.columns else self.columns - 1
        cursor.y = y if y < self.lines else self.lines - 1

    def tab(self, count: int = 0, *_: int) -> None:
        """HT, CHT: to the next tab stop or the last column."""
        for _step in range(min(count or 1, self.columns)):
            stops = [stop for stop in self.tabstops if stop > self.cursor.x]
            x, last = self.cursor.x, self.columns - 1
            last = self.sides[1] if self.sides is not None and x <= self.sides[1] else last
            self.cursor.x = max(x, min([*stops, last])) if x < self.columns else last

    def tab_back(self, count: int = 0, *_: int) -> None:
        """CBT: to the previous tab stop or the first column."""
        for _step in range(min(count or 1, self.columns)):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def clear_tab_stop(self, how: int = 0, *_: int) -> None:
        """TBC: 0 here, 3 everywhere."""
        if how == 0:
            self.tabstops.discard(self.cursor.x)
        elif how == 3:
            self.tabstops.clear()

    def save_cursor(self, *_: int) -> None:
        """DECSC: one slot for each buffer."""
        cursor = self.cursor
        g0, g1, g2, g3 = self.graphics
        self.saved[self.alternate] = Saved(
            cursor.x, cursor.y, cursor.attrs, (g0, g1, g2, g3), self.shift, DECOM in self.mode
        )

    def restore_cursor(self, *_: int) -> None:
        """DECRC; without a saved cursor it goes home and forgets attributes and charsets."""
        saved = self.saved[self.alternate]
        if saved is None:
            saved = Saved(0, 0, PLAIN, (False, False, False, False), 0, False)
        self.mode.discard(DECOM)
        if saved.origin:
            self.mode.add(DECOM)
        self.cursor.attrs = saved.attr
        self.graphics = list(saved.graphics)
        self.shift = saved.shift
        self.recheck()
        self.cursor.x = min(saved.x, self.columns)
        self.cursor.y = min(saved.y, self.lines - 1)

    def _move_back(self, count: int) -> None:
        """CUB and BS in mode 45: past the left margin to the end of the row above, past the top to the bottom."""
        left, right = self.sides or (0, self.columns - 1)
        if self.cursor.x < left:
            left = 0
        top, bottom = self.region
        x, y = min(self.cursor.x, self.columns - 1), self.cursor.y
        for _step in range(min(count, self.columns * self.lines)):
            if x > left:
                x -= 1
            else:
                x, y = right, bottom if y == top else max(y - 1, 0)
        self._move(x, y)

    def _move(self, x: int, y: int) -> None:
        self.cursor.x = min(max(x, 0), self.columns - 1)
        self.cursor.y = min(max(y, 0), self.lines - 1)
