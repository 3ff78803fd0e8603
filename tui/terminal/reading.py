"""The part of the terminal's widget that is its reader's: looking back, copying, and what the program may copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tui.terminal import clipboard, messages
from tui.terminal.clipboard import Gate
from tui.terminal.history import History
from tui.terminal.looking import Look
from tui.terminal.paper import Paper, Place
from tui.terminal.pointed import Pointed

if TYPE_CHECKING:
    from tui.terminal.view import TerminalView


class Reading(Pointed):
    """While there is a `_look`, no key reaches the program."""

    gate: Gate
    _look: Look | None
    _paper: Paper
    _history: History

    def _capture(self, on: bool) -> None:
        """Take the keyboard, or give it back."""
        raise NotImplementedError

    def _place_cursor(self) -> None:
        """Show the cursor where it is, if it is to be seen."""
        raise NotImplementedError

    def look(self) -> None:
        """Stop typing and look back; Escape or `q` returns."""
        if self._look is None:
            self._capture(False)
            self._pointer.forget()
            bottom = Place(self._paper.live + self.terminal.cursor.y, 0)
            self._look = Look(self._paper, bottom, self.size.height, self.gate)
            self.refresh()

    def copy(self, text: str) -> None:
        """Put `text` on the reader's clipboard."""
        clipboard.copy(self.app, text)
        self._tell(messages.Copied(self._view, text))

    def allow_clipboard(self) -> None:
        """The program may write the clipboard from now on, as long as this view lives; what it wanted is done."""
        if wanted := self.gate.allow():
            clipboard.copy(self.app, wanted)
        self._tell(messages.ClipboardAnswered(self._view))

    @property
    def _may_look(self) -> bool:
        """Whether Shift+PageUp looks back. A full-screen program has it, but not while it waits for an answer."""
        return not self.terminal.alternate or self.gate.asking

    def _clipboard(self, text: str) -> None:
        """The program wants to write the clipboard."""
        if self.gate.passes(text):
            clipboard.copy(self.app, text)
        elif self.gate.asking:
            self._tell(messages.ClipboardRequested(self._view, text))
            self.refresh()

    def _looked(self, look: Look, effect: str) -> None:
        """After a key that moved the look back."""
        if effect == "allow":
            if not self.gate.wanted:  # nothing was asked
                return
            self.allow_clipboard()
        elif effect == "copy" and look.selection is not None:
            self.copy(self._paper.text(look.selection))
        if effect:
            self._leave_look()
        else:
            above = self._paper.top - look.cursor.row
            below = look.cursor.row - self._paper.top - (self.size.height - 2)
            if above > 0 or below > 0:
                self._history.scroll(above if above > 0 else -below)
        self.refresh()
        self._place_cursor()

    def _leave_look(self) -> None:
        self._look = None
        if self.gate.asking:
            self.gate.refuse()
            self._tell(messages.ClipboardAnswered(self._view))
        self._history.scroll(-self._history.offset)
        self._capture(self.has_focus)

    def _tell(self, message: messages.About) -> None:
        if self.is_attached:
            self.post_message(message)

    @property
    def _view(self) -> TerminalView:
        return cast("TerminalView", self)
