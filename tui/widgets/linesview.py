"""A page of finished lines that scrolls: config, isolation, layers, help, the output of a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.paint import strip_of

Builder = Callable[[int], Sequence[Content]]
"""Makes the lines for a width in cells."""


class LinesView(ScrollView, can_focus=True):
    """Lines made for the width at hand, and made again when that changes."""

    DEFAULT_CSS = """
    LinesView {
        width: 1fr; height: 1fr; padding: 0; background: $pane; color: $ink;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._build: Builder = lambda _width: ()
        self._lines: Sequence[Content] = ()
        self._built_for = -1

    def show(self, build: Builder, *, keep: bool = False) -> None:
        """Show other lines, from their top; `keep` stays where the reader is (the same page, newer)."""
        self._build = build
        self._built_for = -1
        if not keep:
            self.scroll_to(y=0, animate=False, immediate=True)
        self._rebuild()

    @property
    def line_count(self) -> int:
        return len(self._lines)

    @property
    def more_below(self) -> bool:
        """Something lies under the lower edge."""
        return self.scroll_offset.y + self.size.height < len(self._lines)

    def text(self) -> str:
        """Everything on the page, for copying."""
        return "\n".join(line.plain.rstrip() for line in self._lines)

    def move(self, motion: str) -> bool:
        """Do a motion of the action table."""
        page = max(self.size.height // 2, 1)
        steps = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if motion in steps:
            self.scroll_to(y=self.scroll_offset.y + steps[motion], animate=False)
        elif motion in ("first", "last"):
            self.scroll_to(y=0 if motion == "first" else len(self._lines), animate=False)
        else:
            return False
        return True

    def scroll_to_end(self) -> None:
        """Show the last line: for output that grows."""
        self.scroll_to(y=len(self._lines), animate=False)

    @property
    def _width(self) -> int:
        """What is left beside the scroll bar, which stands on the last column."""
        return self.scrollable_content_region.width

    def _rebuild(self) -> None:
        width = self._width
        if width <= 0 or width == self._built_for:
            return
        self._built_for = width
        self._lines = self._build(width)
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._rebuild()

    def notify_style_update(self) -> None:
        """Textual's hook for a change of theme."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        at, width = y + self.scroll_offset.y, self._width
        if at >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return strip_of(self._lines[at], width, self.visual_style, self.app)
