"""Borders with a title at both ends of both edges; Textual itself has one label an edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.paint import EMPTY, cut, join

_CORNERS = 6  # a corner, a dash and a blank at either end of an edge


@dataclass(frozen=True, slots=True)
class Titles:
    """Top left = what, top right = how it is, bottom left = what is shown, bottom right = mode."""

    top_left: Content = EMPTY
    top_right: Content = EMPTY
    bottom_left: Content = EMPTY
    bottom_right: Content = EMPTY


class Framed(Widget):
    """A bordered widget whose titles are rebuilt whenever its width, its focus or its facts change."""

    DEFAULT_CSS = """
    Framed {
        border: round $line;
        border-title-color: $muted;
        border-subtitle-color: $muted;
        background: $pane;
        color: $ink;
        &:focus, &:focus-within { border: round $focus; }
    }
    .-plain Framed:focus, .-plain Framed:focus-within { border: heavy $focus; }
    .-ascii Framed { border: ascii $line; }
    .-ascii Framed:focus, .-ascii Framed:focus-within { border: ascii $focus; }
    """

    _written: object = None
    _titling = False

    def titles(self, focused: bool) -> Titles:
        """The four titles; `focused` = the keyboard is here."""
        return Titles()

    @property
    def holds_focus(self) -> bool:
        """The keyboard is in this widget or in one of its children."""
        return self.has_focus or self.has_focus_within

    def retitle(self) -> None:
        """Rebuild the titles from `titles()`."""
        if not self.is_attached:
            return
        focused = self.holds_focus
        titles = self.titles(focused)
        width = self.outer_size.width - _CORNERS
        if width < 1:
            return
        rule = self._rule(focused)
        colour = "$focus" if focused else "$line"
        top = edge(titles.top_left, titles.top_right, width, rule, colour)
        bottom = edge(titles.bottom_left, titles.bottom_right, width, rule, colour)
        written = (top.plain, top.spans, bottom.plain, bottom.spans)
        if written == self._written:
            return
        self._written = written
        self._titling = True
        self.border_title, self.border_subtitle = top, bottom
        self._titling = False
        self.styles.border_title_align = "left" if titles.top_left else "right"
        self.styles.border_subtitle_align = "left" if titles.bottom_left else "right"

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Textual's own, but another title repaints the two edges that it stands on, not all that is framed."""
        if self._titling and not regions:
            (width, height), (left, top) = self.outer_size, self.gutter.top_left
            regions = (Region(-left, -top, width, 1), Region(-left, height - top - 1, width, 1))
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _rule(self, focused: bool) -> str:
        if self.app.has_class("-ascii"):
            return "-"
        return "━" if focused and self.app.has_class("-plain") else "─"

    def on_resize(self, event: events.Resize) -> None:
        self.retitle()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Textual's own hook: keep it, then say in the title that the keyboard came or went."""
        super().watch_has_focus(has_focus)
        self.retitle()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.call_after_refresh(self.retitle)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.call_after_refresh(self.retitle)


def edge(left: Content, right: Content, width: int, rule: str, colour: str) -> Content:
    """One edge's label: `left ──── right` in `width` cells. The left title is cut first."""
    if not left and not right:
        return EMPTY
    if not right or not left:
        return cut(left or right, width)
    room = width - right.cell_length - 2
    left = cut(left, max(room - 1, 0))
    fill = width - left.cell_length - right.cell_length - 2
    if fill < 1:
        return cut(right, width)
    return join(left, " ", (rule * fill, colour), " ", right)
