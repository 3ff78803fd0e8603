"""Which lines of a log a reader wants."""

from __future__ import annotations

import re

from core.client.loglevel import LEVELS, level_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cli.logstreams import Line

_COLOUR = re.compile(rb"\x1b\[[0-9;:]*[mK]")


class LineFilter:
    """Lines that match `grep`, do not match `exclude`, and are of `level` or above; None = no such wish.

    Colours do not count as text. An indented line without a level goes with the one above it: a traceback is a
    part of its error. Bounding the time of a match is the caller's part.
    """

    def __init__(self, grep: re.Pattern[str] | None, exclude: re.Pattern[str] | None, level: str | None) -> None:
        self._grep = grep
        self._exclude = exclude
        self._levels = LEVELS[LEVELS.index(level) :] if level is not None else None
        self._last: dict[tuple[int, int], bool] = {}

    def __call__(self, line: Line) -> bool:
        """Whether this line is wanted; lines must come in order."""
        data = _COLOUR.sub(b"", line.data) if b"\x1b" in line.data else line.data
        text = data.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        if self._levels is not None and not self._of_level(line, text, self._levels):
            return False
        if self._grep is not None and self._grep.search(text) is None:
            return False
        return self._exclude is None or self._exclude.search(text) is None

    def _of_level(self, line: Line, text: str, levels: tuple[str, ...]) -> bool:
        place = (line.source.number, line.stream)
        level = level_of(text)
        if level is None and text[:1] in (" ", "\t"):
            return self._last.get(place, False)
        self._last[place] = level in levels
        return level in levels
