"""The tab row of the detail: the active one is accent, bold and underlined with a heavy line."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.paint import EMPTY, ends, join, strip_of

_GAP = 3


class TabRow(Widget):
    """Names side by side; `line` adds the underline row."""

    DEFAULT_CSS = """
    TabRow { height: 1; width: 1fr; background: $pane; color: $ink; }
    TabRow.-line { height: 2; }
    """

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.names: tuple[str, ...] = ()
        self.active = ""
        self.hint: Content = EMPTY
        self._notes: dict[str, Content] = {}

    def show(self, names: Sequence[str], active: str) -> None:
        """Other tabs, or another active one."""
        if (tuple(names), active) != (self.names, self.active):
            self.names, self.active = tuple(names), active
            self.refresh()

    def note(self, name: str, mark: Content) -> None:
        """Write a mark behind a tab's name: `Terminal ● 3`."""
        if self._notes.get(name) != mark:
            self._notes[name] = mark
            self.refresh()

    def _pieces(self) -> list[tuple[str, Content, int]]:
        """Name, what is written, and where it begins."""
        at, found = 1, []
        for name in self.names:
            style = "bold $accent" if name == self.active else "$muted"
            mark = self._notes.get(name, EMPTY)
            piece = join((name, style), " " if mark else "", mark)
            found.append((name, piece, at))
            at += piece.cell_length + _GAP
        return found

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        pieces = self._pieces()
        if y == 0:
            left = Content(" " * _GAP).join([piece for _, piece, _ in pieces])
            right = join(("[ ]", "$muted"), "  ") if len(pieces) > 1 else EMPTY
            return self._strip(join(" ", ends(left, right, max(width - 1, 0))), width)
        rule, heavy = ("-", "=") if self.app.has_class("-ascii") else ("─", "━")
        line = join((rule * width, "$line"))
        for name, piece, at in pieces:
            if name == self.active:
                cells = piece.cell_length
                line = join(
                    (rule * at, "$line"), (heavy * cells, "$accent"), (rule * max(width - at - cells, 0), "$line")
                )
        return self._strip(line, width)

    def _strip(self, content: Content, width: int) -> Strip:
        return strip_of(content, width, self.visual_style, self.app)

    def on_click(self, event: events.Click) -> None:
        for name, piece, at in self._pieces():
            if at <= event.x < at + piece.cell_length:
                self.post_message(self.Picked(name))
