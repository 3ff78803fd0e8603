"""How many cells a code point takes, the way most programs inside containers count: one code point at a time.

Programs lay their screens out with wcwidth(3), which knows no grapheme clusters; an emulator that joined them
would disagree with the program about every later column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from wcwidth import wcwidth
from wcwidth.table_wide import WIDE_EASTASIAN
from wcwidth.table_zero import ZERO_WIDTH

# Two of them are a flag, of two cells in terminals that join them; wcwidth(3) counts each as one, which is the same
# in sum, but wcwidth's tables count each as two.
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)


def _char_class(tables: Mapping[str, Iterable[tuple[int, int]]]) -> str:
    newest = list(tables)[-1]
    ranges = [
        (_FLAG_LETTERS.stop if first in _FLAG_LETTERS else first, last)
        for first, last in tables[newest]
        if first > 0xFF
    ]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges if first <= last)


_WIDE: Final = _char_class(WIDE_EASTASIAN)
_ZERO: Final = _char_class(ZERO_WIDTH)

# Latin, Greek, Cyrillic, punctuation, arrows, mathematics, frames and blocks: far faster than the whole tables
_beyond_plain: Final = re.compile(
    "[^\x20-\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u2027\u2030-\u205e\u2190-\u2319\u2500-\u25fc]"
).search
_odd: Final = re.compile(f"[{_WIDE}{_ZERO}]").search


def find_odd(text: str) -> re.Match[str] | None:
    """The first character of `text` that does not take exactly one cell, as a match, or None."""
    return _odd(text, found.start()) if (found := _beyond_plain(text)) else None


find_runs: Final = re.compile(f"([^{_WIDE}{_ZERO}]+)|([{_WIDE}]+)|([{_ZERO}]+)").finditer
"""The runs of a string of one width each: group 1 takes one cell a character, 2 takes two, 3 none."""


@lru_cache(4096)
def width(char: str) -> int:
    """Cells taken by one printable character: 0, 1 or 2."""
    return 1 if ord(char) in _FLAG_LETTERS else max(0, int(wcwidth(char)))
