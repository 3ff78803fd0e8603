"""The smallest app with a terminal in it: `python -m bench.terminal_host ARGV…`."""

from __future__ import annotations

import os
import sys

from textual.app import App, ComposeResult

from tui.terminal.capture import allows_action
from tui.terminal.driver import TerminalDriver
from tui.terminal.source import PtySource
from tui.terminal.view import TerminalView


class Host(App[None]):
    """One terminal, all over the screen."""

    def compose(self) -> ComposeResult:
        """The terminal."""
        yield TerminalView(PtySource(sys.argv[1:], env={**os.environ, "TERM": "xterm-256color"}))

    def on_mount(self) -> None:
        """Give it the keyboard."""
        self.query_one(TerminalView).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key of ours before the terminal's."""
        return allows_action(self, action) and super().check_action(action, parameters)

    def on_terminal_view_closed(self) -> None:
        """It has ended."""
        self.exit()


if __name__ == "__main__":
    Host(driver_class=TerminalDriver).run()
