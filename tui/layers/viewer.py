"""What is in a file of an image: text as it is, anything else as bytes."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui.paint import EMPTY, join
from tui.safe import crop_middle, safe, safe_log, safe_plain
from tui.screens.dialog import Dialog
from tui.text import size
from tui.widgets.frame import Titles
from tui.widgets.linesview import LinesView

LIMIT: Final = 1 << 20
"""Bytes that the engine gives of one file."""

_MOST_LINES: Final = 20_000
_LONGEST: Final = 4096  # bytes of one line that are shown
_ROW: Final = 16
_MOVES: Final = {
    "j": "down",
    "down": "down",
    "k": "up",
    "up": "up",
    "g": "first",
    "G": "last",
    "home": "first",
    "end": "last",
    "ctrl+d": "page_down",
    "pagedown": "page_down",
    "space": "page_down",
    "ctrl+u": "page_up",
    "pageup": "page_up",
}


class Viewer(Dialog[None]):
    """A file on the whole screen."""

    WIDTH = 196

    def __init__(self, image: str, path: str, data: bytes) -> None:
        super().__init__()
        self._image = image
        self._path = path
        self._text = b"\0" not in data[:8192]
        self._taken = len(data)
        self._lines = text_lines(data) if self._text else hex_lines(data)

    def box_titles(self) -> Titles:
        width = max(min(self.WIDTH, self.app.size.width) - 40, 16)
        left = join((crop_middle(safe_plain(self._path), width), "bold $focus"), (" · ", "$muted"))
        kind = "text" if self._text else "bytes"
        cut = self._taken >= LIMIT
        told = f"the first {size(LIMIT)}" if cut else f"{size(self._taken)} of {kind}"
        return Titles(
            left + safe(self._image, style="$muted"), join((told, "$muted")), EMPTY, join(("esc closes", "$muted"))
        )

    def parts(self) -> list[Widget]:
        page = LinesView(id="content")
        page.styles.background = "transparent"
        return [page]

    def on_mount(self) -> None:
        page = self.query_one("#content", LinesView)
        page.styles.height = max(self.app.size.height - 6, 5)
        page.show(lambda _width: self._lines or [join(("It is empty.", "$muted"))])
        page.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#content", LinesView).styles.height = max(event.size.height - 6, 5)

    def pressed(self, event: events.Key) -> None:
        event.stop()
        if event.key in _MOVES:
            self.query_one("#content", LinesView).move(_MOVES[event.key])
        elif event.key in ("escape", "q", "enter"):
            self.dismiss(None)


def text_lines(data: bytes) -> list[Content]:
    """A text with the numbers of its lines."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    cells = len(str(len(lines)))
    shown = [
        join((f"{number:>{cells}}  ", "$muted")) + safe_log(line[:_LONGEST])
        for number, line in enumerate(lines[:_MOST_LINES], 1)
    ]
    if len(lines) > _MOST_LINES:
        shown.append(join((f"and {len(lines) - _MOST_LINES:,} more lines", "$muted")))
    return shown


def hex_lines(data: bytes) -> list[Content]:
    """Bytes as hexadecimal numbers and as the letters among them."""
    shown = []
    for at in range(0, min(len(data), _ROW * _MOST_LINES), _ROW):
        row = data[at : at + _ROW]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        shown.append(join((f"{at:08x}  ", "$muted"), f"{row.hex(' '):<47}", "  ", (letters, "$accent2")))
    if len(data) > _ROW * _MOST_LINES:
        shown.append(join(("and so on", "$muted")))
    return shown
