"""A log on the screen: rows that follow their end or stand still for a reader, wrapped or not."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ClassVar, Final, Literal

from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView

from tui.logview import lines
from tui.logview.layout import Layout
from tui.logview.sources import Sources
from tui.logview.store import LineStore, Store
from tui.logview.unfold import fields, unfolded
from tui.terminal.frames import FrameClock

SIDEWAYS: Final = 16
"""Cells that one step aside is."""

_PULLS: Final = 8  # blocks of each log that one frame takes up
_FREE: Final = 3  # times as long as a frame took; Textual needs as much again to bring the rows onto the screen
_LONGEST_REST: Final = 0.5  # seconds
_KEYS: Final = {"last": "G", "log_keep": "&", "log_mute": "m", "log_solo": "M", "log_save": "S", "back": "esc"}
"""What names its keys in words of ours, where no keymap says otherwise."""
_WINDOW: Final = 4000  # lines around the reader that are measured where lines have different heights


class LogPage(ScrollView, can_focus=True):
    """Where lines stand. Feed it with `append` or a store; how rows look is its heirs' part."""

    DEFAULT_CSS = """
    LogPage { width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        scrollbar-gutter: stable; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = set()

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
        self._lines = LineStore()
        self._store: Store = self._lines
        self._layout = Layout()
        self._state = ""
        self._seen = self._unseen = self._changed = self._laid = 0
        self._sideways = 0
        self._placing = False
        self._kept_time: int | None = None
        self._windowed: tuple[int, int] | None = None  # the lines at the ends of what is laid out, if not all are
        self._frames = FrameClock(self._settle, lambda: False, lambda: False)
        self._rests_until = self._settled = 0.0
        self._rest: asyncio.TimerHandle | None = None
        self.pull: Callable[[], int | None] | None = None
        """Makes the store take up what has come: from which line on things are new, None = there is nothing."""
        self.sources = Sources()
        self.key_of: Callable[[str], str] = _KEYS.__getitem__
        """The key of an act as it is shown, "" for none."""
        self.follow = True
        self.wrap = False
        self.times = False
        self.unfold = False
        self.unfolded: set[int] = set()

    def shown_lines(self) -> Sequence[int]:
        """The numbers of the lines to show."""
        return range(self._store.first, self._store.end)

    def grown(self, number: int) -> None:
        """Lines from `number` on are new or longer."""

    def emptied(self) -> None:
        """Another log begins."""

    def looked_at(self) -> None:
        """Output has come, and is about to be laid out."""

    def restyle(self) -> None:
        """Rows look different now."""

    @property
    def foot(self) -> int:
        """Rows below the lines that are not lines."""
        return 0

    @property
    def head(self) -> int:
        """Rows above the lines: the names of a merged log."""
        return 1 if self.sources.many else 0

    def append(
        self, stream: Literal["stdout", "stderr"], time_ns: int | None, data: bytes, source: int = 0
    ) -> None:
        """Add output: any number of lines, the last of which may go on in the next call."""
        self.grew(self._lines.append(stream == "stderr", time_ns, data, source))

    def grew(self, number: int) -> None:
        """Lines from `number` on are new or longer: show them with the next frame."""
        self._changed = min(self._changed, number)
        self.grown(number)
        self.more()

    def more(self) -> None:
        """Lay out again with the next frame: frames are skipped in a flood, never queued."""
        wait = self._rests_until - monotonic()
        if wait <= 0:
            if self.is_attached:
                self._frames.want(flooding=True)
        elif self._rest is None:
            self._rest = asyncio.get_running_loop().call_later(wait, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self.more()

    def spent(self, seconds: float) -> None:
        """So long a frame held the keyboard: the next one waits, so that keys find it free for the most part."""
        self._rests_until = monotonic() + min(_FREE * seconds, _LONGEST_REST)

    def show_store(self, store: Store | None) -> None:
        """Show other lines, None = those that `append` adds; a reader who does not follow stays at the time.

        Also over a time without any lines: the engine that handed them over may be another one now.
        """
        time = None if self.follow else self._top_time() or self._kept_time
        self._kept_time = time if store is None else None
        self._store = self._lines if store is None else store
        self._changed = self._seen = self._laid = self._store.end
        self.unfolded.clear()
        self._windowed = None
        self.emptied()
        self._relayout(None)
        if time is not None and len(self._store):
            self.go_to_time(time)

    def go_to_time(self, time_ns: int) -> None:
        """To the first line that is not older."""
        place = self._store.at_time(time_ns)
        if place is not None:
            self.go_to_line(place, top=True)

    @property
    def is_sent(self) -> bool:
        """There are lines that `append` added."""
        return len(self._lines) > 0

    def _top_time(self) -> int | None:
        top = self._layout.at(self.scroll_offset.y)
        return self._store[top[0]].time_ns if top is not None else None

    def clear(self) -> None:
        """Begin with an empty log."""
        self._lines.clear()
        self._store = self._lines
        self._changed = self._seen = self._laid = self._store.first
        self.unfolded.clear()
        self._kept_time = None
        self.emptied()
        self.follow = True
        self._relayout(None)

    def set_state(self, text: str) -> None:
        """Why there is nothing to see, for as long as there is nothing: one sentence of ours."""
        self._state = text
        self.refresh()

    @property
    def unseen(self) -> int:
        """How many of the lines that are shown have come since the reader stopped following, and stand below."""
        return 0 if self.follow else self._unseen

    @property
    def mode(self) -> str:
        """How it is shown: `follow · wrap off`, or how many lines came since the reader stopped following."""
        new = self.unseen
        where = "follow" if self.follow else f"{new:,} new {'line' if new == 1 else 'lines'}" if new else "paused"
        return f"{where} · wrap {'on' if self.wrap else 'off'}"

    def move(self, motion: str) -> bool:
        """Scroll: `down up page_down page_up first last`."""
        page = max(self.size.height // 2, 1)
        steps = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if motion in steps:
            self._scroll(self.scroll_offset.y + steps[motion])
        elif motion == "first":
            shown = self.shown_lines()
            if shown:
                self.go_to_line(shown[0], top=True)
        elif motion == "last":
            self._follow(True)
        else:
            return False
        return True

    def go_to_line(self, number: int, *, top: bool = False) -> None:
        """Stop following and bring a line to the top or, where it is not on the screen, to the middle."""
        self.follow = False
        if self._windowed is not None and not self._windowed[0] <= number <= self._windowed[1]:
            self._relayout(None, around=number)
        row, at, room = self._layout.row_of(number), self.scroll_offset.y, self._room
        if top or not at <= row < at + room:
            self._placing = True
            self._scroll(row if top else max(0, row - room // 2))
            self._placing = False
        self.tell()

    @property
    def _room(self) -> int:
        """Rows for lines."""
        return max(self.size.height - self.head - self.foot, 1)

    def _settle(self) -> None:
        """After output: lay the new lines out and follow the end, or keep the reader's place."""
        if not self.is_attached:
            return
        begun = monotonic()
        self._pull()
        self.looked_at()
        if self._changed < self._laid:
            self.restyle()  # lines that have been drawn are others now
        self._relayout(self._changed)
        self._changed = self._laid = self._store.end
        self._settled = monotonic() - begun
        self.spent(self._settled)

    def _pull(self) -> None:
        """Take up what a store of files has grown by."""
        for _ in range(_PULLS):
            number = self.pull() if self.pull is not None else None
            if number is None:
                return
            self._changed = min(self._changed, number)
            self.grown(number)
        self.call_later(self.more)

    def _relayout(self, changed: int | None, around: int | None = None) -> None:
        before = (around, 0) if around is not None else self._layout.at(self.scroll_offset.y)
        uneven = self.wrap or self.unfold or bool(self.unfolded)
        every = self.shown_lines()
        shown = self._around(every, before[0] if before else None) if uneven else every
        self._layout.update(shown, self._height if uneven else None, changed)
        fits = self._layout.rows + self.head <= self.size.height
        self._unseen = 0 if self.follow or fits else len(every) - bisect_left(every, self._seen)
        self._placing = True
        self.virtual_size = Size(self.cells, self._layout.rows + self.head + self.foot)
        if self.follow:
            self._seen = self._store.end
            self.scroll_to(y=self.virtual_size.height, animate=False, immediate=True, force=True)
        elif before is not None:
            last = max(self.virtual_size.height - self.size.height, 0)
            y = min(self._layout.row_of(before[0]) + before[1], last)
            if y != self.scroll_offset.y:
                self.scroll_to(y=y, animate=False, immediate=True, force=True)
        self._placing = False
        self._place_bar()
        if changed is None:
            self.restyle()
        self.tell()

    def _place_bar(self) -> None:
        """Textual tells a bar where it stands only while it is shown, and how long it is at some later layout."""
        if self.show_vertical_scrollbar:
            bar = self.vertical_scrollbar
            bar.window_virtual_size, bar.window_size = self.virtual_size.height, self.size.height
            bar.position = self.scroll_y

    def watch_show_vertical_scrollbar(self) -> None:
        """It comes with the layout after the one that needs it."""
        self._place_bar()

    def _around(self, shown: Sequence[int], number: int | None) -> Sequence[int]:
        """Of very many lines those near the reader: measuring all would take too long. It moves along."""
        self._windowed = None
        if len(shown) <= _WINDOW:
            return shown
        start = len(shown) - _WINDOW
        if not self.follow and number is not None:
            start = max(0, min(start, bisect_left(shown, number) - _WINDOW // 2))
        part = shown[start : start + _WINDOW]
        self._windowed = (part[0], part[-1])
        return part

    def _slide(self) -> None:
        """Lay out other lines when the reader comes near the end of those that are."""
        if self._windowed is None or self.follow:
            return
        shown, row = self.shown_lines(), self.scroll_offset.y
        before = row < self._room and shown[0] < self._windowed[0]
        behind = row > self._layout.rows - 3 * self._room and shown[-1] > self._windowed[1]
        if before or behind:
            self.call_later(self._relayout, None)

    def _height(self, number: int) -> int:
        line = self._store[number]
        if self.is_unfolded(number):
            pairs = fields(line.data)
            if pairs is not None:
                return len(unfolded(pairs, self._text_width, "-", self.visual_style))
        return lines.height(line, self._text_width) if self.wrap else 1

    def is_unfolded(self, number: int) -> bool:
        """Whether a line is to be unfolded, if it can be."""
        return self.unfold is not (number in self.unfolded)

    @property
    def cells(self) -> int:
        """What is left of a row beside the scroll bar, which stands on the last column."""
        return self.scrollable_content_region.width

    @property
    def _prefix(self) -> int:
        return 2 + self.sources.width + (13 if self._millis else 9) * self.times

    @property
    def _millis(self) -> bool:
        return self.size.width >= 100

    @property
    def _text_width(self) -> int:
        return max(self.cells - self._prefix, 8)

    def tell(self) -> None:
        """Draw, and let the words about the view be read again."""
        self.refresh()
        self.post_message(self.Changed(self))

    def _scroll(self, y: int) -> None:
        self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up stops following; reaching the end begins it again."""
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            shown = self.shown_lines()
            last = self._windowed is None or not shown or self._windowed[1] >= shown[-1]
            self._follow(new_value >= self.max_scroll_y and last, jump=False)
            self._slide()

    def on_resize(self) -> None:
        """Other widths wrap elsewhere."""
        self._relayout(None)

    def on_unmount(self) -> None:
        """No more frames."""
        self._frames.stop()
        if self._rest is not None:
            self._rest.cancel()

    def _follow(self, on: bool, *, jump: bool = True) -> None:
        if on != self.follow or on:
            self.follow = on
            self._seen = self._store.end
            self._unseen = 0
        if on and jump:
            self._relayout(None if self._windowed is not None else self._store.end)
        elif on:
            self.call_later(self._relayout, self._store.end)  # the row that told of new lines goes
        self.tell()

    def toggle(self, name: str) -> None:
        """Turn `wrap`, `times` or `unfold` on or off."""
        setattr(self, name, not getattr(self, name))
        self._sideways = 0
        self.unfolded.clear()
        self._relayout(None)

    def _aside(self, cells: int) -> bool:
        """Look further right or left; False where there is nothing that way, so that the key is free."""
        wanted = max(0, self._sideways + cells)
        if self.wrap or wanted == self._sideways or (cells > 0 and self._widest() <= wanted):
            return False
        self._sideways = wanted
        self.restyle()
        self.refresh()
        return True

    def _widest(self) -> int:
        rows = (self._layout.at(self.scroll_offset.y + y) for y in range(self.size.height))
        numbers = [row[0] for row in rows if row is not None]
        return max((lines.body(self._store[n]).cell_length for n in numbers), default=0)
