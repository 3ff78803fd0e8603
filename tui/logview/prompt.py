"""The one-line prompt of a log, drawn by the log view itself: the keyboard never goes elsewhere."""

from __future__ import annotations

from typing import Final

from textual import events

from tui.safe import cell_width, crop_end, safe_plain

_MOST: Final = 200
_LABELS: Final = {"@": "go to (12:03, 10m, 2026-11-23 12:03) ", "S": "save as "}


class Prompt:
    """`sign` is what is asked for: `/` search, `&` keep only, `@` a time, `S` a file. `text` grows as keys come."""

    def __init__(self, sign: str, text: str = "") -> None:
        self.sign = sign
        self.text = text
        self.done: bool | None = None  # True accepted, False given up

    @property
    def searches(self) -> bool:
        """Whether what is typed is a pattern."""
        return self.sign in "/&"

    def key(self, event: events.Key) -> None:
        """One key: a character, backspace, ctrl-u, enter or escape; all else does nothing."""
        if event.key == "enter":
            self.done = True
        elif event.key == "escape":
            self.done = False
        elif event.key == "backspace":
            if not self.text:
                self.done = False
            self.text = self.text[:-1]
        elif event.key == "ctrl+u":
            self.text = ""
        elif event.character and event.is_printable:
            self.insert(event.character)

    def insert(self, text: str) -> None:
        """Typed or pasted text; control characters in it are shown, not obeyed."""
        self.text = (self.text + safe_plain(text))[:_MOST]

    def line(self, right: str, width: int) -> str:
        """The prompt as one line of about `width` cells, `right` at its end."""
        room = max(width - cell_width(right) - 1, 1)
        left = crop_end(_LABELS.get(self.sign, self.sign) + self.text, room)
        return left + "▏" + " " * (room - cell_width(left)) + right
