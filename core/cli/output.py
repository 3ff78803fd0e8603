"""Tables and lines. What comes from an engine may hold anything, and a terminal must not obey it."""

from __future__ import annotations

import sys

from core.cli import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

_MIN_WIDTH, _PADDING = 10, 3

# C0 as its control pictures, DEL and C1 as what they are not
_CONTROLS: dict[int, int] = {code: 0x2400 + code for code in range(0x20)}
_CONTROLS |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD), 0x2028: 0xFFFD, 0x2029: 0xFFFD}
_CONTROLS |= dict.fromkeys(
    (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F), 0xFFFD
)  # bidi controls
_IN_LINES = {code: symbol for code, symbol in _CONTROLS.items() if code not in (0x09, 0x0A)}


def shown(text: str, stream: TextIO | None = None) -> str:
    """`text` as it may go to `stream` (default stdout): controls but tab and newline as symbols on a terminal."""
    stream = sys.stdout if stream is None else stream
    return text.translate(_IN_LINES) if stream.isatty() else text


def line(text: str) -> None:
    """One line of foreign text on stdout."""
    print(shown(text))


def text(whole: str) -> None:
    """Foreign lines on stdout."""
    sys.stdout.write(shown(whole))


def table(
    headers: Sequence[str] | None,
    rows: Iterable[Sequence[str]],
    *,
    min_width: int = _MIN_WIDTH,
    padding: int = _PADDING,
) -> str:
    """Columns as Go's text/tabwriter(min_width, 1, padding, ' ') lays them out; the last is not padded."""
    cells = [list(headers)] if headers is not None else []
    cells += [[cell.translate(_CONTROLS) if sys.stdout.isatty() else cell for cell in row] for row in rows]
    if not cells:
        return ""
    widths = [0] * max(map(len, cells))
    for row in cells:
        for at, cell in enumerate(row[:-1]):
            widths[at] = max(widths[at], min_width, words.cells(cell) + padding)
    lines = []
    for row in cells:
        padded = [cell + " " * (width - words.cells(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("".join([*padded, *row[-1:]]))
    return "\n".join(lines) + "\n"


def print_json(value: object) -> None:
    """`value` indented by four spaces, as inspect prints it."""
    import json

    line(json.dumps(value, indent=4, ensure_ascii=False))
