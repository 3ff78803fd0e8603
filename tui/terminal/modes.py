"""Keeps the outer terminal in the keyboard modes the child asked for, while the raw tap is on.

Raw keys are only right if the terminal sends what the child expects: cursor keys in its form, the keypad in its
form, no kitty protocol unless the child pushed it. Everything is put back on release.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual import constants

from tui.terminal.modal import DECCKM, DECNKM
from tui.terminal.screen import FastScreen

TEXTUAL_KITTY: Final = 25  # the flags Textual's driver pushes: disambiguate, all keys, associated text


class ModeMirror:
    """`write` goes to the outer terminal."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._screen: FastScreen | None = None
        self._engaged = False
        self._cursor_keys = False
        self._keypad = False
        self._kitty = 0
        self._modify = 0

    def update(self, screen: FastScreen) -> None:
        """Bring the outer terminal to the modes of `screen`; the first call takes Textual's own off."""
        out, self._screen = "", screen
        if not self._engaged:
            self._engaged = True
            if not constants.DISABLE_KITTY_KEY:
                out += "\x1b[<u"
        cursor_keys, keypad = DECCKM in screen.mode, DECNKM in screen.mode
        if cursor_keys != self._cursor_keys:
            out += "\x1b[?1h" if cursor_keys else "\x1b[?1l"
        if keypad != self._keypad:
            out += "\x1b=" if keypad else "\x1b>"
        kitty = screen.kitty[-1] if screen.kitty else 0
        if kitty != self._kitty:
            out += ("\x1b[<u" if self._kitty else "") + (f"\x1b[>{kitty}u" if kitty else "")
        if screen.modify_other_keys != self._modify:
            out += f"\x1b[>4;{screen.modify_other_keys}m"
        self._cursor_keys, self._keypad = cursor_keys, keypad
        self._kitty, self._modify = kitty, screen.modify_other_keys
        if out:
            self._write(out)

    def resume(self) -> None:
        """The terminal has been given back meanwhile, and is taken again."""
        if self._screen is not None:
            self.update(self._screen)

    def release(self) -> None:
        """Undo all of it and give Textual its own modes back."""
        if not self._engaged:
            return
        out = "\x1b[?1l" if self._cursor_keys else ""
        out += "\x1b>" if self._keypad else ""
        out += "\x1b[<u" if self._kitty else ""
        out += "\x1b[>4;0m" if self._modify else ""
        out += "" if constants.DISABLE_KITTY_KEY else f"\x1b[>{TEXTUAL_KITTY}u"
        self._engaged = self._cursor_keys = self._keypad = False
        self._kitty = self._modify = 0
        if out:
            self._write(out)
