"""The widget: a log that can be searched, filtered, copied and saved without the keyboard going anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from textual import events
from textual.content import Content
from textual.strip import Strip

from tui.logview.moments import moment
from tui.logview.page import SIDEWAYS
from tui.logview.prompt import Prompt
from tui.logview.reading import LogReading
from tui.logview.saving import save
from tui.logview.unfold import fields
from tui.safe import safe_plain
from tui.terminal import clipboard

KEYS: Final = {
    "/": "log_search", "&": "log_keep", "!": "log_invert", "n": "log_next", "N": "log_previous",
    "f": "log_follow", "w": "log_wrap", "t": "log_time", "j": "down", "down": "down", "k": "up", "up": "up",
    "g": "first", "home": "first", "G": "last", "end": "last", "ctrl+d": "page_down", "pagedown": "page_down",
    "ctrl+u": "page_up", "pageup": "page_up", "escape": "log_clear", "left": "left", "right": "right",
    "m": "log_mute", "M": "log_solo", "v": "log_select", "y": "log_copy", "S": "log_save", "@": "log_jump",
    "x": "log_unfold", "enter": "log_unfold_one", "X": "log_wipe", "ctrl+l": "log_wipe", "{": "log_run",
}  # fmt: skip
"""Key, as its character or Textual's name, to act."""


class LogView(LogReading):
    """Ask `shown` and `mode` for the words of its border after `Changed`."""

    def __init__(self, *, act_of: Callable[[events.Key], str | None] | None = None, id: str | None = None) -> None:
        """`act_of` names the act a key means, in the words of `KEYS`, where a keymap says so."""
        super().__init__(id=id)
        self._act_of = act_of
        self._prompt: Prompt | None = None
        self._pick = ""  # "mute" or "solo" while the number of a source is awaited
        self._note = ""
        self.save_name = "onggi"
        """What a saved log is called at first."""
        self.on_heard: Callable[[], None] | None = None
        """Called when other sources are heard; None = the view leaves out the muted ones itself."""

    @property
    def foot(self) -> int:
        """The prompt, a remark, or how many lines are new."""
        return 1 if self._prompt is not None or self._note or self._pick or self.unseen else 0

    @property
    def searching(self) -> bool:
        """A search is on: there are hits to go to."""
        return self._finder.hits is not None and self._prompt is None

    def render_line(self, y: int) -> Strip:
        """One row; the last one is the prompt while there is one."""
        if self.foot and y == self.size.height - 1:
            return self._foot_line(self.cells)
        return super().render_line(y)

    def act(self, act: str) -> bool:
        """Do an act of `KEYS` or a motion of the action table; False if it is none or has no effect here."""
        todo: dict[str, Callable[[], object]] = {
            "log_search": partial(self._ask, "/"),
            "log_keep": partial(self._ask, "&"),
            "log_invert": self.invert,
            "log_next": partial(self.step, True),
            "log_previous": partial(self.step, False),
            "log_follow": partial(self._follow, not self.follow),
            "log_wrap": partial(self.toggle, "wrap"),
            "log_time": partial(self.toggle, "times"),
            "log_unfold": partial(self.toggle, "unfold"),
            "log_unfold_one": self._unfold_one,
            "log_clear": self._escape,
            "log_mute": partial(self._ask_source, "mute"),
            "log_solo": partial(self._ask_source, "solo"),
            "log_select": self.select,
            "log_copy": self._copy,
            "log_save": partial(self._ask, "S"),
            "log_jump": partial(self._ask, "@"),
            "log_wipe": self.wipe,
            "log_run": self._run,
            "left": partial(self._aside, -SIDEWAYS),
            "right": partial(self._aside, SIDEWAYS),
        }
        if act in todo:
            return todo[act]() is not False
        return self.move_cursor(act) or self.move(act)

    @property
    def command(self) -> tuple[str, ...]:
        """The words of a command that shows the same."""
        names = [self.sources.names[n] for n in self.sources.heard]
        query = self._finder.hits.query if self._finder.hits is not None else None
        if query is None or query.slow:
            return ("logs", "-f", *names)
        return ("logs", "-f", "--exclude" if query.invert else "--grep", query.pattern, *names)

    def say(self, text: str) -> None:
        """A remark in the last row, until the next key."""
        self._note = safe_plain(text)
        self._relayout(self._store.end)

    def _ask(self, sign: str) -> None:
        if sign == "&" and self._finder.keep:
            self.search("", keep=False)
            return
        text = self._finder.text if sign == "&" else f"{self.save_name}.log" if sign == "S" else ""
        self._prompt = Prompt(sign, text)
        if sign == "&" and text:
            self.search(text, keep=True)
        else:
            self._relayout(self._store.end)

    def _ask_source(self, what: str) -> bool:
        if not self.sources.many:
            return False
        self._pick = what
        self._relayout(self._store.end)
        return True

    def _picked(self, key: str) -> None:
        what, self._pick = self._pick, ""
        number = int(key) - 1 if key.isdigit() else -1
        if key in ("a", "m", "M"):
            done = self.sources.all()
        else:
            done = self.sources.mute(number) if what == "mute" else self.sources.solo(number)
        self._heard(done)

    def _heard(self, changed: bool) -> None:
        if changed and self.on_heard is not None:
            self.on_heard()
        self._relayout(None)

    def _copy(self) -> bool:
        """What the mouse or `v` has selected, onto the clipboard."""
        text = self.screen.get_selected_text() if self.text_selection is not None else self.selected_text()
        if not text:
            return False
        clipboard.copy(self.app, text)
        count = text.count("\n") + 1
        self.unselect()
        self.screen.clear_selection()
        self.say(f"copied {count:,} {'line' if count == 1 else 'lines'}")
        return True

    def _escape(self) -> bool:
        if self.unselect():
            return True
        if self._finder.hits is not None:
            self.search("", keep=False)
            return True
        return self.unwipe()

    def _unfold_one(self) -> bool:
        number = self.cursor if self.cursor is not None else self._finder.current
        return number is not None and self._unfold(number)

    def _unfold(self, number: int) -> bool:
        if fields(self._store[number].data) is None:
            return False
        self.unfolded ^= {number}
        self.follow = False
        self._relayout(None)
        return True

    def _run(self) -> bool:
        """To where the container was started last; above it stands what previous runs wrote."""
        if not self.began_ns:
            return False
        self.go_to_time(self.began_ns)
        return True

    async def _on_key(self, event: events.Key) -> None:
        self.let_go()
        if self._note:
            self._note = ""
            self._relayout(self._store.end)
        if self._prompt is not None:
            _take(event)
            self._prompt.key(event)
            self._prompted(self._prompt)
            return
        name = event.character if event.character and event.is_printable else event.key
        if self._pick:
            _take(event)
            self._picked(name)
            return
        act = self._act_of(event) if self._act_of is not None else None
        if act == "log_next" and name.isupper():
            act = "log_previous"
        if self.act(act or KEYS.get(name, "")):
            _take(event)

    def _on_paste(self, event: events.Paste) -> None:
        if self._prompt is not None:
            _take(event)
            self._prompt.insert(event.text)
            self._prompted(self._prompt)

    def on_click(self, event: events.Click) -> None:
        """A name mutes its container, a JSON line unfolds."""
        if event.y < self.head:
            _, places = self.sources.strip(self.cells, self.look, self.key_of)
            for number, (start, stop) in enumerate(places):
                if start <= event.x < stop:
                    self._heard(self.sources.solo(number) if event.shift else self.sources.mute(number))
            return
        place = self._layout.at(event.y - self.head + self.scroll_offset.y)
        if place is not None and self.text_selection is None and self.cursor is None:
            self._unfold(place[0])

    def _prompted(self, prompt: Prompt) -> None:
        """After a change of the prompt: the count is live, escape takes the search back."""
        if prompt.done is not None:
            self._prompt = None
        if prompt.searches:
            if prompt.done is False:
                self.search("", keep=False)
            elif prompt.text != self._finder.text:
                self.search(prompt.text, keep=prompt.sign == "&")
            if prompt.done and prompt.sign == "/":
                self.step(True)
        elif prompt.done and prompt.text:
            self._answered(prompt.sign, prompt.text)
        self._relayout(self._store.end)

    def _answered(self, sign: str, text: str) -> None:
        if sign == "S":
            path = Path(text).expanduser()
            numbers = self.shown_lines()
            again = self.key_of("log_save")
            self.run_worker(save(path, self._store, numbers, self.say, times=self.times, again=again), group="save")
            return
        when = moment(text, time.time_ns())
        if when is None:
            self.say(f"{text} is no time; 12:03, 12:03:31, 10m and 2026-11-23 12:03 are")
        else:
            self.go_to_time(when)

    def _foot_line(self, width: int) -> Strip:
        if self._prompt is not None:
            right = f" {self.shown}" if self._finder.hits is not None and self._prompt.searches else ""
            words = self._prompt.line(right, width)
        elif not (self._pick or self._note):
            return self.news(width).adjust_cell_length(width, self.rich_style)
        elif self._pick:
            words = f"{self._pick} which? 1–{len(self.sources.names)}; a hears all"
        else:
            words = self._note
        line = Content(words).stylize(self.look("log--prompt"))
        return self._strip(line).adjust_cell_length(width, self.rich_style)


def _take(event: events.Event) -> None:
    event.stop()
    event.prevent_default()
