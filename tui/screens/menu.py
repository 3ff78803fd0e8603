"""Short dialogs: pick one of a few things (the yank menu), be told something, leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui import keymaps
from tui.paint import EMPTY, join
from tui.panes.inspect import fold
from tui.safe import crop_middle, safe, safe_plain
from tui.screens.dialog import Dialog, Words, clickable
from tui.widgets.frame import Titles


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a menu, picked by its key."""

    key: str
    label: str
    value: str


class Menu(Dialog[str]):
    """Answers with the value of the item whose key is pressed."""

    WIDTH = 76

    def __init__(self, title: str, about: str, items: Sequence[Item]) -> None:
        super().__init__()
        self._title_text = title
        self._about = about
        self._items = items
        self._at = 0

    def box_titles(self) -> Titles:
        return Titles(
            join((self._title_text, "bold $focus"), " ", safe(self._about)), join(("esc closes", "$muted"))
        )

    def parts(self) -> list[Widget]:
        return [Words(self._text(), id="menu")]

    def _text(self) -> Content:
        lines = []
        room = min(self.WIDTH, self.app.size.width) - 8
        for n, item in enumerate(self._items):
            value = safe(crop_middle(safe_plain(item.value), max(room - 16, 8)), style="$muted")
            line = join(
                (f" {item.key} ", "bold $accent"), (item.label.ljust(12), "bold" if n == self._at else ""), value
            )
            line = line.pad_right(max(room - line.cell_length, 0))
            line = line.stylize("on $cursor") if n == self._at else line
            lines.append(clickable(item.key, line))
        return Content("\n").join(lines)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#menu", Static).update(self._text())

    def pressed(self, event: events.Key) -> None:
        event.stop()
        key = keymaps.pressed(event)
        if event.key == "escape":
            self.dismiss(None)
        elif event.key in ("down", "j", "up", "k"):
            step = 1 if event.key in ("down", "j") else -1
            self._at = max(0, min(self._at + step, len(self._items) - 1))
            self.query_one("#menu", Static).update(self._text())
        elif event.key == "enter" and self._items:
            self.dismiss(self._items[self._at].value)
        else:
            for item in self._items:
                if item.key == key:
                    self.dismiss(item.value)


class Notice(Dialog[None]):
    """Says something at length; any of the usual keys closes it."""

    WIDTH = 84

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title_text = title
        self._words = text

    def box_titles(self) -> Titles:
        return Titles(join((self._title_text, "bold $focus")), join(("esc closes", "$muted")))

    def parts(self) -> list[Widget]:
        lines = [
            safe(line) for raw in self._words.split("\n") for line in fold(safe_plain(raw), self.WIDTH - 8) or [""]
        ]
        return [Static(Content("\n").join(lines), id="words")]

    def pressed(self, event: events.Key) -> None:
        event.stop()
        if event.key in ("escape", "enter", "q"):
            self.dismiss(None)


class Leave(Dialog[bool]):
    """Before quitting with live sessions: which they are, and that nothing stops."""

    WIDTH = 72

    def __init__(self, sessions: Sequence[str], jobs: Sequence[str]) -> None:
        super().__init__()
        self._sessions = sessions
        self._jobs = jobs

    def box_titles(self) -> Titles:
        return Titles(join(("Quit", "bold $focus")))

    def parts(self) -> list[Widget]:
        lines: list[Content] = []
        if self._sessions:
            many = len(self._sessions)
            left = "1 live session is left" if many == 1 else f"{many} live sessions are left"
            lines.append(join((f"{left}; what runs there goes on:", "bold")))
            lines += [join("  ", ("● ", "$running"), safe(title)) for title in self._sessions]
        if self._jobs:
            lines += [EMPTY] if lines else []
            lines.append(join(("This work is cancelled:", "bold")))
            lines += [join("  ", ("◌ ", "$restarting"), safe(title)) for title in self._jobs]
        leave = clickable("enter", ("  Quit  ", "bold $on-accent on $accent"), (" q, enter", "$muted"))
        keys = join(leave, "      ", clickable("escape", "Stay", (" esc", "$muted")))
        return [Words(Content("\n").join([*lines, EMPTY, keys]), id="leave")]

    def pressed(self, event: events.Key) -> None:
        event.stop()
        if event.key in ("q", "enter"):
            self.dismiss(True)
        elif event.key == "escape":
            self.dismiss(False)
