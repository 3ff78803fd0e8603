"""The part of the terminal's widget that has the mouse."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.widget import Widget

from tui.terminal import keys, mouse
from tui.terminal.modal import DECCKM
from tui.terminal.pointer import Pointer
from tui.terminal.screen import FastScreen

_WHEEL: Final = 3


class Pointed(Widget):
    """Textual's mouse events, given to the program or to the reader's selection."""

    terminal: FastScreen
    _pointer: Pointer

    @property
    def _wants_mouse(self) -> bool:
        """Whether there is a program that may have the mouse now."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Type `data`."""
        raise NotImplementedError

    def scroll_history(self, rows: int) -> None:
        """Look `rows` up; negative looks down."""
        raise NotImplementedError

    async def _on_mouse_down(self, event: events.MouseDown) -> None:
        if not self._report(event, "press") and self._pointer.down(event):
            self.capture_mouse()
            self.refresh()

    async def _on_mouse_up(self, event: events.MouseUp) -> None:
        if self._pointer.up():
            self.release_mouse()
        else:
            self._report(event, "release")

    def _on_mouse_move(self, event: events.MouseMove) -> None:
        if self._pointer.move(event, self.size.height):
            take(event)
            self.refresh()
        else:
            self._report(event, "move")

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, _WHEEL)

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -_WHEEL)

    def _on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._report(event, "left")

    def _on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._report(event, "right")

    def _report(self, event: events.MouseEvent, kind: mouse.Kind) -> bool:
        """Give the event to the program if it asked for it."""
        if not self._pointer.report(event, kind, live=self._wants_mouse):
            return False
        take(event)
        return True

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        """The wheel goes to the program, or through history, or to full-screen programs as cursor keys."""
        if self._report(event, "up" if rows > 0 else "down"):
            return
        take(event)
        if self.terminal.alternate:
            arrow = keys.encode("up" if rows > 0 else "down", None, application_cursor=DECCKM in self.terminal.mode)
            self.send(arrow * abs(rows))
        else:
            self.scroll_history(rows)


def take(event: events.Event) -> None:
    """Nobody else gets the event."""
    event.stop()
    event.prevent_default()
