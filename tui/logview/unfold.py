"""A log line that is a JSON object, unfolded in place: its keys and values over as many rows as they need."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from textual.content import Content
from textual.style import Style

from tui.safe import cell_width, crop_end, safe_plain

_MOST: Final = 200  # fields
_INDENT: Final = 4
_LONGEST: Final = 65536


@lru_cache(512)
def fields(data: bytes) -> tuple[tuple[str, str], ...] | None:
    """The keys and values of a line that is one JSON object, as they are shown; None where it is not."""
    text = data.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")) or len(text) > _LONGEST:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return tuple((safe_plain(str(key)), _shown(value)) for key, value in list(found.items())[:_MOST])


def _shown(value: object) -> str:
    if isinstance(value, str):
        return safe_plain(value)
    return safe_plain(json.dumps(value, ensure_ascii=False))


def unfolded(pairs: tuple[tuple[str, str], ...], width: int, mark: str, key: Style) -> list[Content]:
    """`▿ { level info  msg cache warmed` and what follows, in rows of at most `width` cells."""
    rows: list[Content] = []
    row, used = Content(f"{mark} {{ "), _INDENT
    for name, value in pairs:
        room = max(width - _INDENT - 2, 8)
        name = crop_end(name, room // 2)
        value = crop_end(value, max(room - cell_width(name) - 1, 4))
        cells = cell_width(name) + 1 + cell_width(value) + 2
        if used > _INDENT and used + cells > width:
            rows.append(row)
            row, used = Content(" " * _INDENT), _INDENT
        row += Content(name).stylize(key) + Content(f" {value}  ")
        used += cells
    return [*rows, row + Content("}")]
