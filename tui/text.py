"""Figures and times as onggi writes them: short in columns, whole words in prose.

At rest sizes are binary (M = MiB), per second they are decimal (MB/s). A cpu of 100 % is one core.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

_BINARY: Final = ("B", "K", "M", "G", "T", "P")
_DECIMAL: Final = ("B", "kB", "MB", "GB", "TB")
_AGES: Final = ((60.0, 1.0, "s", "s"), (3600.0, 60.0, "m", "min"), (86400.0, 3600.0, "h", "h"))
_NEVER_YEAR: Final = "0001-"


def size(count: int) -> str:
    """`count` bytes in a column: `12 M`, `1.2 G`, `48 K`, `0 B`."""
    value, step = float(max(count, 0)), 0
    while value >= 999.5 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    digits = 1 if step >= 3 and value < 99.95 else 0
    return f"{value:.{digits}f} {_BINARY[step]}"


def size_prose(count: int) -> str:
    """`count` bytes in a sentence: `64 MiB`, `1.24 GiB`."""
    value, step = float(max(count, 0)), 0
    while value >= 999.5 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    unit = _BINARY[step] + ("iB" if step else "")
    return f"{value:.{2 if step >= 3 and value < 10 else 1 if step >= 3 else 0}f} {unit}"


def rate(per_second: float) -> str:
    """Bytes a second: `11 MB/s`, `0.4 MB/s`."""
    value, step = max(per_second, 0.0), 0
    while value >= 999.5 and step < len(_DECIMAL) - 1:
        value /= 1000
        step += 1
    return f"{value:.{1 if step and value < 9.95 else 0}f} {_DECIMAL[step]}/s"


def percent(value: float) -> str:
    """`value` in per cent: `1.2 %`, `18.4 %`, `104 %`, `1204 %`."""
    return f"{value:.{1 if value < 99.95 else 0}f} %"


def age(seconds: float) -> str:
    """A span in a column: `45s 3m 5h 2d`."""
    span = max(seconds, 0.0)
    for below, unit, short, _ in _AGES:
        if span < below:
            return f"{int(span / unit)}{short}"
    return f"{int(span / 86400)}d"


def span(seconds: float) -> str:
    """A span in prose: `45 s`, `3 min`, `5 h`, `2 d`."""
    whole = max(seconds, 0.0)
    for below, unit, _, word in _AGES:
        if whole < below:
            return f"{int(whole / unit)} {word}"
    return f"{int(whole / 86400)} d"


def ago(seconds: float) -> str:
    """`2 h ago`; what is younger than a second is `just now`."""
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def took(seconds: float) -> str:
    """How long an act took: `0.3 s`, `12 s`, `3 min`."""
    return f"{seconds:.1f} s" if seconds < 9.95 else span(seconds)


def count(number: int, word: str) -> str:
    """`1 container`, `1,204 lines`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """A moment of today by the local clock: `12:03:47`."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def day(seconds: float) -> str:
    """A date: `30 Nov`, with the year when it is not this one's."""
    then = time.localtime(seconds)
    year = "" if then.tm_year == time.localtime().tm_year else f" {then.tm_year}"
    return f"{then.tm_mday} {time.strftime('%b', then)}{year}"


def parse_time(stamp: str) -> float:
    """An RFC 3339 time with up to nine digits of fraction as seconds since the epoch; 0 = never or unreadable."""
    if not stamp or stamp.startswith(_NEVER_YEAR):
        return 0.0
    head, dot, rest = stamp.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    text = head + dot + rest[: min(digits, 6)] + rest[digits:] if dot else stamp
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
