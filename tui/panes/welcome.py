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
_JAR: Final = (
    # left edge, right edge and shade of each half row; the jar is 40 half cells wide
    (8, 32, 0), (8, 32, 1), (9, 31, 1), (10, 30, 2), (10, 30, 2), (8, 32, 0),
    (6, 34, 0), (4, 36, 0), (2, 38, 0), (1, 39, 1), (0, 40, 1), (0, 40, 1),
    (0, 40, 1), (0, 40, 1), (0, 40, 1), (0, 40, 1), (1, 39, 1), (1, 39, 2),
    (2, 38, 2), (3, 37, 2), (4, 36, 2), (5, 35, 2), (6, 34, 2), (7, 33, 2),
)  # fmt: skip
_STROKE: Final = {11: ((3, 5), (9, 13), (17, 21), (25, 29), (33, 37)), 12: ((5, 9), (13, 17), (21, 25), (29, 33))}


def jar() -> list[Content]:
    """The jar in half blocks: one line shows two half rows, the upper one as foreground."""
    lines = []
    for top in range(0, len(_JAR), 2):
        parts: list[tuple[str, str]] = []
        for x in range(40):
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
    note = join((f"{keys[-1]} needs nothing but this machine, so it is the quickest way.", "$muted"))
    body.append(join(" " * max((width - note.cell_length) // 2, 1), note))
    picture: list[Content] = []
    if height >= len(body) + len(_JAR) // 2 + 2 and width >= 44 and glyphs.heavy == "━":
        picture = [join(" " * ((width - 40) // 2), line) for line in jar()] + [EMPTY]
    top = max((height - len(body) - len(picture)) // 2, 0)
    return [EMPTY] * top + picture + body


def _choice(number: int, chosen: bool, key: str, glyphs: Glyphs) -> Content:
    _, title, what = CHOICES[number]
    cursor = glyphs.cursor if chosen else " "
    return join(
        (cursor, "$accent"), " ", (key, "bold $accent"), "  ", (title.ljust(15), "bold"), (what.ljust(37), "$muted")
    )
