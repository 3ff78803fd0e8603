"""The level a log line claims for itself, where that is beyond doubt: no guesses from words inside of a message."""

from __future__ import annotations

import re
from typing import Final

LEVELS: Final = ("debug", "info", "warn", "error")
"""From the least to the most severe; what is finer (trace, notice, fatal …) counts as the nearest of them."""

_WORDS: Final = {
    "trace": "debug", "debug": "debug", "dbg": "debug", "verbose": "debug",
    "info": "info", "inf": "info", "information": "info", "notice": "info", "log": "info",
    "warn": "warn", "warning": "warn", "wrn": "warn",
    "error": "error", "err": "error", "fatal": "error", "critical": "error", "crit": "error", "alert": "error",
    "emerg": "error", "emergency": "error", "panic": "error", "severe": "error",
}  # fmt: skip
_NUMBERS: Final = {10: "debug", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "error"}  # pino, bunyan

# What may stand before the level: times, process ids, a logger's name between dashes or brackets.
_BEFORE: Final = (
    r"(?:[\[(]?\d[\d:.,TZ/+-]*[\])]?\s+|(?:UTC|GMT)\s+|\[[\w .:/#-]{1,40}\]:?\s+|[\w.]{1,40}\s+-\s+|-\s+){0,6}"
)
_LEVEL: Final = "|".join(sorted(_WORDS, key=len, reverse=True))
_HEAD: Final = re.compile(
    rf"{_BEFORE}(?:[\[<(](?P<boxed>{_LEVEL})[\]>)]|(?P<upper>{_LEVEL.upper()})(?=[\s:|,-]|$)|(?P<lower>{_LEVEL}):(?=\s|$))",
    re.ASCII,
)
_BOXED_UPPER: Final = re.compile(rf"{_BEFORE}[\[<(](?P<boxed>{_LEVEL.upper()})\s*[\]>)]", re.ASCII)
_FIELD: Final = re.compile(
    rf"(?:^|\s)(?:level|lvl|severity)=\"?(?P<word>{_LEVEL})\"?(?=\s|$)", re.ASCII | re.IGNORECASE
)
_JSON: Final = re.compile(
    rf'"(?:level|lvl|severity|levelname|log\.level)"\s*:\s*(?:"(?P<word>{_LEVEL})"|(?P<number>[1-6]0)(?=\s*[,}}]))',
    re.ASCII | re.IGNORECASE,
)
_LOOKED_AT: Final = 400  # characters: what is further behind is the message


def level_span(text: str) -> tuple[str, int, int] | None:
    """The level of a line without colours and where its word stands; None where it claims none or several."""
    head = text[:_LOOKED_AT]
    if head.startswith("{"):
        return _only(_JSON, head)
    match = _HEAD.match(head) or _BOXED_UPPER.match(head)
    if match is not None:
        group = match.lastgroup or "boxed"
        return _WORDS[match[group].lower()], *match.span(group)
    return _only(_FIELD, head)


def _only(pattern: re.Pattern[str], text: str) -> tuple[str, int, int] | None:
    found = list(pattern.finditer(text))
    if len(found) != 1:
        return None
    match = found[0]
    group = match.lastgroup or "word"
    level = _NUMBERS[int(match[group])] if group == "number" else _WORDS[match[group].lower()]
    return level, *match.span(group)


def level_of(text: str) -> str | None:
    """The level of a line without colours, one of LEVELS; None where it claims none."""
    found = level_span(text)
    return found[0] if found is not None else None
