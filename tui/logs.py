"""Reads the engine's log stream: lines with a time in front, of two outputs or of one terminal."""

from __future__ import annotations

import calendar
import time
from functools import lru_cache
from typing import Final, Literal

Stream = Literal["stdout", "stderr"]

_MOST_PENDING: Final = 1 << 20  # bytes of a line that has not ended yet


class LogReader:
    """Cuts pieces into lines. A time that cannot be read stays a part of its line."""

    def __init__(self) -> None:
        self._pending: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

    def feed(self, stream: Stream, data: bytes) -> list[tuple[int | None, bytes]]:
        """The whole lines that `data` completes, as (nanoseconds since the epoch, line with its newline)."""
        *whole, rest = (self._pending[stream] + data).split(b"\n")
        if len(rest) > _MOST_PENDING:
            whole.append(rest)
            rest = b""
        self._pending[stream] = rest
        return [_timed(line + b"\n") for line in whole]


def _timed(line: bytes) -> tuple[int | None, bytes]:
    stamp, blank, text = line.partition(b" ")
    time_ns = nanoseconds(stamp) if blank and stamp.endswith(b"Z") else None
    return (None, line) if time_ns is None else (time_ns, text)


def nanoseconds(stamp: bytes) -> int | None:
    """`2026-11-23T18:10:57.279947561Z`"""
    if len(stamp) < 20 or len(stamp) > 30:
        return None
    seconds, fraction = _seconds(stamp[:19]), stamp[20:-1]
    if seconds is None or (fraction and not fraction.isdigit()):
        return None
    return seconds * 1_000_000_000 + int((fraction or b"0").ljust(9, b"0")[:9])


@lru_cache(64)
def _seconds(stamp: bytes) -> int | None:
    """Lines of one second share their first nineteen characters."""
    try:
        return calendar.timegm(time.strptime(stamp.decode("ascii"), "%Y-%m-%dT%H:%M:%S"))
    except (ValueError, UnicodeDecodeError):
        return None
