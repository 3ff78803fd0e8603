"""A screen that does things in workers and tells what went wrong in one line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual import events
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.worker import Worker

from tui.paint import join
from tui.safe import safe
from tui.screens.dialog import Dialog
from tui.widgets.commandline import CommandLine

if TYPE_CHECKING:
    from tui.app import OnggiApp

Doing = Coroutine[Any, Any, None] | Callable[[], Coroutine[Any, Any, None]]


class WorkingScreen(Screen[None]):
    """Belongs to the app given; it has a command line."""

    def __init__(self, app: OnggiApp) -> None:
        super().__init__()
        self.onggi = app
        self.held_keys: list[events.Key] | None = None
        """Keys typed while a terminal is being opened: they are meant for it, and never for a list."""

    @property
    def line(self) -> CommandLine:
        return self.query_one(CommandLine)

    def typed_ahead(self, event: events.Key) -> bool:
        """Whether a key is for what has been opened but has not the keyboard yet; then it goes there."""
        again = events.Key(event.key, event.character)
        top = self.app.screen
        if isinstance(top, Dialog):
            top.take(again)
        elif self.line.asking:
            if self.focused is self.line.prompt:
                return True  # it has had the key already
            self.line.take(again)
        elif self.held_keys is not None:
            self.held_keys.append(again)
        else:
            return False
        event.stop()
        event.prevent_default()
        return True

    def work(self, doing: Doing, *, group: str, exclusive: bool = False) -> Worker[None]:
        """Do something in a worker. A fault of ours ends that one thing, is said and kept, and never the app.

        `exclusive` ends what the group did before, which may not have begun yet: give it a function.
        """

        async def guarded() -> None:
            try:
                await (doing() if callable(doing) else doing)
            except Exception as error:
                if isinstance(error, NoMatches) and not (self.query(CommandLine) and self.query("#detail #tabs")):
                    return  # the app is closing: what the work was for is gone already
                self.onggi.faults.append(error)
                self.say_error(f"a fault in onggi: {type(error).__name__}: {error}")

        return self.run_worker(guarded, group=group, exclusive=exclusive, exit_on_error=False)

    def say_error(self, text: str) -> None:
        """One line about what went wrong; `!` shows the whole of it."""
        self.onggi.last_error = text
        self.line.say(join((self.onggi.glyphs.failed + " ", "$failed"), safe(text)))
