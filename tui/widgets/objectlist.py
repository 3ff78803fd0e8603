"""A list with one row an object. The cursor and the marks stay with ids, whatever happens to the rows.

Textual's DataTable can neither span columns (a row at rest says why across them), nor cut names in the middle,
nor hold a second mark beside the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.glyphs import UNICODE, Glyphs
from tui.paint import EMPTY, join, strip_of
from tui.widgets.frame import Framed

_MOST_STRIPS = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `make` paints it for a width in cells; it must depend on nothing but `stamp` and that width."""

    id: str
    stamp: Hashable
    make: Callable[[int], Content]


class ObjectList(Framed, ScrollView, can_focus=True):
    """Rows under an optional heading, with a cursor, marks and an empty sentence."""

    DEFAULT_CSS = """
    ObjectList { overflow-y: auto; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """

    class Moved(Message):
        """The cursor is on another object, or on none."""

        def __init__(self, source: ObjectList, row_id: str) -> None:
            super().__init__()
            self.source = source
            self.row_id = row_id

        @property
        def control(self) -> ObjectList:
            return self.source

    class Opened(Message):
        """A row was clicked twice."""

        def __init__(self, source: ObjectList, row_id: str) -> None:
            super().__init__()
            self.source = source
            self.row_id = row_id

        @property
        def control(self) -> ObjectList:
            return self.source

    def __init__(
        self, *, id: str, heading: Callable[[int], Content] | None = None, glyphs: Glyphs = UNICODE
    ) -> None:
        super().__init__(id=id)
        self.heading = heading
        self.glyphs = glyphs
        self.marks: frozenset[str] = frozenset()
        self.empty: Content = EMPTY
        self._rows: tuple[Row, ...] = ()
        self._at: dict[str, int] = {}
        self._cursor = 0
        self._moved = False
        self._strips: dict[Hashable, Strip] = {}

    @property
    def cursor_id(self) -> str:
        """The object under the cursor; "" in an empty list."""
        return self._rows[self._cursor].id if self._rows else ""

    @property
    def row_ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self._rows)

    @property
    def targets(self) -> tuple[str, ...]:
        """What an act hits: the marked rows in their order, else the one under the cursor."""
        marked = tuple(row.id for row in self._rows if row.id in self.marks)
        return marked or ((self.cursor_id,) if self._rows else ())

    def set_rows(self, rows: Sequence[Row], *, to_top: bool = False) -> None:
        """Show other rows. The cursor follows its object; where that is gone it stays at the same height.

        `to_top` puts a cursor that nobody has moved yet on the first row.
        """
        before, old = self.cursor_id, self._rows
        self._rows = tuple(rows)
        self._at = {row.id: n for n, row in enumerate(self._rows)}
        self._cursor = self._at.get(before, min(self._cursor, max(len(rows) - 1, 0)))
        if to_top and not self._moved:
            self._cursor = 0
        self.marks &= self._at.keys()
        self._resize_contents()
        if self.cursor_id != before:
            self._scroll_to_cursor()
            self.post_message(self.Moved(self, self.cursor_id))
            old = ()
        self.retitle()
        self._refresh_changed(old)

    def _refresh_changed(self, old: Sequence[Row]) -> None:
        """Repaint the rows that say something else than those of `old`, or all where others stand there."""
        if (
            len(old) != len(self._rows)
            or not old
            or any(a.id != b.id for a, b in zip(old, self._rows, strict=True))
        ):
            self.refresh()
            return
        first = round(self.scroll_y)
        changed = [
            Region(0, at - first + self._top, self.size.width, 1)
            for at in range(first, min(first + self._room, len(old)))
            if old[at].stamp != self._rows[at].stamp
        ]
        if changed:
            self.refresh(*changed)

    def set_empty(self, sentence: Content) -> None:
        """What to say while there are no rows."""
        if sentence != self.empty or sentence.spans != self.empty.spans:
            self.empty = sentence
            self.refresh()

    def select(self, row_id: str) -> bool:
        """Put the cursor on an object; False where it is not shown."""
        at = self._at.get(row_id)
        if at is None:
            return False
        self._move_to(at)
        return True

    def move(self, motion: str) -> bool:
        """Do a motion of the action table (down, up, first, last, page_down, page_up)."""
        page = max(self._room // 2, 1)
        steps = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if motion in steps:
            self._move_to(self._cursor + steps[motion])
        elif motion in ("first", "last"):
            self._move_to(0 if motion == "first" else len(self._rows) - 1)
        else:
            return False
        return True

    def toggle_mark(self) -> None:
        """Mark or unmark the row and step on."""
        if self._rows:
            self.marks ^= {self.cursor_id}
            self._move_to(self._cursor + 1)
            self.retitle()
            self.refresh()

    def toggle_all(self) -> None:
        """Mark every row shown, or none when all are."""
        every = frozenset(self._at)
        self.marks = frozenset() if self.marks == every else every
        self.retitle()
        self.refresh()

    def unmark(self) -> None:
        """Mark nothing."""
        self.marks = frozenset()
        self.retitle()
        self.refresh()

    def repaint(self) -> None:
        """Forget painted rows: colours or glyphs changed."""
        self._strips.clear()
        self.retitle()
        self.refresh()

    @property
    def _room(self) -> int:
        return max(self.size.height - self._top, 0)

    @property
    def _top(self) -> int:
        return 1 if self.heading is not None and self._rows else 0

    def _resize_contents(self) -> None:
        self.virtual_size = Size(0, len(self._rows) + self._top)

    def _move_to(self, at: int) -> None:
        at = max(0, min(at, len(self._rows) - 1))
        if at == self._cursor or not self._rows:
            return
        self._cursor = at
        self._moved = True
        self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.Moved(self, self.cursor_id))

    def _scroll_to_cursor(self) -> None:
        top, room = round(self.scroll_y), max(self._room, 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._rows:
            return self._line(join(" ", self.empty), width) if y == 1 else Strip.blank(width, self.rich_style)
        if y < self._top and self.heading is not None:
            return self._line(self.heading(width), width)
        at = y - self._top + round(self.scroll_y)
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self._row(self._rows[at], at == self._cursor, width)

    def _row(self, row: Row, current: bool, width: int) -> Strip:
        marked, focused = row.id in self.marks, self.has_focus
        key = (row.id, row.stamp, width, current, marked, focused)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = self._paint(row, current, marked, focused, width)
        return strip

    def _paint(self, row: Row, current: bool, marked: bool, focused: bool, width: int) -> Strip:
        first = self.glyphs.mark if marked else self.glyphs.cursor if current else " "
        body = row.make(width - 1)
        style = ""
        if current:
            style = self._current_style(focused)
        line = join((first, "$accent"), body)
        base = self.visual_style + self.app.stylesheet.parse_style(style) if style else self.visual_style
        return strip_of(line, width, base, self.app)

    def _current_style(self, focused: bool) -> str:
        """The terminal's own colours have no ground of known contrast: there the row is reversed, or bold."""
        if self.app.current_theme.ansi:
            return "reverse" if focused else "bold"
        return "on $cursor" if focused else "on $cursor-idle"

    def _line(self, content: Content, width: int) -> Strip:
        return strip_of(content, width, self.visual_style, self.app)

    def notify_style_update(self) -> None:
        """Textual's hook for a change of theme."""
        self._strips.clear()
        super().notify_style_update()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._resize_contents()
        self.call_after_refresh(self._scroll_to_cursor)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = offset.y - self._top + round(self.scroll_y)
        if 0 <= at < len(self._rows) and offset.y >= self._top:
            self._move_to(at)
            if event.chain == 2:
                self.post_message(self.Opened(self, self.cursor_id))

    @property
    def cursor_region(self) -> Region:
        """Where the cursor's row is on the screen."""
        row = self._cursor - round(self.scroll_y) + self._top
        return Region(self.content_region.x, self.content_region.y + row, self.size.width, 1)
