"""The whole screen: ground, motion, editing, modes and answers in one object."""

from __future__ import annotations

from tui.terminal.attrs import erased, sgr
from tui.terminal.cells import Row
from tui.terminal.grid import DECOM
from tui.terminal.rectangles import Rectangles
from tui.terminal.report import Reports


class FastScreen(Rectangles, Reports):
    """A VT420-like screen in pure Python, driven by `FastStream`.

    Reading it: `rows`, `display`, `cursor` (`x`, `y`, `attrs`), `dirty`, `columns`, `lines`, `title`,
    `mode`, `alternate`, `scrollback`.
    """

    def select_graphic_rendition(self, params: str) -> None:
        """SGR, given as the raw parameter text: it is the key of the memo."""
        attr = self.cursor.attrs
        self.cursor.attrs = attr.next.get(params) or sgr(attr, params)

    def carriage_return(self) -> None:
        """CR: to the first column, or to the left margin."""
        left = self.sides[0] if self.sides is not None else 0
        self.cursor.x = left if self.cursor.x >= left or DECOM in self.mode else 0

    def next_line(self) -> None:
        """NEL."""
        self.index()
        self.carriage_return()

    def set_tab_stop(self) -> None:
        """HTS."""
        self.tabstops.add(min(self.cursor.x, self.columns - 1))

    def define_charset(self, code: str, mode: str) -> None:
        """SCS: `0` is DEC special graphics in any slot, everything else is taken for ASCII."""
        slot = "()*+".find(mode)
        if slot >= 0:
            self.graphics[slot] = code == "0"
            self.recheck()

    def shift_charset(self, slot: int) -> None:
        """SI, SO, LS2, LS3."""
        self.shift = slot
        self.recheck()

    def blank(self) -> None:
        """Replace every row by an empty one without scrolling, cursor in the last row's first column."""
        attr = erased(self.cursor.attrs)
        self.rows = [Row(self.columns, attr) for _ in range(self.lines)]
        self.cursor.x, self.cursor.y = 0, self.lines - 1
        self.dirty.update(range(self.lines))
