"""A log on the screen: rows that follow their end or stand still for a reader, wrapped or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.logview import lines
from tui.logview.layout import Layout
from tui.logview.store import LineStore
from tui.terminal.frames import FrameClock

SIDEWAYS: Final = 16
"""Cells that one step aside is."""


class LogPage(ScrollView, can_focus=True):
    """Rows of a log. Feed it with `append`; which lines are shown, and what is marked in them, its heirs decide."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--out",
        "log--err",
        "log--time",
        "log--hit",
        "log--current",
        "log--prompt",
    }
    DEFAULT_CSS = """
    LogPage {
        width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .log--out { color: $foreground-darken-2; }
        & > .log--err { color: $error; }
        & > .log--time { color: $foreground-darken-2; }
        & > .log--current { color: $background; background: $accent; text-style: bold; }
        & > .log--prompt { text-style: bold; }
    }
    """

    class Changed(Message):
        """The words about the view may be others now."""

        def __init__(self, view: LogPage) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogPage:
            """The view."""
            return self.view

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.scope = ""
        self._store = LineStore()
        self._layout = Layout()
        self._state = ""
        self._seen = self._changed = 0
        self._sideways = 0
        self._placing = False
        self._frames = FrameClock(self._settle, lambda: False, lambda: False)
        self.follow = True
        self.wrap = False
        self.times = False

    def shown_lines(self) -> Sequence[int]:
        """The numbers of the lines to show."""
        return range(self._store.first, self._store.end)

    def grown(self, number: int) -> None:
        """Lines from `number` on are new or longer."""

    def emptied(self) -> None:
        """Another log begins."""

    def looked_at(self) -> None:
        """Output has come, and is about to be laid out."""

    def marked(self, number: int, content: Content) -> Content:
        """A line with what is to stand out in it."""
        return content

    def append(self, stream: Literal["stdout", "stderr"], time_ns: int | None, data: bytes) -> None:
        """Add output: any number of lines, the last of which may go on in the next call."""
        changed = self._store.append(stream == "stderr", time_ns, data)
        self._changed = min(self._changed, changed)
        self.grown(changed)
        if self.is_attached:
            self._frames.want(flooding=True)

    def clear(self) -> None:
        """Begin with an empty log."""
        self._store.clear()
        self._changed = self._seen = self._store.first
        self.emptied()
        self.follow = True
        self._relayout(None)

    def set_state(self, text: str) -> None:
        """Why there is nothing to see, for as long as there is nothing: one sentence of ours."""
        self._state = text
        self.refresh()

    @property
    def mode(self) -> str:
        """How it is shown: `follow · wrap off`, or how many lines came since the reader stopped following."""
        new = self._store.end - self._seen
        where = "follow" if self.follow else f"{new} new {'line' if new == 1 else 'lines'}" if new else "paused"
        return f"{where} · wrap {'on' if self.wrap else 'off'}"

    def move(self, motion: str) -> bool:
        """Scroll: `down up page_down page_up first last`."""
        page = max(self.size.height // 2, 1)
        steps = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if motion in steps:
            self._scroll(self.scroll_offset.y + steps[motion])
        elif motion == "first":
            self._scroll(0)
        elif motion == "last":
            self._follow(True)
        else:
            return False
        return True

    def _settle(self) -> None:
        """After output: lay the new lines out and follow the end, or keep the reader's place."""
        if not self.is_attached:
            return
        self.looked_at()
        self._relayout(self._changed)
        self._changed = self._store.end

    def _relayout(self, changed: int | None) -> None:
        before = self._layout.at(self.scroll_offset.y)
        self._layout.update(self.shown_lines(), self._height if self.wrap else None, changed)
        self._placing = True
        self.virtual_size = Size(self.size.width, self._layout.rows)
        if self.follow:
            self._seen = self._store.end
            self.scroll_to(y=self._layout.rows, animate=False, immediate=True, force=True)
        elif before is not None:
            y = self._layout.row_of(before[0]) + before[1]
            if y != self.scroll_offset.y:
                self.scroll_to(y=y, animate=False, immediate=True, force=True)
        self._placing = False
        self._tell()

    def _height(self, number: int) -> int:
        return lines.height(self._store[number], self._text_width)

    @property
    def _prefix(self) -> int:
        return 2 + (13 if self._millis else 9) * self.times

    @property
    def _millis(self) -> bool:
        return self.size.width >= 100

    @property
    def _text_width(self) -> int:
        return max(self.size.width - self._prefix, 8)

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Changed(self))

    def _scroll(self, y: int) -> None:
        self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up stops following; reaching the end begins it again."""
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            self._follow(new_value >= self.max_scroll_y, jump=False)

    def on_resize(self) -> None:
        """Other widths wrap elsewhere."""
        self._relayout(None)

    def on_unmount(self) -> None:
        """No more frames."""
        self._frames.stop()

    def _follow(self, on: bool, *, jump: bool = True) -> None:
        if on != self.follow or on:
            self.follow = on
            self._seen = self._store.end
        if on and jump:
            self._placing = True
            self._scroll(self._layout.rows)
            self._placing = False
        self._tell()

    def _toggle(self, name: str) -> None:
        setattr(self, name, not getattr(self, name))
        self._sideways = 0
        self._relayout(None)

    def _aside(self, cells: int) -> bool:
        """Look further right or left; False where there is nothing that way, so that the key is free."""
        wanted = max(0, self._sideways + cells)
        if self.wrap or wanted == self._sideways or (cells > 0 and self._widest() <= wanted):
            return False
        self._sideways = wanted
        self.refresh()
        return True

    def _widest(self) -> int:
        rows = (self._layout.at(self.scroll_offset.y + y) for y in range(self.size.height))
        numbers = [row[0] for row in rows if row is not None]
        return max((lines.body(self._store[n]).cell_length for n in numbers), default=0)

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.size.width
        if not self._layout.rows:
            return self._blank_line(y, width)
        place = self._layout.at(y + self.scroll_offset.y)
        if place is None:
            return Strip.blank(width, self.rich_style)
        number, row = place
        line = self._store[number]
        content = self.marked(number, lines.body(line))
        if self.wrap:
            starts = [*lines.breaks(content.plain, self._text_width), len(content.plain)]
            content = content[starts[row] : starts[row + 1]]
        strip = self._strip(content)
        if self._sideways:
            strip = strip.crop(self._sideways, max(strip.cell_length, self._sideways))
        return Strip.join([self._strip(self._gutter(line.error, line.time_ns, row)), strip]).adjust_cell_length(
            width, self.rich_style
        )

    def _gutter(self, error: bool, time_ns: int | None, row: int) -> Content:
        bar = self.get_visual_style("log--err" if error else "log--out")
        gutter = Content("┃ " if error else "│ ").stylize(bar)
        if self.times:
            time = lines.clock(time_ns, None, millis=self._millis)
            shown = Content(time if row == 0 else " " * len(time))
            gutter += shown.stylize(self.get_visual_style("log--time"))
        return gutter

    def _strip(self, content: Content) -> Strip:
        return Strip(content.render_segments(self.visual_style), content.cell_length)

    def _blank_line(self, y: int, width: int) -> Strip:
        words = self._state
        if len(self._store):
            words = f"0 of {len(self._store)} lines match; & shows all."
        if y or not words:
            return Strip.blank(width, self.rich_style)
        return self._strip(Content(" " + words)).adjust_cell_length(width, self.rich_style)
