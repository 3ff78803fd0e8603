"""From rows to Textual strips, in the container's own colours."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.terminal import attrs, widths
from tui.terminal.attrs import Attr
from tui.terminal.cells import Row, Run

# Joiners, selectors, bidirectional controls and their like: the outer terminal must not act on them, and it
# would measure the clusters they build differently from the program inside.
_FORMATTING: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


class Painter:
    """Paints rows over `base`, the pane's own style, which stands for the terminal's default colours."""

    def __init__(self, base: Style, *, reverse: bool = False) -> None:
        self.base = base + Style(reverse=True) if reverse else base
        self.reverse = reverse

    def row(self, row: Row, columns: int) -> Strip:
        """The strip of a row, from its cache where possible."""
        cached = row.strip
        if cached is not None and cached[0] is self and cached[1] == columns:
            strip: Strip = cached[2]
            return strip
        strip = self.runs(row.runs(), columns)
        row.strip = (self, columns, strip)
        return strip

    def runs(self, runs: list[Run], columns: int) -> Strip:
        """The strip of some runs, cut or padded to `columns`."""
        segments: list[Segment] = []
        used = 0
        for run in runs:
            text = run.text if run.text.isascii() else _measured(run)
            segments.append(Segment(text, self.style(run.attr)))
            used += run.cells
        if used < columns:
            segments.append(Segment(" " * (columns - used), self.base))
        strip = Strip(segments, max(used, columns))
        return strip if used <= columns else strip.crop(0, columns)

    def words(self, text: str, columns: int) -> Strip:
        """A line of our own."""
        line = Strip([Segment(text, self.base + Style(bold=True, reverse=not self.reverse))])
        return line.adjust_cell_length(columns, self.base)

    def marked(self, strip: Strip, start: int, end: int) -> Strip:
        """`strip` with the cells from `start` to `end` in reverse."""
        before, inside, after = strip.divide([start, end, strip.cell_length])
        turned = [
            Segment(text, (style or self.base) + Style(reverse=not (style or self.base).reverse))
            for text, style, _control in inside
        ]
        return Strip.join([before, Strip(turned, inside.cell_length), after])

    def style(self, attr: Attr) -> Style:
        """The style of an attribute over the base, cached in the attribute."""
        cached = attr.style
        if cached is None or cached[0] is not self:
            cached = attr.style = (self, self._style(attr))
        style: Style = cached[1]
        return style

    def _style(self, attr: Attr) -> Style:
        flags = attr.flags
        if attr is attrs.PLAIN:
            return self.base
        return self.base + Style(
            color=_colour(attr.fg),
            bgcolor=_colour(attr.bg),
            bold=True if flags & attrs.BOLD else None,
            dim=True if flags & attrs.DIM else None,
            italic=True if flags & attrs.ITALIC else None,
            underline=True if flags & attrs.UNDERLINE else None,
            underline2=True if flags & attrs.DOUBLE_UNDERLINE else None,
            blink=True if flags & attrs.BLINK else None,
            reverse=bool(flags & attrs.REVERSE) != self.reverse,
            conceal=True if flags & attrs.CONCEAL else None,
            strike=True if flags & attrs.STRIKE else None,
            overline=True if flags & attrs.OVERLINE else None,
        )


def _colour(colour: int) -> Color | None:
    if colour == attrs.DEFAULT:
        return None
    if colour & attrs.RGB:
        return Color.from_rgb(colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    return Color.from_ansi(colour)


def _measured(run: Run) -> str:
    """The text of a run such that Textual measures exactly its cells."""
    text = _FORMATTING.sub("", run.text)
    if cell_len(text) == run.cells:
        return text
    # the tables of both sides differ somewhere: show what they agree on
    fixed = "".join(char if cell_len(char) == widths.width(char) else "?" * widths.width(char) for char in text)
    return fixed if cell_len(fixed) == run.cells else "?" * run.cells
