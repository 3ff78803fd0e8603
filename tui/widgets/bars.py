"""The rows of one line at the top and the bottom: header, banner, list tabs, command line, footer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.paint import EMPTY, ends, join, strip_of


class Bar(Widget):
    """One line: `left` and `right` at its two ends."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; background: $bg; color: $ink; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._left: Content = EMPTY
        self._right: Content = EMPTY

    def show(self, left: Content, right: Content = EMPTY) -> None:
        """Replace what is written."""
        if (left, right) != (self._left, self._right) or (left.spans, right.spans) != (
            self._left.spans,
            self._right.spans,
        ):
            self._left, self._right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = join(" ", ends(self._left, self._right, max(width - 2, 0)), " ")
        return strip_of(line, width, self.visual_style, self.app)


@dataclass(frozen=True, slots=True)
class Hint:
    """A key and what it does, with the action a click does."""

    key: str
    verb: str
    action: str = ""


class Hints(Bar):
    """The footer: key and verb pairs; a click does what the key does."""

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._spots: list[tuple[int, int, str]] = []
        self._hints: tuple[Hint, ...] = ()
        self._tails: tuple[Content, ...] = ()
        self.help_key: Callable[[], str] = lambda: "?"
        """The key that shows the rest."""

    def show_hints(self, hints: Sequence[Hint], tails: Sequence[Content] = ()) -> None:
        """Show as many as fit, the first ones first. The first of `tails` that leaves room for all of them
        stands at the right end; without tails a `? more` does where hints are left out."""
        self._hints, self._tails = tuple(hints), tuple(tails)
        self._fill()

    def _fill(self) -> None:
        width = max(self.size.width - 2, 0)
        parts, spots = self._fitting(width)
        used = sum(part.cell_length for part in parts)
        tail = next((tail for tail in self._tails if used + 2 + tail.cell_length <= width), EMPTY)
        if not self._tails and len(spots) < len(self._hints):
            key = self.help_key()
            tail = join((key, "bold $accent"), (" more", "$muted"))
            parts, spots = self._fitting(width - tail.cell_length - 2)
            spots.append((width + 1 - tail.cell_length, width + 1, "help"))
        self._spots = spots
        self.show(join(*parts), tail)

    def _fitting(self, width: int) -> tuple[list[Content], list[tuple[int, int, str]]]:
        parts: list[Content] = []
        spots: list[tuple[int, int, str]] = []
        used = 0
        for hint in self._hints:
            piece = join((hint.key, "bold $accent"), (f" {hint.verb}", "$muted"))
            gap = 2 if parts else 0
            if used + gap + piece.cell_length > width:
                break
            parts.append(join(" " * gap, piece))
            spots.append((used + gap + 1, used + gap + 1 + piece.cell_length, hint.action))
            used += gap + piece.cell_length
        return parts, spots

    def on_resize(self, event: events.Resize) -> None:
        self._fill()

    def on_click(self, event: events.Click) -> None:
        for start, end, action in self._spots:
            if action and start <= event.x < end:
                self.post_message(self.Pressed(action))
