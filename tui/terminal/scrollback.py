"""What has left the top of the screen, kept as text and only laid out when somebody looks.

A flood enters as one block of raw output (one byte a character); rows enter one by one as runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tui.terminal.attrs import PLAIN, Attr
from tui.terminal.cells import Row, Run

Line = list[Run]


@dataclass(frozen=True, slots=True)
class Raw:
    """Output that scrolled past unseen: UTF-8 text whose first line starts in `attr`; `lines` line feeds."""

    attr: Attr
    data: bytes
    lines: int


class Scrollback:
    """At most about `limit` lines, the oldest dropped first; a raw block is dropped whole."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._blocks: deque[Line | Raw] = deque()
        self._count = 0

    def __len__(self) -> int:
        """Lines held; an estimate while raw blocks with wrapped lines are among them."""
        return self._count

    def push(self, row: Row) -> None:
        """Keep a row that leaves the screen, without its trailing blanks."""
        self._blocks.append(_compact(row))
        self._count += 1
        if self._count > self.limit:
            self._trim()

    def push_raw(self, attr: Attr, text: str, lines: int) -> None:
        """Keep `text`, which holds `lines` line feeds and ends with one, without laying it out."""
        self._blocks.append(Raw(attr, text.encode("utf-8", "replace"), lines))
        self._count += lines
        self._trim()

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._count = 0

    def tail(self, count: int, layout: Callable[[Raw], list[Line]]) -> list[Line]:
        """The newest `count` lines or fewer, oldest first. `layout` turns a raw block into lines, once."""
        out: list[Line] = []  # newest first
        at = len(self._blocks) - 1
        while at >= 0 and len(out) < count:
            block = self._blocks[at]
            if isinstance(block, Raw):
                lines = layout(block)
                self._count += len(lines) - block.lines
                del self._blocks[at]
                for line in reversed(lines):
                    self._blocks.insert(at, line)
                at += len(lines) - 1
                continue
            out.append(block)
            at -= 1
        return out[::-1]

    def _trim(self) -> None:
        while self._blocks and self._count > self.limit:
            oldest = self._blocks[0]
            size = oldest.lines if isinstance(oldest, Raw) else 1
            if isinstance(oldest, Raw) and self._count - size < self.limit // 2:
                return  # dropping this block would lose half of what was promised
            self._blocks.popleft()
            self._count -= size


def _compact(row: Row) -> Line:
    first = row.attrs[0]
    columns = len(row.chars)
    if row.attrs.count(first) == columns:  # far faster than runs(), and most rows are so
        runs = [Run("".join(row.chars), first, columns)]
    else:
        runs = row.runs()
    text, attr, cells = runs[-1]
    if attr is PLAIN:
        kept = text.rstrip(" ")
        runs[-1] = Run(kept, attr, cells - len(text) + len(kept))
        if not kept:
            runs.pop()
    return runs
