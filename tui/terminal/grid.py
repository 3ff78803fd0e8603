"""The screen's ground: rows, cursor, margins, the two buffers, and how text and line feeds change them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import pyte
import pyte.charsets
import pyte.modes
from pyte.screens import Cursor

from tui.terminal import widths
from tui.terminal.attrs import DEFAULT, PLAIN, Attr, erased
from tui.terminal.cells import FILLED, WRAPPED, Row, memo
from tui.terminal.reflow import Mark, fit
from tui.terminal.scrollback import Scrollback

LNM: Final[int] = pyte.modes.LNM
IRM: Final[int] = pyte.modes.IRM
DECTCEM: Final[int] = pyte.modes.DECTCEM
DECSCNM: Final[int] = pyte.modes.DECSCNM
DECOM: Final[int] = pyte.modes.DECOM
DECAWM: Final[int] = pyte.modes.DECAWM
REVERSE_WRAP: Final = 45 << 5
DECLRMM: Final = 69 << 5

LINE_DRAWING: Final[dict[int, int]] = {
    code: ord(drawn) for code, drawn in enumerate(pyte.charsets.VT100_MAP) if 0x5F <= code < 0x7F
}
_MOST_MEMO: Final = 256
_LIMIT: Final = 1000  # rows and columns; a hostile resize may not ask for gigabytes


@dataclass(frozen=True, slots=True)
class Saved:
    """What DECSC saves: position (with a pending wrap), attributes, charsets, origin mode."""

    x: int
    y: int
    attr: Attr
    graphics: tuple[bool, bool, bool, bool]
    shift: int
    origin: bool


class Grid(pyte.Screen):  # type: ignore[misc]  # pyte is followed as untyped
    """pyte's screen with list rows, two buffers and scrollback.

    `cursor.x` equals `columns` while a wrap is pending, as in pyte. `dirty` holds the rows changed since the
    painter cleared it. All positions are 0-based here; the handlers of escape sequences convert.
    """

    columns: int
    lines: int
    dirty: set[int]
    mode: set[int]
    margins: tuple[int, int] | None
    sides: tuple[int, int] | None
    tabstops: set[int]
    rows: list[Row]
    other_rows: list[Row]

    def __init__(self, columns: int, lines: int, *, history: int = 10_000) -> None:
        # pyte's own constructor is not called: it would build the cell dictionaries that `rows` replaces
        self.columns = min(max(columns, 1), _LIMIT)
        self.lines = min(max(lines, 1), _LIMIT)
        self.dirty = set()
        self.scrollback = Scrollback(history)
        self.alternate = False
        self.reset()

    def reset(self) -> None:
        """RIS: everything as at power-on, except the scrollback."""
        self.mode = {DECAWM, DECTCEM}
        self.margins = self.sides = None
        self.guarded = False  # were cells drawn that plain erase spares (SPA)?
        self.pending = (-1, -1)  # where text waits to wrap at the right margin
        self.cursor = Cursor(0, 0, PLAIN)
        self.graphics = [False, False, False, False]  # G0..G3: DEC special graphics?
        self.shift = 0
        self.tabstops = set(range(8, self.columns, 8))
        self.rows = [Row(self.columns, PLAIN) for _ in range(self.lines)]
        self.other_rows = []
        self.saved: list[Saved | None] = [None, None]  # main, alternate
        self.alternate = False
        self.last_drawn = ""  # whose last character REP repeats
        self.unpushed = 0  # rows known to be blank leftovers that must not enter the scrollback
        self.recheck()
        self.dirty.update(range(self.lines))

    def recheck(self) -> None:
        """Call after a change of modes or charsets: tells whether text goes onto the screen as it comes."""
        self.simple = not self.graphics[self.shift] and IRM not in self.mode and self.sides is None

    @property
    def display(self) -> list[str]:
        """The rows as strings, trailing blanks included."""
        return [row.text() for row in self.rows]

    @property
    def region(self) -> tuple[int, int]:
        """First and last row of the scrolling region."""
        return self.margins or (0, self.lines - 1)

    @property
    def between_sides(self) -> bool:
        """Whether the cursor is between the left and right margins."""
        return self.sides is None or self.sides[0] <= min(self.cursor.x, self.columns - 1) <= self.sides[1]

    # -- text

    def draw(self, data: str) -> None:
        """Write printable text at the cursor, wrapping as DECAWM says."""
        cursor = self.cursor
        x = cursor.x
        end = x + len(data)
        if self.simple and end <= self.columns and data.isascii():  # most text there is
            y = cursor.y
            row = self.rows[y]
            chars = row.chars
            if not chars[x] and x:
                chars[x - 1] = " "
            if end < self.columns and not chars[end]:
                chars[end] = " "
            if end - x == 1:
                chars[x] = data
                row.attrs[x] = cursor.attrs
            else:
                chars[x:end] = data
                row.attrs[x:end] = [cursor.attrs] * (end - x)
            row.strip = None
            self.dirty.add(y)
            cursor.x = end
            self.last_drawn = data
            return
        if self.graphics[self.shift]:
            data = data.translate(LINE_DRAWING)
        self.last_drawn = data
        if data.isascii() or not widths.find_odd(data):
            self._draw_cells(data, len(data))
            return
        if self.simple and len(data) <= _MOST_MEMO and (cells := memo(data)) and x + len(cells) <= self.columns:
            self.rows[cursor.y].put(x, cells, len(cells), cursor.attrs)
            self.dirty.add(cursor.y)
            cursor.x = x + len(cells)
            return
        for run in widths.find_runs(data):
            text = run.group()
            if run.lastindex == 1:
                self._draw_cells(text, len(text))
            elif run.lastindex == 2:
                self._draw_wide(text)
            else:
                self._combine(text)

    def _draw_cells(self, text: str, count: int) -> None:
        cursor, columns = self.cursor, self.columns
        if self.sides is not None:
            for char in text:
                self._draw_between(char, 1)
            return
        insert = IRM in self.mode
        at = 0
        while True:
            x = cursor.x
            if x >= columns:
                x = self._wrap(1)
            room = columns - x
            left = count - at
            piece = left if left <= room else room
            if insert:
                self.rows[cursor.y].insert(x, piece, erased(cursor.attrs))
            self.rows[cursor.y].put(x, text if piece == count else text[at : at + piece], piece, cursor.attrs)
            self.dirty.add(cursor.y)
            cursor.x = x + piece
            at += piece
            if at >= count:
                return
            if DECAWM not in self.mode:
                at = count - 1  # each further character overwrites the last column; only the last one stays

    def _draw_wide(self, text: str) -> None:
        cursor, columns = self.cursor, self.columns
        if columns < 2:
            return
        if self.sides is not None:
            for char in text:
                self._draw_between(char, 2)
            return
        insert = IRM in self.mode
        at = 0
        while at < len(text):
            x = cursor.x
            if x + 2 > columns:
                x = self._wrap(2)
            piece = text[at : at + (columns - x) // 2]
            cells = [""] * (2 * len(piece))
            cells[::2] = piece
            if insert:
                self.rows[cursor.y].insert(x, len(cells), erased(cursor.attrs))
            self.rows[cursor.y].put(x, cells, len(cells), cursor.attrs)
            self.dirty.add(cursor.y)
            cursor.x = x + len(cells)
            at += len(piece)

    def _draw_between(self, char: str, count: int) -> None:
        """Draw one character with left and right margins set (DECLRMM): rare, so one at a time."""
        cursor = self.cursor
        left, right = self.sides or (0, self.columns - 1)
        end = right + 1 if min(cursor.x, self.columns - 1) <= right else self.columns
        waits = self.pending == (cursor.y, cursor.x) or cursor.x + count > end
        if waits and DECAWM in self.mode:
            self.pending = (-1, -1)
            cursor.x = left if end == right + 1 else cursor.x
            self.index()
            cursor.x = left
        x = max(0, min(cursor.x, end - count))
        if IRM in self.mode:
            self.rows[cursor.y].shift(x, end, count, erased(cursor.attrs))
        self.rows[cursor.y].put(x, [char, ""][:count], count, cursor.attrs)
        self.dirty.add(cursor.y)
        cursor.x = min(x + count, end - 1)
        self.pending = (cursor.y, cursor.x) if x + count >= end else (-1, -1)

    def _wrap(self, need: int) -> int:
        """Make room for `need` cells at the right margin; returns the column to draw at."""
        cursor = self.cursor
        if DECAWM not in self.mode:
            cursor.x = self.columns - need
            return self.columns - need
        self.rows[cursor.y].wrapped = FILLED if cursor.x < self.columns else WRAPPED
        cursor.x = 0
        self.index()
        return 0

    def _combine(self, marks: str) -> None:
        """Add zero-width characters to the cell before the cursor, a few at most."""
        row = self.rows[self.cursor.y]
        x = self.cursor.x - 1
        if x > 0 and not row.chars[x]:
            x -= 1
        if x < 0 or len(row.chars[x]) > 8:
            return
        row.chars[x] += marks[:8]
        row.strip = None
        self.dirty.add(self.cursor.y)

    # -- lines

    def index(self) -> None:
        """IND: down one row, scrolling at the bottom margin. The column stays."""
        y = self.cursor.y
        top, bottom = self.margins or (0, self.lines - 1)
        if y == bottom:
            if self.between_sides:
                self.scroll_up(top, bottom, 1)
        elif y < self.lines - 1:
            self.cursor.y = y + 1

    def reverse_index(self) -> None:
        """RI: up one row, scrolling at the top margin."""
        top, bottom = self.region
        if self.cursor.y == top:
            if self.between_sides:
                self.scroll_down(top, bottom, 1)
        elif self.cursor.y:
            self.cursor.y -= 1

    def linefeed(self) -> None:
        """LF, VT, FF; with LNM set a carriage return too."""
        if LNM in self.mode:
            self.cursor.x = 0
        self.index()

    def scroll_up(self, top: int, bottom: int, count: int, *, keep: bool = True) -> None:
        """Drop `count` rows at `top`, add blank ones at `bottom`; what leaves the main screen's top is kept."""
        attr = self.cursor.attrs
        attr = PLAIN if attr.bg == DEFAULT else erased(attr)
        if self.sides is not None:
            self._scroll_between(top, bottom, count)
            return
        rows = self.rows
        if count == 1 and top == 0 and keep and not self.alternate and bottom == self.lines - 1:
            if self.unpushed:
                self.unpushed -= 1
            else:
                self.scrollback.push(rows[0])
            del rows[0]
            rows.append(Row(self.columns, attr))
            if len(self.dirty) < self.lines:
                self.dirty.update(range(self.lines))
            return
        count = min(count, bottom - top + 1)
        if top == 0 and keep and not self.alternate:
            for row in rows[:count]:
                if self.unpushed:
                    self.unpushed -= 1
                else:
                    self.scrollback.push(row)
        del rows[top : top + count]
        rows[bottom - count + 1 : bottom - count + 1] = [Row(self.columns, attr) for _ in range(count)]
        self.dirty.update(range(top, bottom + 1))

    def scroll_down(self, top: int, bottom: int, count: int) -> None:
        """Drop `count` rows at `bottom`, add blank ones at `top`."""
        if self.sides is not None:
            self._scroll_between(top, bottom, -count)
            return
        count = min(count, bottom - top + 1)
        attr = erased(self.cursor.attrs)
        del self.rows[bottom - count + 1 : bottom + 1]
        self.rows[top:top] = [Row(self.columns, attr) for _ in range(count)]
        self.dirty.update(range(top, bottom + 1))

    def _scroll_between(self, top: int, bottom: int, count: int) -> None:
        """Scroll the cells between the side margins up by `count`."""
        left, right = self.sides or (0, self.columns - 1)
        blank = erased(self.cursor.attrs)
        rows = self.rows[top : bottom + 1]
        for row in rows:
            row.shift(left, right + 1, 0, blank)  # no two-cell character may reach across a margin
        kept = [(row.chars[left : right + 1], row.attrs[left : right + 1]) for row in rows]
        for y, row in enumerate(rows):
            source = y + count
            if 0 <= source < len(kept):
                row.chars[left : right + 1], row.attrs[left : right + 1] = kept[source]
            else:
                row.erase(left, right + 1, blank)
            row.strip = None
        self.dirty.update(range(top, bottom + 1))

    # -- size and buffers

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Give both buffers a new size. The main one wraps its text anew, the alternate one is cut or padded."""
        lines = min(max(lines or self.lines, 1), _LIMIT)
        columns = min(max(columns or self.columns, 1), _LIMIT)
        if (lines, columns) == (self.lines, self.columns):
            return
        cursor, saved = self.cursor, self.saved[0]
        main = self.other_rows if self.alternate else self.rows
        marks = [Mark(saved.y, saved.x)] if saved else []
        if not self.alternate or not marks:
            marks.insert(0, Mark(min(cursor.y, len(main) - 1), cursor.x))
        skipped = 0 if self.alternate else self.unpushed
        marks = [Mark(max(0, mark.y - skipped), mark.x) for mark in marks]
        main, marks = fit(main[skipped:], marks, self.scrollback, (lines, columns))
        if saved:
            self.saved[0] = replace(saved, y=marks[-1].y, x=marks[-1].x)
        if self.alternate:
            cut = max(0, cursor.y - lines + 1)
            self.rows, self.other_rows = _fitted(self.rows[cut:], lines, columns), main
            cursor.y, cursor.x = min(cursor.y - cut, lines - 1), min(cursor.x, columns - 1)
        else:
            self.rows = main
            cursor.y, cursor.x = marks[0]
        self.tabstops |= set(range((self.columns + 7) // 8 * 8, columns, 8))
        self.lines, self.columns = lines, columns
        self.margins = self.sides = None
        self.recheck()
        self.unpushed = 0
        self.dirty.clear()
        self.dirty.update(range(lines))

    def switch_buffer(self, alternate: bool) -> None:
        """Show the main or the alternate buffer; a fresh alternate one is blank."""
        if alternate == self.alternate:
            return
        self.rows, self.other_rows = self.other_rows, self.rows
        if alternate:
            self.rows = [Row(self.columns, PLAIN) for _ in range(self.lines)]
        else:
            self.other_rows = []
        self.alternate = alternate
        self.dirty.update(range(self.lines))


def _fitted(rows: list[Row], lines: int, columns: int) -> list[Row]:
    rows = rows[:lines]
    for row in rows:
        row.fit(columns, PLAIN)
    return rows + [Row(columns, PLAIN) for _ in range(lines - len(rows))]
