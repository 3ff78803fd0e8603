"""What a terminal view tells its owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tui.terminal.view import TerminalView


class About(Message, namespace="terminal_view"):
    """Something about one view."""

    def __init__(self, view: TerminalView) -> None:
        super().__init__()
        self.view = view

    @property
    def control(self) -> TerminalView:
        """The view, for `@on(..., "#id")`."""
        return self.view


class Closed(About, namespace="terminal_view"):
    """The source has ended: the program is gone, or the detach keys were typed."""


class TitleChanged(About, namespace="terminal_view"):
    """The program set a title; read it from `view.title`."""


class Copied(About, namespace="terminal_view"):
    """The reader has put `text` on the clipboard."""

    def __init__(self, view: TerminalView, text: str) -> None:
        super().__init__(view)
        self.text = text


class ClipboardRequested(About, namespace="terminal_view"):
    """The program wants `text` on the clipboard, which happens only if `view.allow_clipboard` is called."""

    def __init__(self, view: TerminalView, text: str) -> None:
        super().__init__(view)
        self.text = text


class ClipboardAnswered(About, namespace="terminal_view"):
    """The reader has answered the program's wish to write the clipboard."""


class Held(About, namespace="terminal_view"):
    """Whether typed bytes are being held back as the possible beginning of the detach keys."""

    def __init__(self, view: TerminalView, held: bool) -> None:
        super().__init__(view)
        self.held = held


class Resized(About, namespace="terminal_view"):
    """The view has a new size in cells: tell the engine."""

    def __init__(self, view: TerminalView, columns: int, lines: int) -> None:
        super().__init__(view)
        self.columns = columns
        self.lines = lines
