"""The widget: a log that can be searched and filtered without the keyboard going anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from textual import events
from textual.content import Content
from textual.strip import Strip
from textual.style import Style

from tui.logview import lines
from tui.logview.finder import Finder
from tui.logview.page import SIDEWAYS, LogPage
from tui.logview.prompt import Prompt

KEYS: Final = {
    "/": "log_search", "&": "log_keep", "!": "log_invert", "n": "log_next", "N": "log_previous",
    "f": "log_follow", "w": "log_wrap", "t": "log_time", "j": "down", "down": "down", "k": "up", "up": "up",
    "g": "first", "home": "first", "G": "last", "end": "last", "ctrl+d": "page_down", "pagedown": "page_down",
    "ctrl+u": "page_up", "pageup": "page_up", "escape": "log_clear", "left": "left", "right": "right",
}  # fmt: skip
"""Key, as its character or Textual's name, to act."""

_SLICE: Final = 0.004  # seconds of searching between two looks at the keyboard
_HIT: Final = Style(reverse=True)  # not a component class: Textual drops "reverse" from those


class LogView(LogPage):
    """Ask `shown` and `mode` for the words of its border after `Changed`."""

    def __init__(self, *, act_of: Callable[[events.Key], str | None] | None = None, id: str | None = None) -> None:
        """`act_of` names the act a key means, in the words of `KEYS`, where a keymap says so."""
        super().__init__(id=id)
        self._act_of = act_of
        self._finder = Finder(self._store)
        self._prompt: Prompt | None = None

    def shown_lines(self) -> Sequence[int]:
        """All lines, or those that match."""
        return self._finder.shown()

    def grown(self, number: int) -> None:
        """New lines may match."""
        if self._finder.hits is not None:
            self._finder.hits.changed(number)

    def emptied(self) -> None:
        """No hit is left to stand on."""
        self._finder.current = -1

    def looked_at(self) -> None:
        """Search what has come."""
        hits = self._finder.hits
        if hits is not None:
            hits.scan(_SLICE)
            if not hits.complete:
                self._search_on()

    def marked(self, number: int, content: Content) -> Content:
        """A line with its hits."""
        if self._finder.hits is None:
            return content
        style = self.get_visual_style("log--current") if number == self._finder.current else _HIT
        return lines.highlighted(content, self._finder.hits.query, style)

    def render_line(self, y: int) -> Strip:
        """One row; the last one is the prompt while there is one."""
        if self._prompt is not None and y == self.size.height - 1:
            return self._prompt_line(self.size.width)
        return super().render_line(y)

    @property
    def shown(self) -> str:
        """What is shown: `17 of 307 lines`, and how many hits a search has."""
        return self._finder.words()

    @property
    def searching(self) -> bool:
        """A search is on: there are hits to go to."""
        return self._finder.hits is not None and self._prompt is None

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
            "left": partial(self._aside, -SIDEWAYS),
            "right": partial(self._aside, SIDEWAYS),
        }
        if act in todo:
            return todo[act]() is not False
        return self.move(act)

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

    def _prompt_line(self, width: int) -> Strip:
        prompt = self._prompt or Prompt("")
        right = f" {self.shown}" if self._finder.hits is not None else ""
        line = Content(prompt.line(right, width)).stylize(self.get_visual_style("log--prompt"))
        return self._strip(line).adjust_cell_length(width, self.rich_style)


def _take(event: events.Event) -> None:
    event.stop()
    event.prevent_default()
