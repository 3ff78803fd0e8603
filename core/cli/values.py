"""Texts of flags as values: sizes, numbers, durations, moments. Each raises ValueError with Docker's words."""

from __future__ import annotations

import time

_SIZE = r"(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?"
_DURATION = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_MOMENT = r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?)?"


def boolean(text: str) -> bool:
    """Go's `strconv.ParseBool`."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def integer(text: str) -> int:
    """A whole number, decimal, hexadecimal (0x) or octal (0o)."""
    try:
        return int(text, 10 if text.lstrip("+-").isdigit() else 0)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def size(text: str) -> int:
    """Bytes: a number with an optional unit of 1024 (`64m`, `1.5g`, `10MiB`)."""
    import re  # here, and not for every command: it takes 6 ms

    match = re.fullmatch(_SIZE, text.strip())
    if not match or match[1].count(".") > 1:
        raise ValueError(f"invalid size: '{text}'")
    power = " kmgtp".index((match[2] or " ").lower())
    found = float(match[1]) * 1024**power
    if found >= 1 << 63:
        raise ValueError(f"invalid size: '{text}'")
    return int(found)


def size_or_unlimited(text: str) -> int:
    """Bytes, or -1 for without limit."""
    return -1 if text == "-1" else size(text)


def cpus(text: str) -> int:
    """Cores as billionths of one (NanoCpus): `0.5`, `1/3`."""
    from fractions import Fraction

    try:
        exact = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if exact.denominator != 1:
        raise ValueError("value is too precise")
    return int(exact)


def duration(text: str) -> int:
    """Nanoseconds of a Go duration: `1h30m`, `1.5s`, `300ms`."""
    body = text[1:] if text[:1] in "+-" and text else text
    if body == "0":
        return 0
    import re

    pattern = re.compile(_DURATION)
    total, at = 0.0, 0
    while at < len(body):
        match = pattern.match(body, at)
        if not match:
            break
        total += float(match[1]) * _NANOSECONDS[match[2]]
        at = match.end()
    if not body or at < len(body):
        raise ValueError(f'time: invalid duration "{text}"')
    return -int(total) if text[0] == "-" else int(total)


def moment(text: str, now: float | None = None) -> str:
    """A moment as seconds since the epoch, with a fraction where it has one.

    Takes what `docker logs --since` takes: a Go duration before now, RFC 3339 or a part of it (local time where
    no zone is given), or seconds since the epoch.
    """
    if not text or text.replace(".", "", 1).isdigit():
        return text
    try:
        before = duration(text)
    except ValueError:
        return _calendar(text)
    nanoseconds = int((time.time() if now is None else now) * 10**9) - before
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def _calendar(text: str) -> str:
    import calendar
    import re

    match = re.fullmatch(_MOMENT, text)
    if not match:
        raise ValueError(f'failed to parse value as time or duration: "{text}"')
    year, month, day, hour, minute, second = (int(match[part] or 0) for part in range(1, 7))
    fraction, zone = match[7], match[8]
    fields = (year, month, day, hour, minute, second, 0, 1, -1)
    if zone is None:
        seconds = int(time.mktime(fields))
    else:
        seconds = calendar.timegm(fields)
        if zone != "Z":
            offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
            seconds += -offset if zone[0] == "+" else offset
    return f"{seconds}.{fraction:0<9}" if fraction else str(seconds)


def environment(text: str) -> str:
    """`NAME=value` or `NAME` (whose value the caller's own environment gives)."""
    if not text.partition("=")[0]:
        raise ValueError(f"invalid environment variable: {text}")
    return text


def label(text: str) -> str:
    """`name=value` or `name`."""
    if not text.partition("=")[0].strip():
        raise ValueError(f"invalid label '{text}': empty name")
    return text


def filter_(text: str) -> str:
    """`name=value` of `--filter`."""
    if "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")
    return text


def stream(text: str) -> str:
    """STDIN, STDOUT or STDERR of `--attach`, in lower case."""
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def filters(texts: list[str]) -> dict[str, list[str]]:
    """`--filter` texts as the API's `filters`."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    return found
