"""The first screen: the jar and the ways to a first image, the one that works now preselected."""

from __future__ import annotations

from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, cut, join, wrap

CHOICES: Final = (
    ("image_pull", "Pull an image", "from a registry: nginx, alpine …"),
    ("image_load", "Load a file", "made by save, here or by Docker"),
    ("image_starter", "Starter image", "of this machine, no network"),
)
_TITLE: Final = 15
_WHAT: Final = max(len(what) for _, _, what in CHOICES) + 1

_SHADES: Final = ("#825436", "#6d472b", "#583721")
_WIDE: Final = 20
_JAR: Final = (
    # left edge, right edge and shade of each half row
    (4, 16, 0), (4, 16, 1), (4, 16, 1), (5, 15, 2), (5, 15, 2), (4, 16, 0),
    (3, 17, 0), (2, 18, 0), (1, 19, 0), (1, 19, 1), (0, 20, 1), (0, 20, 1),
    (0, 20, 1), (0, 20, 1), (0, 20, 1), (0, 20, 1), (0, 20, 1), (1, 19, 2),
    (1, 19, 2), (2, 18, 2), (2, 18, 2), (3, 17, 2), (3, 17, 2), (4, 16, 2),
)  # fmt: skip
_STROKE: Final = {11: ((2, 4), (6, 8), (10, 12), (14, 16)), 12: ((4, 6), (8, 10), (12, 14), (16, 18))}


def jar() -> list[Content]:
    """The jar in half blocks: one line shows two half rows, the upper one as foreground."""
    lines = []
    for top in range(0, len(_JAR), 2):
        parts: list[tuple[str, str]] = []
        for x in range(_WIDE):
            upper, lower = _shade(top, x), _shade(top + 1, x)
            if upper and lower:
                parts.append(("▀", f"{upper} on {lower}"))
            elif upper or lower:
                parts.append(("▀" if upper else "▄", upper or lower))
            else:
                parts.append((" ", ""))
        lines.append(join(*parts))
    return lines


def _shade(row: int, x: int) -> str:
    left, right, shade = _JAR[row]
    if not left <= x < right:
        return ""
    if any(a <= x < b for a, b in _STROKE.get(row, ())):
        return "$accent"
    return _SHADES[shade]


def lines(chosen: int, keys: tuple[str, ...], glyphs: Glyphs, width: int, height: int) -> list[Content]:
    """The whole screen; `keys` are those of `CHOICES`, `chosen` is preselected."""
    room = max(width - 2, 1)
    text = join(("No containers yet.", "bold"), " A container starts from an image; get one first.")
    table = [_choice(n, n == chosen, keys[n], glyphs, room) for n in range(len(CHOICES))]
    block = max(line.cell_length for choice in table for line in choice)
    body = [*_centred(text, width), EMPTY]
    for n, choice in enumerate(table):
        for line in choice:
            padded = line.pad_right(block - line.cell_length)
            body.append(_indent(padded.stylize("on $cursor") if n == chosen else padded, width))
        body.append(EMPTY)
    note = join(
        (keys[-1], "bold $accent"), (" needs nothing but this machine, so it is the quickest way.", "$muted")
    )
    body += _centred(note, width)
    picture: list[Content] = []
    if height >= len(body) + len(_JAR) // 2 + 2 and width >= _WIDE and glyphs.heavy == "━":
        picture = [_indent(line, width) for line in jar()] + [EMPTY]
    top = max((height - len(body) - len(picture)) // 2, 0)
    return [EMPTY] * top + picture + body


def _centred(text: Content, width: int) -> list[Content]:
    return [_indent(line, width) for line in wrap(text, max(width - 2, 1))]


def _indent(line: Content, width: int) -> Content:
    return join(" " * max((width - line.cell_length) // 2, 1), line)


def _choice(number: int, chosen: bool, key: str, glyphs: Glyphs, room: int) -> list[Content]:
    """A choice in one line, or in two where its explanation does not fit beside its name."""
    _, title, what = CHOICES[number]
    head = join((glyphs.cursor if chosen else " ", "$accent"), " ", (key, "bold $accent"), "  ")
    if head.cell_length + _TITLE + _WHAT <= room:
        return [join(head, (title.ljust(_TITLE), "bold"), (what.ljust(_WHAT), "$muted"))]
    return [join(head, (title, "bold")), cut(join(" " * head.cell_length, (what, "$muted")), room)]
