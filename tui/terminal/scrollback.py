"""What has left the top of the screen, kept as text and only laid out when somebody looks.

A row is one `bytes`: its text in UTF-8, `ESC attribute BEL` where the attribute changes, and a line feed at its
end unless the text goes on in the next row. So a line costs little more than its characters, and joins and wraps
anew at any width. A flood enters as one block of raw output.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tui.terminal.attrs import PLAIN, Attr, after, intern
from tui.terminal.cells import FILLED, Row, Run, cells_of

Line = list[Run]

_MARK: Final = re.compile("\x1b([^\x07]*)\x07")
_PIECE: Final = 512  # lines of a raw block laid out at a time
_BYTES: Final = 1000  # for each line promised: what a hostile program may make us keep is bounded by them


@dataclass(frozen=True, slots=True)
class Raw:
    """Output that scrolled past unseen: UTF-8 text whose first line starts in `attr`; `lines` line feeds."""

    attr: Attr
    data: bytes
    lines: int


class Scrollback:
    """At most about `limit` rows, the oldest dropped first; a raw block is dropped whole."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lay: Callable[[Raw], list[bytes]] = lambda raw: raw.data.splitlines(keepends=True)
        self.pushed = 0  # blocks ever added at the end
        self.scrolled = 0  # rows ever added, as far as known
        self.epoch = 0  # counts what changes the end otherwise
        self._blocks: deque[bytes | Raw] = deque()
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        """Rows held; an estimate while raw blocks with wrapped lines are among them."""
        return self._count

    @property
    def size(self) -> int:
        """Bytes of text held."""
        return self._bytes

    def push(self, row: Row) -> None:
        """Keep a row that leaves the screen, without its trailing blanks."""
        block = encode(row)
        self._blocks.append(block)
        self._count += 1
        self._bytes += len(block)
        self.pushed += 1
        self.scrolled += 1
        if self._count > self.limit or self._bytes > self.limit * _BYTES:
            self._trim()

    def push_raw(self, attr: Attr, text: str, lines: int) -> None:
        """Keep `text`, which holds `lines` line feeds and ends with one, without laying it out."""
        if lines > 2 * self.limit:
            cut = text.rfind("\n", 0, len(text) - 2 * len(text) * self.limit // lines) + 1
            if (left := text.count("\n", cut)) >= self.limit:
                attr = after(attr, text, 0, cut)
                text, lines = text[cut:], left
        block = Raw(attr, text.encode("utf-8", "replace"), lines)
        self._blocks.append(block)
        self._count += lines
        self._bytes += len(block.data)
        self.pushed += 1
        self.scrolled += lines
        self._trim()

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._count = self._bytes = 0
        self.epoch += 1

    def pop_row(self) -> bytes | None:
        """Take the newest row back, as `encode` made it; None if there is none."""
        block = self.block(1)
        if block is not None:
            self._blocks.pop()
            self._count -= 1
            self._bytes -= len(block)
            self.epoch += 1
        return block

    def rows(self) -> list[bytes]:
        """All that is laid out, oldest first."""
        return [block for block in self._blocks if isinstance(block, bytes)]

    def open(self) -> bool:
        """Whether the newest row goes on in what is still on the screen."""
        newest = self._blocks[-1] if self._blocks else None
        return isinstance(newest, bytes) and not newest.endswith(b"\n")

    def block(self, back: int) -> bytes | None:
        """The row `back` places from the end, from 1 on, raw output being laid out as needed; None past the top."""
        while len(self._blocks) >= back:
            block = self._blocks[-back]
            if isinstance(block, bytes):
                return block
            self._lay_out(len(self._blocks) - back, block)
        return None

    def _lay_out(self, at: int, raw: Raw) -> None:
        """Turn the last lines of a raw block into rows."""
        head: list[bytes | Raw] = []
        tail = raw
        if raw.lines > _PIECE:
            lines = raw.data.split(b"\n")
            start = b"\n".join(lines[: -_PIECE - 1]) + b"\n"
            text = start.decode()
            head = [Raw(raw.attr, start, raw.lines - _PIECE)]
            tail = Raw(after(raw.attr, text, 0, len(text)), raw.data[len(start) :], _PIECE)
        rows = self.lay(tail)
        self._count += len(rows) - tail.lines
        self._bytes += sum(map(len, rows)) - len(tail.data)
        blocks = list(self._blocks)
        blocks[at : at + 1] = [*head, *rows]
        self._blocks = deque(blocks)

    def _trim(self) -> None:
        while len(self._blocks) > 1 and (self._count > self.limit or self._bytes > self.limit * _BYTES):
            oldest = self._blocks[0]
            raw = isinstance(oldest, Raw)
            size = oldest.lines if isinstance(oldest, Raw) else 1
            if raw and self._count - size < self.limit // 2 and self._bytes <= self.limit * _BYTES:
                return  # dropping this block would lose half of what was promised
            self._blocks.popleft()
            self._count -= size
            self._bytes -= len(oldest.data) if isinstance(oldest, Raw) else len(oldest)


def encode(row: Row) -> bytes:
    """A row as it is kept."""
    attrs = row.attrs
    first = attrs[0]
    text = "".join(row.chars)
    if attrs.count(first) == len(attrs):  # far faster than runs(), and most rows are so
        runs = [Run(text, first, len(attrs))]
    else:
        runs = row.runs()
    if row.wrapped == FILLED and (last := runs[-1]).text.endswith(" "):
        runs[-1] = Run(last.text[:-1], last.attr, last.cells - 1)
    elif not row.wrapped and runs[-1].attr is PLAIN:
        runs[-1] = Run(runs[-1].text.rstrip(" "), PLAIN, 0)
    if len(runs) == 1 and runs[0].attr is PLAIN:
        out = runs[0].text
    else:
        out = "".join(f"\x1b{_code(run.attr)}\x07{run.text}" for run in runs if run.text)
    return (out if row.wrapped else out + "\n").encode("utf-8", "replace")


def decode(block: bytes) -> tuple[Line, bool]:
    """The runs of a kept row, and whether its text goes on in the next one."""
    text = block.decode()
    goes_on = not text.endswith("\n")
    if not goes_on:
        text = text[:-1]
    if "\x1b" not in text:
        return ([Run(text, PLAIN, cells_of(text))] if text else []), goes_on
    parts = _MARK.split(text)
    line = [Run(parts[0], PLAIN, cells_of(parts[0]))] if parts[0] else []
    for code, piece in zip(parts[1::2], parts[2::2], strict=True):
        line.append(Run(piece, _attr(code), cells_of(piece)))
    return line, goes_on


@lru_cache(4096)
def _code(attr: Attr) -> str:
    fg, bg, flags, line, link = attr.key
    return f"{fg:x};{bg:x};{flags:x};{line:x};{link}" if attr is not PLAIN else ""


@lru_cache(4096)
def _attr(code: str) -> Attr:
    if not code:
        return PLAIN
    fg, bg, flags, line, link = code.split(";", 4)
    return intern(int(fg, 16), int(bg, 16), int(flags, 16), int(line, 16), link)
