"""Moments as filters name them: `until=10m`, a time stamp, a date."""

from __future__ import annotations

import re
import time

from core.wire.codec import parse_timestamp

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)")
_NANOSECONDS = {"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}


def moment(text: str) -> int:
    """Nanoseconds since the epoch of `1h30m` (ago), a time stamp or a date. Raises InvalidArgument."""
    if _DURATION.fullmatch(text):
        return time.time_ns() - int(sum(float(count) * _NANOSECONDS[unit] for count, unit in _PART.findall(text)))
    return parse_timestamp(text)
