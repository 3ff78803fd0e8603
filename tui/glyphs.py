"""The marks of the interface, in Unicode and in ASCII.

Round is alive, square is at rest, a cross went wrong. The Unicode ones are all one cell wide; a terminal that
draws "ambiguous" characters two cells wide would break every column, so it gets the ASCII set.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One cell each. Health and diff marks are ASCII in both sets."""

    running: str = "●"
    paused: str = "║"
    restarting: str = "◌"
    created: str = "◦"
    exited: str = "▪"
    failed: str = "×"
    dead: str = "†"
    cursor: str = "▸"
    mark: str = "◆"
    open: str = "▿"
    closed: str = "▹"
    arrow: str = "→"
    rule: str = "─"
    heavy: str = "━"
    limit: str = "┃"
    rest: str = "·"
    checked: str = "■"
    unchecked: str = "□"
    back: str = "‹"
    block: str = "▁▂▃▄▅▆▇█"
    dot: str = "·"


UNICODE: Final = Glyphs()

ASCII: Final = Glyphs(
    running="*",
    paused="=",
    restarting="@",
    created="o",
    exited="-",
    failed="x",
    dead="#",
    cursor=">",
    mark="+",
    open="v",
    closed=">",
    arrow=">",
    rule="-",
    heavy="=",
    limit="|",
    rest=".",
    checked="X",
    unchecked="_",
    back="<",
    block="__..--##",
    dot="-",
)

HEALTH: Final = {"healthy": "+", "starting": "~", "unhealthy": "!"}
"""Stands after a container's name; no check, no mark."""

NAMES: Final = tuple(field.name for field in fields(Glyphs))

_PLAIN: Final = {
    "-": "·─▪▄▅",
    "~": "…",
    ">": "→▸▹",
    "<": "←‹",
    "^": "↑",
    "v": "↓▿",
    "*": "●",
    "@": "◌",
    "=": "║━",
    "x": "×",
    "#": "†█▇▆▀▐▌",
    "o": "◦",
    "|": "│┃▏",
    "+": "◆╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛",
    "X": "■",
    "_": "□▁▂",
    ".": "▃",
}
_TABLE: Final = {ord(wide): plain for plain, row in _PLAIN.items() for wide in row}
"""Characters of ambiguous width (UAX #11) that the interface is drawn with, or that fonts without them replace."""


class PlainMarks(LineFilter):
    """The last door before the terminal: everything of ambiguous width becomes ASCII, whoever has written it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.translate(_TABLE), style, control) for text, style, control in segments]
