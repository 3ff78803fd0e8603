"""Looking back: which scrollback rows stand where while the view is scrolled up."""

from __future__ import annotations

from tui.terminal.cells import Run
from tui.terminal.reflow import wrap
from tui.terminal.screen import FastScreen
from tui.terminal.scrollback import Line, decode


class History:
    """`offset` is how many rows up the view looks; 0 is the live screen."""

    def __init__(self, screen: FastScreen) -> None:
        self._screen = screen
        self._rows: list[tuple[Line, bool]] = []  # laid out, newest first; does its text go on in the next row?
        self._blocks = 0  # of the scrollback, from its end, that `_rows` shows
        self._seen = (0, 0, 0, 0)  # epoch, columns, blocks and rows pushed
        self.offset = 0

    def scroll(self, rows: int) -> bool:
        """Look `rows` further up (down if negative); returns whether anything moved."""
        self._catch_up()
        before = self.offset
        wanted = max(0, self.offset + rows)
        self.offset = min(wanted, self.reach(wanted))
        return self.offset != before

    def settle(self) -> None:
        """After output: keep looking at the same rows although new ones came below them."""
        self._catch_up()
        if self.offset:
            self.offset = min(self.offset, self.reach(self.offset))

    def reach(self, rows: int) -> int:
        """Lay `rows` rows of history out, or all there are; returns how many."""
        self._catch_up()
        while len(self._rows) < rows and (line := self._line(self._blocks + 1)) is not None:
            laid, blocks = line
            self._rows += laid[::-1]
            self._blocks += blocks
        return len(self._rows)

    def row(self, back: int) -> Line:
        """The row `back` rows above the live screen, from 1 on; empty past the top."""
        self.reach(back)
        return self._rows[back - 1][0] if 0 < back <= len(self._rows) else []

    def goes_on(self, back: int) -> bool:
        """Whether the text of that row goes on in the one below."""
        self.reach(back)
        return 0 < back <= len(self._rows) and self._rows[back - 1][1]

    def line(self, y: int) -> list[Run] | None:
        """The runs of visible row `y` if it shows history, else None; the live row is then `y - offset`."""
        self._catch_up()
        return None if y >= self.offset else self.row(self.offset - y)

    def _catch_up(self) -> None:
        """Take in what was pushed since, and look as much further up."""
        scrollback = self._screen.scrollback
        now = (scrollback.epoch, self._screen.columns, scrollback.pushed, scrollback.scrolled)
        then, self._seen = self._seen, now
        if now == then:
            return
        blocks, rows = now[2] - then[2], now[3] - then[3]
        if now[:2] != then[:2] or blocks != rows or not self._blocks:  # blocks != rows: raw output is among them
            self._rows, self._blocks = [], 0
            self.offset += rows if self.offset and now[:2] == then[:2] else 0
            return
        self.offset += rows if self.offset else 0
        for back in range(blocks, 0, -1):
            if (block := scrollback.block(back)) is not None:
                line, open_end = decode(block)
                self._rows[:0] = _marked(wrap(line, now[1]), open_end)[::-1]
        self._blocks += blocks

    def _line(self, back: int) -> tuple[list[tuple[Line, bool]], int] | None:
        """The rows of the whole line that ends `back` blocks from the end, and how many blocks it had."""
        scrollback = self._screen.scrollback
        parts: list[Line] = []
        open_end = False
        while (block := scrollback.block(back + len(parts))) is not None:
            line, goes_on = decode(block)
            if parts and not goes_on:
                break
            open_end = open_end or (goes_on and not parts)
            parts.append(line)
        if not parts:
            return None
        rows = wrap([run for part in reversed(parts) for run in part], self._screen.columns)
        return _marked(rows, open_end), len(parts)


def _marked(rows: list[Line], open_end: bool) -> list[tuple[Line, bool]]:
    return [(row, number < len(rows) - 1 or open_end) for number, row in enumerate(rows)]
