"""One log line as it is shown: gutter, time, text; and where it wraps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from math import ceil
from typing import Final

from textual.content import Content
from textual.style import Style

from core.client.loglevel import level_span
from tui.logview.query import Query
from tui.logview.store import LogLine
from tui.safe import cell_width, safe_log

SHOWN: Final = 16384  # bytes of one line that are shown
_PLAIN: Final = re.compile(rb"[ -~]*\r?\Z").match


def body(line: LogLine) -> Content:
    """The text of a line with its own colours."""
    return safe_log(line.data[:SHOWN])


def levelled(content: Content, line: LogLine, styles: dict[str, Style]) -> Content:
    """`content` with the word of its level in that level's style; a line that has colours keeps its own."""
    if b"\x1b" in line.data:
        return content
    found = level_span(content.plain)
    return content.stylize(styles[found[0]], found[1], found[2]) if found is not None else content


def clock(time_ns: int | None, zone: tzinfo | None, *, millis: bool) -> str:
    """`12:01:03.418 ` in the reader's zone, blank where the time is not known; always the same width."""
    if time_ns is None:
        return " " * (13 if millis else 9)
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(zone)
    return moment.strftime("%H:%M:%S") + (f".{time_ns // 1_000_000 % 1000:03d} " if millis else " ")


def breaks(text: str, width: int) -> list[int]:
    """Where the rows of `text` begin, wrapped after exactly `width` cells: always at least [0]."""
    if text.isascii():
        return list(range(0, max(len(text), 1), width))
    starts, used = [0], 0
    for at, char in enumerate(text):
        cells = cell_width(char)
        if used + cells > width and at > starts[-1]:
            starts.append(at)
            used = 0
        used += cells
    return starts


def height(line: LogLine, width: int) -> int:
    """How many rows of `width` cells a line takes."""
    data = line.data[:SHOWN]
    if _PLAIN(data):  # the common case, without building anything
        return max(1, ceil(len(data.rstrip(b"\r")) / width))
    return len(breaks(body(line).plain, width))


def wrapped(content: Content, width: int) -> list[Content]:
    """`content` in rows of `width` cells."""
    starts = [*breaks(content.plain, width), len(content.plain)]
    return [content[start:stop] for start, stop in pairwise(starts)]


def highlighted(content: Content, query: Query, style: Style) -> Content:
    """`content` with the hits of `query` in `style`."""
    for start, end in query.spans(content.plain):
        content = content.stylize(style, start, end)
    return content
