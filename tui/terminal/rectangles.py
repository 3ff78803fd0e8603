"""Rectangles (DECCRA, DECFRA, DECERA, DECSERA) and columns (DECIC, DECDC, DECBI, DECFI), from the VT420 on."""

from __future__ import annotations

from tui.terminal.attrs import PROTECTED, Attr, erased
from tui.terminal.editing import Editing
from tui.terminal.grid import DECOM

Area = tuple[int, int, int, int]


class Rectangles(Editing):
    """Coordinates are 1-based, bounds included, counted from the margins in origin mode; 0 stands for the edge."""

    def copy_rectangle(
        self, top: int = 0, left: int = 0, bottom: int = 0, right: int = 0, _page: int = 0,
        to_top: int = 0, to_left: int = 0, *_: int,
    ) -> None:  # fmt: skip
        """DECCRA."""
        area = self._area(top, left, bottom, right)
        to = self._area(to_top, to_left, 0, 0)
        if area is None or to is None:
            return
        top, left, bottom, right = area
        width = min(right - left, self.columns - to[1])
        source = [
            (row.chars[left : left + width], row.attrs[left : left + width])
            for row in self.rows[top : min(bottom, top + self.lines - to[0])]
        ]
        for y, (chars, attrs) in enumerate(source, to[0]):
            row = self.rows[y]
            if not chars[0]:
                chars[0] = " "
            row.put(to[1], chars, width, attrs[0])
            row.attrs[to[1] : to[1] + width] = attrs
            row.mend(to[1] + width - 1)
            self.dirty.add(y)

    def fill_rectangle(
        self, char: int = 0, top: int = 0, left: int = 0, bottom: int = 0, right: int = 0, *_: int
    ) -> None:
        """DECFRA: with a character of Latin-1."""
        if 32 <= char <= 126 or 160 <= char <= 255:
            self._fill((top, left, bottom, right), chr(char), self.cursor.attrs)

    def erase_rectangle(self, top: int = 0, left: int = 0, bottom: int = 0, right: int = 0, *_: int) -> None:
        """DECERA."""
        self._fill((top, left, bottom, right), " ", erased(self.cursor.attrs))

    def selective_erase_rectangle(
        self, top: int = 0, left: int = 0, bottom: int = 0, right: int = 0, *_: int
    ) -> None:
        """DECSERA: spares protected cells."""
        area = self._area(top, left, bottom, right)
        if area is not None:
            for y in range(area[0], area[2]):
                self._erase_unprotected(y, area[1], area[3], PROTECTED)

    def insert_columns(self, count: int = 0, *_: int) -> None:
        """DECIC: blank columns at the cursor, over the whole scrolling region."""
        self._shift_columns(self.cursor.x, count or 1)

    def delete_columns(self, count: int = 0, *_: int) -> None:
        """DECDC."""
        self._shift_columns(self.cursor.x, -(count or 1))

    def back_index(self) -> None:
        """DECBI: left, the region moving right at its left margin."""
        left, _right = self.sides or (0, self.columns - 1)
        if self.cursor.x != left:
            self.cursor.x = max(min(self.cursor.x, self.columns - 1) - 1, 0)
        elif self.region[0] <= self.cursor.y <= self.region[1]:
            self._shift_columns(left, 1)

    def forward_index(self) -> None:
        """DECFI: right, the region moving left at its right margin."""
        left, right = self.sides or (0, self.columns - 1)
        if min(self.cursor.x, self.columns - 1) != right:
            self.cursor.x = min(self.cursor.x + 1, self.columns - 1)
        elif self.region[0] <= self.cursor.y <= self.region[1]:
            self._shift_columns(left, -1)

    def _shift_columns(self, x: int, by: int) -> None:
        top, bottom = self.region
        left, right = self.sides or (0, self.columns - 1)
        x = min(x, self.columns - 1)
        if not (top <= self.cursor.y <= bottom and left <= x <= right):
            return
        attr = erased(self.cursor.attrs)
        for y in range(top, bottom + 1):
            self.rows[y].shift(x, right + 1, by, attr)
            self.dirty.add(y)

    def _fill(self, corners: Area, char: str, attr: Attr) -> None:
        area = self._area(*corners)
        if area is None:
            return
        top, left, bottom, right = area
        for y in range(top, bottom):
            self.rows[y].put(left, char * (right - left), right - left, attr)
            self.dirty.add(y)

    def _area(self, top: int, left: int, bottom: int, right: int) -> Area | None:
        """The rows and columns meant, 0-based with their ends excluded; None if there are none."""
        y, x, lines, columns = 0, 0, self.lines, self.columns
        if DECOM in self.mode:
            y, end = self.region
            x, last = self.sides or (0, self.columns - 1)
            lines, columns = end + 1, last + 1
        area = (
            y + (top or 1) - 1, x + (left or 1) - 1,
            min(y + bottom, lines) if bottom else lines, min(x + right, columns) if right else columns,
        )  # fmt: skip
        return area if area[0] < area[2] and area[1] < area[3] else None
