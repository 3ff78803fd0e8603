"""Lines of the interface as `Content`: joined from parts, cut and padded by cells, turned into strips."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip

from tui.safe import cell_width, crop_end

if TYPE_CHECKING:
    from rich.style import Style as RichStyle
    from textual.app import App
    from textual.style import Style

Part = str | Content | tuple[str, str]
"""Our own literal text, a finished Content, or our own text with a style."""

EMPTY: Final = Content("")


def join(*parts: Part) -> Content:
    """One line of the parts. Text in parts is literal, never markup; foreign text comes in as Content."""
    return Content.assemble(*parts)


def fit(content: Content, width: int, *, right: bool = False) -> Content:
    """`content` as exactly `width` cells: padded, or cut at its end with an ellipsis."""
    cells = content.cell_length
    if cells > width:
        return cut(content, width)
    if right:
        return content.pad_left(width - cells)
    return content.pad_right(width - cells)


def cut(content: Content, width: int) -> Content:
    """`content` cut at its end to at most `width` cells; what was cut shows as an ellipsis."""
    if content.cell_length <= width:
        return content
    if width <= 0:
        return EMPTY
    kept = crop_end(content.plain, width)
    return content[: len(kept) - 1] + Content("…") + " " * (width - cell_width(kept))


def wrap(content: Content, width: int) -> list[Content]:
    """`content` broken at its blanks into lines of at most `width` cells; a word that is longer is cut."""
    lines: list[Content] = []
    start = end = 0
    for word in re.finditer(r"\S+", content.plain):
        if end and cell_width(content.plain[start : word.end()]) > width:
            lines.append(content[start:end])
            start = word.start()
        end = word.end()
    return [cut(line, width) for line in (*lines, content[start:end])]


def ends(left: Content, right: Content, width: int) -> Content:
    """`left` and `right` at the two ends of `width` cells; the left one gives way."""
    room = width - right.cell_length
    if room < 1:
        return fit(right, width)
    if right and left.cell_length > room - 2 > 0:
        left = cut(left, room - 2)
    return fit(left, room) + right


def strip_of(content: Content, width: int, base: Style, app: App[object]) -> Strip:
    """`content` as a strip of exactly `width` cells on the style `base`."""
    segments = [
        Segment(text, _rich(style))
        for text, style in fit(content, width).render(base, end="", parse_style=app.stylesheet.parse_style)
    ]
    return Strip(segments, width)


@lru_cache(1024)
def _rich(style: Style) -> RichStyle:
    return style.rich_style
