"""Ids, names and moments as Docker shortens and words them. Pure."""

from __future__ import annotations

import time

from core.wire.durations import human_duration

SHORT_ID = 12


def short_id(text: str) -> str:
    """The first 12 digits, without the algorithm."""
    return text.rpartition(":")[2][:SHORT_ID]


def ellipsis(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut with `…`."""
    if len(text) <= width and text.isascii():
        return text
    if cells(text) <= width:
        return text
    used = 0
    for at, char in enumerate(text):
        used += cells(char)
        if used > width - 1:
            return text[:at] + "…"
    return text


def cells(text: str) -> int:
    """How many cells of a terminal `text` takes: CJK takes two each, combining marks none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def ago(seconds: float, now: float | None = None) -> str:
    """`3 hours ago` of a moment in seconds since the epoch."""
    return f"{human_duration((time.time() if now is None else now) - seconds)} ago"


def calendar(seconds: float) -> str:
    """`2026-11-25 13:22:12 +0000 UTC` in local time, as Go prints a time."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def rfc3339(seconds: float, fraction: str = "") -> str:
    """`2026-11-25T13:22:12Z` in local time."""
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    zone = "Z" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:]}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{fraction}{zone}"


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
