"""A screen that does things in workers and tells what went wrong in one line."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.worker import Worker

from tui.paint import join
from tui.safe import safe
from tui.widgets.commandline import CommandLine

if TYPE_CHECKING:
    from tui.app import OnggiApp


class WorkingScreen(Screen[None]):
    """Belongs to the app given; it has a command line."""

    def __init__(self, app: OnggiApp) -> None:
        super().__init__()
        self.onggi = app

    @property
    def line(self) -> CommandLine:
        return self.query_one(CommandLine)

    def work(self, doing: Coroutine[Any, Any, None], *, group: str, exclusive: bool = False) -> Worker[None]:
        """Do something in a worker. A fault of ours ends that one thing, is said and kept, and never the app."""

        async def guarded() -> None:
            try:
                await doing
            except Exception as error:
                self.onggi.faults.append(error)
                self.say_error(f"a fault in onggi: {type(error).__name__}: {error}")

        return self.run_worker(guarded(), group=group, exclusive=exclusive, exit_on_error=False)

    def say_error(self, text: str) -> None:
        """One line about what went wrong; `!` shows the whole of it."""
        self.onggi.last_error = text
        self.line.say(join((self.onggi.glyphs.failed + " ", "$failed"), safe(text)))
