"""The one-line prompt of a search, drawn by the log view itself: the keyboard never goes elsewhere."""

from __future__ import annotations

from textual import events

from tui.safe import cell_width, crop_end, safe_plain

_MOST: int = 200


class Prompt:
    """`sign` is what is asked for: `/` search, `&` keep only. `text` grows as keys come."""

    def __init__(self, sign: str, text: str = "") -> None:
        self.sign = sign
        self.text = text
        self.done: bool | None = None  # True accepted, False given up

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
        left = crop_end(self.sign + self.text, room)
        return left + "▏" + " " * (room - cell_width(left)) + right
