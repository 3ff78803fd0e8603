"""Moments as a reader types them, to go to in a log."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

_SPAN: Final = re.compile(r"-?\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)(?:\s*ago)?")
_CLOCK: Final = re.compile(r"(?:(\d{4}-\d{1,2}-\d{1,2})[ T]+)?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def moment(text: str, now_ns: int, zone: tzinfo | None = None) -> int | None:
    """`12:03`, `12:03:31.5`, `2026-11-23 12:03`, `10m` (before now) as nanoseconds since the epoch; None = neither.

    A clock time without a date is the last one there was before now.
    """
    text = text.strip()
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_ns - int(float(span[1]) * _SECONDS[span[2]] * 1e9)
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    now = datetime.fromtimestamp(now_ns / 1e9, zone).astimezone(zone)
    try:
        day = datetime.strptime(match[1], "%Y-%m-%d") if match[1] else now
        then = now.replace(
            year=day.year, month=day.month, day=day.day,
            hour=int(match[2]), minute=int(match[3]), second=int(match[4] or 0), microsecond=0,
        )  # fmt: skip
    except (ValueError, OverflowError):
        return None
    if not match[1] and then > now:
        then -= timedelta(days=1)
    return int(then.timestamp()) * 10**9 + int((match[5] or "0").ljust(9, "0"))
