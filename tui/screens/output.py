"""The output of a command typed by hand: our own command line as a subprocess, its text as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui import commands
from tui.paint import EMPTY, join
from tui.safe import cell_width, expand_tabs, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.widgets.frame import Titles
from tui.widgets.linesview import LinesView

_MOST_LINES = 5000


class Output(Dialog[int]):
    """Runs `program` and shows what it prints; answers with its exit code. Escape ends it."""

    WIDTH = 196

    def __init__(self, argv: Sequence[str], program: Sequence[str], env: Mapping[str, str]) -> None:
        super().__init__()
        self._argv = argv
        self._program = program
        self._env = env
        self._lines: list[str] = []
        self._rest = ""
        self._process: asyncio.subprocess.Process | None = None
        self._code: int | None = None

    def box_titles(self) -> Titles:
        how = join(("runs", "$restarting"))
        if self._code is not None:
            how = join(("done", "$running")) if self._code == 0 else join((f"exit {self._code}", "$failed"))
        return Titles(
            join(("$ ", "$muted"), safe(commands.line(self._argv), style="bold")), how, EMPTY, self._keys()
        )

    def _keys(self) -> Content:
        return join(("esc closes" if self._code is not None else "esc ends it", "$muted"))

    def parts(self) -> list[Widget]:
        page = LinesView(id="output")
        page.styles.background = "transparent"
        return [page]

    def on_mount(self) -> None:
        page = self.query_one("#output", LinesView)
        page.styles.height = max(self.app.size.height - 8, 5)
        page.show(self._folded)
        page.focus()
        self.run_worker(self._run(), exit_on_error=False)

    async def _run(self) -> None:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._program, stdin=nothing, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=dict(self._env)
        )
        self._process = process
        assert process.stdout is not None
        while data := await process.stdout.read(65536):
            self._add(data.decode("utf-8", "replace"))
        self._code = await process.wait()
        if not self._lines:
            self._add("It printed nothing.\n")
        self.box.retitle()

    def _folded(self, width: int) -> list[Content]:
        """Every line whole: what is longer than the page goes on below."""
        return [Content(piece) for line in self._lines for piece in break_at(line, max(width - 1, 8))]

    def _add(self, text: str) -> None:
        *whole, self._rest = (self._rest + text.replace("\r\n", "\n")).split("\n")
        self._lines += [safe_plain(expand_tabs(line)) for line in whole]
        del self._lines[:-_MOST_LINES]
        page = self.query_one("#output", LinesView)
        page.show(self._folded, keep=True)
        page.scroll_to_end()

    def on_unmount(self) -> None:
        if self._process is not None and self._code is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def pressed(self, event: events.Key) -> None:
        event.stop()
        moves = {
            "j": "down",
            "down": "down",
            "k": "up",
            "up": "up",
            "g": "first",
            "G": "last",
            "ctrl+d": "page_down",
            "ctrl+u": "page_up",
        }
        if event.key in moves:
            self.query_one("#output", LinesView).move(moves[event.key])
        elif event.key in ("escape", "q", "enter"):
            self.dismiss(self._code if self._code is not None else -1)


def break_at(line: str, width: int) -> list[str]:
    """`line` in pieces of at most `width` cells, broken anywhere: blanks are columns here."""
    pieces, used, start = [], 0, 0
    for at, char in enumerate(line):
        used += cell_width(char)
        if used > width:
            pieces.append(line[start:at])
            start, used = at, cell_width(char)
    return [*pieces, line[start:]]
