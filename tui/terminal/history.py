"""Looking back: which scrollback lines stand where while the view is scrolled up."""

from __future__ import annotations

from tui.terminal.cells import Run
from tui.terminal.screen import FastScreen
from tui.terminal.scrollback import Line, Raw
from tui.terminal.stream import FastStream


class History:
    """`offset` is how many rows up the view looks; 0 is the live screen."""

    def __init__(self, screen: FastScreen) -> None:
        self._screen = screen
        self._lines: list[Line] = []
        self._held = 0
        self.offset = 0

    def scroll(self, rows: int) -> bool:
        """Look `rows` further up (down if negative); returns whether anything moved."""
        before = self.offset
        wanted = max(0, self.offset + rows)
        self._lines = self._screen.scrollback.tail(wanted, self._layout) if wanted else []
        self._held = len(self._screen.scrollback)
        self.offset = min(wanted, len(self._lines))
        return self.offset != before

    def settle(self) -> None:
        """After output: keep looking at the same lines although new ones came below them."""
        grown = len(self._screen.scrollback) - self._held
        if self.offset and grown > 0:
            self.scroll(grown)

    def line(self, y: int) -> list[Run] | None:
        """The runs of visible row `y` if it shows history, else None; the live row is then `y - offset`."""
        if y >= self.offset:
            return None
        return self._lines[len(self._lines) - self.offset + y]

    def _layout(self, raw: Raw) -> list[Line]:
        scratch = FastScreen(self._screen.columns, 2, history=raw.lines * 200)
        scratch.cursor.attrs = raw.attr
        FastStream(scratch, skip=False).feed(raw.data)
        rest = scratch.rows[: scratch.cursor.y]
        for row in rest:
            scratch.scrollback.push(row)
        return scratch.scrollback.tail(len(scratch.scrollback), lambda _raw: [])
