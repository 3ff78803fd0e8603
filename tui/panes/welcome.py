"""The first screen: the jar and the ways to a first image, the one that works now preselected."""

from __future__ import annotations

from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, join

CHOICES: Final = (
    ("image_load", "Load a file", "made by save, here or by Docker"),
    ("image_import", "Import a root", "a tar of a whole file system"),
    ("image_starter", "Starter image", "from this machine, no network needed"),
)

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
    text = join(("No containers yet.", "bold"), " A container starts from an image; get one first.")
    table = [_choice(n, n == chosen, keys[n], glyphs) for n in range(len(CHOICES))]
    block = max(line.cell_length for line in [text, *table])
    pad = max((width - block) // 2, 1)
    body = [join(" " * max((width - text.cell_length) // 2, 1), text), EMPTY]
    for n, line in enumerate(table):
        style = "on $cursor" if n == chosen else ""
        padded = line.pad_right(max(block - line.cell_length, 0))
        body += [join(" " * pad, padded.stylize(style) if style else padded), EMPTY]
    note = join(
        (keys[-1], "bold $accent"), (" needs nothing but this machine, so it is the quickest way.", "$muted")
    )
    body.append(join(" " * max((width - note.cell_length) // 2, 1), note))
    picture: list[Content] = []
    if height >= len(body) + len(_JAR) // 2 + 2 and width >= _WIDE and glyphs.heavy == "━":
        picture = [join(" " * ((width - _WIDE) // 2), line) for line in jar()] + [EMPTY]
    top = max((height - len(body) - len(picture)) // 2, 0)
    return [EMPTY] * top + picture + body


def _choice(number: int, chosen: bool, key: str, glyphs: Glyphs) -> Content:
    _, title, what = CHOICES[number]
    cursor = glyphs.cursor if chosen else " "
    return join(
        (cursor, "$accent"), " ", (key, "bold $accent"), "  ", (title.ljust(15), "bold"), (what.ljust(37), "$muted")
    )
