"""From rows to Textual strips, in the container's own colours."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.terminal import attrs, widths
from tui.terminal.attrs import Attr
from tui.terminal.cells import Row, Run
from tui.terminal.colours import BACKGROUND, FOREGROUND, Palette

# Joiners, selectors, bidirectional controls and their like: the outer terminal must not act on them, and it
# would measure the clusters they build differently from the program inside.
_FORMATTING: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)

_MODIFIERS: Final = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # the colours of skin

_SPELLED: Final = (
    (attrs.CURLY_UNDERLINE, "4:3"),
    (attrs.DOTTED_UNDERLINE, "4:4"),
    (attrs.DASHED_UNDERLINE, "4:5"),
)
_KINDS: Final = attrs.CURLY_UNDERLINE | attrs.DOTTED_UNDERLINE | attrs.DASHED_UNDERLINE


class Painter:
    """Paints rows over `base`, the pane's own style, which stands for the terminal's default colours."""

    def __init__(self, base: Style, *, reverse: bool = False, palette: Palette | None = None) -> None:
        self.palette = palette or Palette({})
        own = Style(color=self._dynamic(FOREGROUND), bgcolor=self._dynamic(BACKGROUND))
        self.base = base + own + Style(reverse=True) if reverse else base + own
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
        style = self.base + Style(
            color=self._colour(attr.fg),
            bgcolor=self._colour(attr.bg),
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
            link=attr.link or None,
        )
        if flags & _KINDS or attr.line != attrs.DEFAULT:
            return _underlined(style, attr)
        return style

    def _dynamic(self, number: int) -> Color | None:
        colour = self.palette.dynamic(number)
        return None if colour is None else _rgb(colour)

    def _colour(self, colour: int) -> Color | None:
        if colour == attrs.DEFAULT:
            return None
        if colour & attrs.RGB:
            return _rgb(colour)
        changed = self.palette.indexed(colour)
        return Color.from_ansi(colour) if changed is None else _rgb(changed)


def _rgb(colour: int) -> Color:
    return Color.from_rgb(colour >> 16 & 255, colour >> 8 & 255, colour & 255)


def _underlined(style: Style, attr: Attr) -> Style:
    """Rich knows one underline and a double one: what else there is, is put into the codes that it has made."""
    kind = next((kind for flag, kind in _SPELLED if attr.flags & flag), "")
    codes = [code for code in style._make_ansi_codes(ColorSystem.TRUECOLOR).split(";") if code]
    if kind and "4" in codes:
        codes[codes.index("4")] = kind
    if attr.line & attrs.RGB and attr.line != attrs.DEFAULT:
        codes.append(f"58:2::{attr.line >> 16 & 255}:{attr.line >> 8 & 255}:{attr.line & 255}")
    elif attr.line != attrs.DEFAULT:
        codes.append(f"58:5:{attr.line}")
    own = style.copy()  # sums of styles are shared
    own._ansi = ";".join(codes)
    return own


def _measured(run: Run) -> str:
    """The text of a run such that Textual measures exactly its cells."""
    text = _FORMATTING.sub("", run.text)
    if cell_len(text) == run.cells:
        return text
    # the tables of both sides differ somewhere: show what they agree on
    fixed = "".join(char if cell_len(char) == widths.width(char) else _stand_in(char) for char in text)
    return fixed if cell_len(fixed) == run.cells else "?" * run.cells


def _stand_in(char: str) -> str:
    """Emoji modifiers colour what is before them where a terminal joins them; where not, they take two cells."""
    return (" " if char in _MODIFIERS else "?") * widths.width(char)
