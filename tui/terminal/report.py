"""What the terminal answers when the child asks, and what operating system commands do.

An answer never carries text that the child chose: titles are not reported back, the clipboard is never read.
While `muted` (a replayed history) nothing is answered, and bell, clipboard and title are dropped. While `shared`
the reader's own terminal executes the same bytes: it answers, rings and copies, and only the title is kept here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from tui.terminal.attrs import GUARDED, PROTECTED, flagged, linked
from tui.terminal.colours import Palette
from tui.terminal.grid import DECOM
from tui.terminal.modal import Modes
from tui.terminal.settings import STATUS, capabilities, setting

VERSION: Final = "onggi"
_LINK: Final = re.compile(r"(?:https?|ftp|mailto):[!-~]{1,2000}")  # not file: it would be one of the host's
_MOST_TITLE: Final = 256
_MOST_CLIPBOARD: Final = 65536


def _ignore(_text: str) -> None:
    """Nobody listens."""


class Reports(Modes):
    """`reply`, `on_title`, `on_clipboard` and `on_bell` are called by the parser and may be replaced."""

    title: str

    def __init__(self, columns: int, lines: int, *, history: int = 10_000) -> None:
        super().__init__(columns, lines, history=history)
        self.muted = False
        self.shared = False
        self.colours: dict[int, str] = {}  # the pane's: {10: "rrggbb", 11: "rrggbb"}
        self.palette = Palette(self.colours)
        self.reply: Callable[[str], None] = _ignore
        self.on_title: Callable[[str], None] = _ignore
        self.on_clipboard: Callable[[str], None] = _ignore
        self.on_bell: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """RIS."""
        super().reset()
        self.title = ""
        if hasattr(self, "palette"):
            self.palette.reset()

    def bell(self, *_: object) -> None:
        """BEL."""
        if not self.muted and not self.shared:
            self.on_bell()

    def write_process_input(self, data: str) -> None:
        """Send an answer to the child."""
        if not self.muted and not self.shared:
            self.reply(data)

    def report_device_attributes(self, kind: str = "", *params: int) -> None:
        """DA1: a VT420 with colour. DA2: xterm's form. DA3: no serial number."""
        if params and params[0]:
            return
        answers = {"": "\x1b[?64;1;6;9;15;22c", ">": "\x1b[>41;380;0c", "=": "\x1bP!|00000000\x1b\\"}
        self.write_process_input(answers[kind])

    def report_device_status(self, kind: str = "", what: int = 0, *rest: int) -> None:
        """DSR: 5 "ready", 6 where the cursor is, with `?` in DEC's form."""
        y, x = self.cursor.y + 1, min(self.cursor.x, self.columns - 1) + 1
        if DECOM in self.mode:
            y -= self.region[0]
        if DECOM in self.mode and self.sides is not None:
            x -= self.sides[0]
        if what == 6:
            self.write_process_input(f"\x1b[{kind}{y};{x}{';1' if kind else ''}R")
        elif kind and what in STATUS:
            self.write_process_input(STATUS[what])
        elif kind and what == 63:
            self.write_process_input(f"\x1bP{rest[0] if rest else 0}!~0000\x1b\\")
        elif what == 5 and not kind:
            self.write_process_input("\x1b[0n")

    def report_mode(self, kind: str = "", mode: int = 0, *_: int) -> None:
        """DECRQM."""
        state = self.mode_state(mode << 5 if kind else mode)
        self.write_process_input(f"\x1b[{kind}{mode};{state}$y")

    def report_window(self, what: int = 0, *_: int) -> None:
        """XTWINOPS: sizes in cells only. Titles (20, 21) are not told: the child could have us type them."""
        if what == 18:
            self.write_process_input(f"\x1b[8;{self.lines};{self.columns}t")
        elif what == 19:
            self.write_process_input(f"\x1b[9;{self.lines};{self.columns}t")

    def report_version(self, *_: int) -> None:
        """XTVERSION."""
        self.write_process_input(f"\x1bP>|{VERSION}\x1b\\")

    def device_control(self, body: str) -> None:
        """DCS: DECRQSS and XTGETTCAP get an answer, since programs wait for one; the rest is swallowed."""
        if body.startswith("+q"):
            self.write_process_input(capabilities(body[2:]))
        elif body.startswith("$q"):
            known = setting(self, body[2:])
            self.write_process_input(f"\x1bP1$r{known}\x1b\\" if known else "\x1bP0$r\x1b\\")

    def operating_system_command(self, body: str) -> None:
        """OSC: titles (0, 2), colours, hyperlinks (8) and the clipboard's writing half (52)."""
        number, _, text = body.partition(";")
        if number in ("0", "2") and not self.muted:
            self.title = text[:_MOST_TITLE]
            self.on_title(self.title)
        elif number == "52" and not self.muted and not self.shared:
            self._clipboard(text)
        elif number == "8":
            link = text.partition(";")[2]
            self.cursor.attrs = linked(self.cursor.attrs, link if _LINK.fullmatch(link) else "")
        elif (
            number.isascii()
            and number.isdigit()
            and len(number) < 4
            and self.palette.command(int(number), text, self.write_process_input)
        ):
            self.dirty.update(range(self.lines))

    def set_protection(self, how: int = 0, *_: int) -> None:
        """DECSCA: 1 protects the characters drawn from now on against selective erase."""
        self.cursor.attrs = flagged(self.cursor.attrs, PROTECTED, how == 1)

    def start_guarding(self) -> None:
        """SPA: the characters drawn from now on are spared by plain erase."""
        self.guarded = True
        self.cursor.attrs = flagged(self.cursor.attrs, GUARDED, True)

    def end_guarding(self) -> None:
        """EPA."""
        self.cursor.attrs = flagged(self.cursor.attrs, GUARDED, False)

    def _clipboard(self, text: str) -> None:
        _selection, _, data = text.partition(";")
        if data == "?" or len(data) > _MOST_CLIPBOARD:
            return
        try:
            self.on_clipboard(base64.b64decode(data, validate=True).decode("utf-8"))
        except (binascii.Error, ValueError):
            return
