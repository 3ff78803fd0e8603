"""Ids, names and moments as Docker shortens and words them. Pure."""

from __future__ import annotations

import time
import unicodedata

from core.cli import units

SHORT_ID = 12


def short_id(text: str) -> str:
    """The first 12 digits, without the algorithm."""
    return text.rpartition(":")[2][:SHORT_ID]


def ellipsis(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut with `…`."""
    if len(text) <= width and text.isascii():
        return text
    cells = [2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text]
    if sum(cells) <= width:
        return text
    used = 0
    for at, cell in enumerate(cells):
        if used + cell > width - 1:
            return text[:at] + "…"
        used += cell
    return text


def ago(seconds: float, now: float | None = None) -> str:
    """`3 hours ago` of a moment in seconds since the epoch."""
    return f"{units.human_duration((time.time() if now is None else now) - seconds)} ago"


def calendar(seconds: float) -> str:
    """`2026-11-25 13:22:12 +0000 UTC` in local time, as Go prints a time."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def epoch(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    from core.cli import values

    try:
        return float(values.moment(text) or 0)
    except ValueError:
        return 0.0


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key in which `v2` comes before `v10`."""
    import re

    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def quoted(text: str) -> str:
    """A command in double quotes, controls escaped, as Go's strconv.Quote."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    from core.cli.template.functions import quoted as quote

    return quote(text)
