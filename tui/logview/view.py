"""The widget: a log that follows its end, stands still for a reader, and can be searched and filtered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Final, Literal

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from tui.logview import lines
from tui.logview.finder import Finder
from tui.logview.layout import Layout
from tui.logview.prompt import Prompt
from tui.logview.store import LineStore
from tui.terminal.frames import FrameClock

KEYS: Final = {
    "/": "log_search", "&": "log_keep", "!": "log_invert", "n": "log_next", "N": "log_previous",
    "f": "log_follow", "w": "log_wrap", "t": "log_time", "j": "down", "down": "down", "k": "up", "up": "up",
    "g": "first", "home": "first", "G": "last", "end": "last", "ctrl+d": "page_down", "pagedown": "page_down",
    "ctrl+u": "page_up", "pageup": "page_up", "escape": "log_clear", "left": "left", "right": "right",
}  # fmt: skip
"""Key, as its character or Textual's name, to act."""

_SLICE: Final = 0.004  # seconds of searching between two looks at the keyboard
_SIDEWAYS: Final = 16
_HIT: Final = Style(reverse=True)  # not a component class: Textual drops "reverse" from those


class LogView(ScrollView, can_focus=True):
    """Feed it with `append`; ask `shown` and `mode` for the words of its border after `Changed`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--out",
        "log--err",
        "log--time",
        "log--hit",
        "log--current",
        "log--prompt",
    }
    DEFAULT_CSS = """
    LogView {
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

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    def __init__(self, *, act_of: Callable[[events.Key], str | None] | None = None, id: str | None = None) -> None:
        """`act_of` names the act a key means, in the words of `KEYS`, where a keymap says so."""
        super().__init__(id=id)
        self._act_of = act_of
        self._store = LineStore()
        self._layout = Layout()
        self._finder = Finder(self._store)
        self._prompt: Prompt | None = None
        self._state = ""
        self._seen = self._changed = 0
        self._sideways = 0
        self._placing = False
        self._frames = FrameClock(self._settle, lambda: False, lambda: False)
        self.scope = ""
        self.follow = True
        self.wrap = False
        self.times = False

    # -- what owners call

    def append(self, stream: Literal["stdout", "stderr"], time_ns: int | None, data: bytes) -> None:
        """Add output: any number of lines, the last of which may go on in the next call."""
        changed = self._store.append(stream == "stderr", time_ns, data)
        self._changed = min(self._changed, changed)
        if self._finder.hits is not None:
            self._finder.hits.changed(changed)
        if self.is_attached:
            self._frames.want(flooding=True)

    def clear(self) -> None:
        """Begin with an empty log."""
        self._store.clear()
        self._changed = self._seen = self._store.first
        self._finder.current = -1
        self.follow = True
        self._relayout(None)

    def set_state(self, text: str) -> None:
        """Why there is nothing to see, for as long as there is nothing: one sentence of ours."""
        self._state = text
        self.refresh()

    @property
    def shown(self) -> str:
        """What is shown: `17 of 307 lines`, and how many hits a search has."""
        return self._finder.words()

    @property
    def searching(self) -> bool:
        """A search is on: there are hits to go to."""
        return self._finder.hits is not None and self._prompt is None

    @property
    def mode(self) -> str:
        """How it is shown: `follow · wrap off`, or how many lines came since the reader stopped following."""
        new = self._store.end - self._seen
        where = "follow" if self.follow else f"{new} new {'line' if new == 1 else 'lines'}" if new else "paused"
        return f"{where} · wrap {'on' if self.wrap else 'off'}"

    def act(self, act: str) -> bool:
        """Do an act of `KEYS` or a motion of the action table; False if it is none or has no effect here."""
        todo: dict[str, Callable[[], object]] = {
            "log_search": partial(self._ask, "/"),
            "log_keep": partial(self._ask, "&"),
            "log_invert": self._invert,
            "log_next": partial(self._step, True),
            "log_previous": partial(self._step, False),
            "log_follow": partial(self._follow, not self.follow),
            "log_wrap": partial(self._toggle, "wrap"),
            "log_time": partial(self._toggle, "times"),
            "log_clear": self._clear_search,
            "left": partial(self._aside, -_SIDEWAYS),
            "right": partial(self._aside, _SIDEWAYS),
        }
        if act in todo:
            return todo[act]() is not False
        return self.move(act)

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

    # -- laying out

    def _settle(self) -> None:
        """After output: lay the new lines out and follow the end, or keep the reader's place."""
        if not self.is_attached:
            return
        hits = self._finder.hits
        if hits is not None:
            hits.scan(_SLICE)
            if not hits.complete:
                self._search_on()
        self._relayout(self._changed)
        self._changed = self._store.end

    def _relayout(self, changed: int | None) -> None:
        before = self._layout.at(self.scroll_offset.y)
        self._layout.update(self._finder.shown(), self._height if self.wrap else None, changed)
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

    # -- acts

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

    def _ask(self, sign: str) -> None:
        if sign == "&" and self._finder.keep:
            self._clear_search()
            return
        text = self._finder.text if sign == "&" else ""
        self._prompt = Prompt(sign, text)
        self._search(text, keep=sign == "&") if text else self.refresh()

    def _search(self, text: str, *, keep: bool, invert: bool = False) -> None:
        self._finder.start(text, keep=keep, invert=invert)
        self._search_on()
        self._relayout(None)

    def _search_on(self) -> None:
        self.run_worker(self._searching(), group="search", exclusive=True, exit_on_error=False)

    async def _searching(self) -> None:
        hits = self._finder.hits
        while hits is not None and hits is self._finder.hits and not hits.complete:
            hits.scan(_SLICE)
            if self._finder.keep:
                self._relayout(None)
            await asyncio.sleep(0)
        if hits is not None and hits is self._finder.hits:
            self._relayout(None)

    def _invert(self) -> bool:
        if self._finder.hits is None:
            return False
        query = self._finder.hits.query
        self._search(query.text, keep=True, invert=not query.invert)
        return True

    def _clear_search(self) -> bool:
        if self._finder.hits is None:
            return False
        self._search("", keep=False)
        return True

    def _step(self, forward: bool) -> bool:
        """To the next or previous hit, from the current one or from the row at the edge."""
        edge = self._layout.at(self.scroll_offset.y)
        found = self._finder.step(forward, edge[0] if edge else self._store.first)
        if found is None:
            return False
        row, top, height = self._layout.row_of(found), self.scroll_offset.y, self.size.height
        self.follow = False
        if not top <= row < top + height - 1:
            self._scroll(max(0, row - height // 2))
        self._tell()
        return True

    # -- Textual's events

    async def _on_key(self, event: events.Key) -> None:
        if self._prompt is not None:
            _take(event)
            self._prompt.key(event)
            self._prompted()
            return
        name = event.character if event.character and event.is_printable else event.key
        act = self._act_of(event) if self._act_of is not None else None
        if act == "log_next" and name.isupper():
            act = "log_previous"
        if self.act(act or KEYS.get(name, "")):
            _take(event)

    def _on_paste(self, event: events.Paste) -> None:
        if self._prompt is not None:
            _take(event)
            self._prompt.insert(event.text)
            self._prompted()

    def _prompted(self) -> None:
        """After a change of the prompt: the count is live, escape takes the search back."""
        prompt = self._prompt
        if prompt is None:
            return
        if prompt.done is not None:
            self._prompt = None
        if prompt.done is False:
            self._search("", keep=False)
        elif prompt.text != self._finder.text:
            self._search(prompt.text, keep=prompt.sign == "&")
        if prompt.done and prompt.sign == "/":
            self._step(True)
        self._tell()

    # -- painting

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.size.width
        if self._prompt is not None and y == self.size.height - 1:
            return self._prompt_line(width)
        if not self._layout.rows:
            return self._blank_line(y, width)
        place = self._layout.at(y + self.scroll_offset.y)
        if place is None:
            return Strip.blank(width, self.rich_style)
        number, row = place
        line = self._store[number]
        content = lines.body(line)
        if self._finder.hits is not None:
            current = number == self._finder.current
            style = self.get_visual_style("log--current") if current else _HIT
            content = lines.highlighted(content, self._finder.hits.query, style)
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

    def _prompt_line(self, width: int) -> Strip:
        prompt = self._prompt or Prompt("")
        right = f" {self.shown}" if self._finder.hits is not None else ""
        line = Content(prompt.line(right, width)).stylize(self.get_visual_style("log--prompt"))
        return self._strip(line).adjust_cell_length(width, self.rich_style)

    def _blank_line(self, y: int, width: int) -> Strip:
        words = self._state
        if len(self._store):
            words = f"0 of {len(self._store)} lines match; & shows all."
        if y or not words:
            return Strip.blank(width, self.rich_style)
        return self._strip(Content(" " + words)).adjust_cell_length(width, self.rich_style)


def _take(event: events.Event) -> None:
    event.stop()
    event.prevent_default()
