"""The whole outer terminal for one program: the app steps aside and bytes are copied both ways.

Everything the outer terminal can do (pictures, clipboard, answers) works there, which no emulator offers. The
emulator follows along, silent, so that on return it has the screen, and knows which modes are to be undone.
The way back is the end of the source: the detach keys, or the program's end.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable
from typing import Any, Final

from textual.app import App

from tui.terminal import attrs
from tui.terminal.attrs import Attr
from tui.terminal.screen import FastScreen
from tui.terminal.session import Session

_READ: Final = 65536
_LOOK: Final = 250  # milliseconds between two looks at the size of the terminal
_PLAIN: Final = (
    "\x1b[?1000;1002;1003;1004;1005;1006;1015;2004;2026;1;6;66l\x1b[?7;25h\x1b[4;20l"
    "\x1b>\x1b[>4;0m\x1b[r\x1b(B\x0f\x1b[0 q\x1b[m"
)
_FLAGS: Final = (
    (attrs.BOLD, "1"), (attrs.DIM, "2"), (attrs.ITALIC, "3"), (attrs.UNDERLINE, "4"), (attrs.BLINK, "5"),
    (attrs.REVERSE, "7"), (attrs.CONCEAL, "8"), (attrs.STRIKE, "9"), (attrs.OVERLINE, "53"),
)  # fmt: skip

Resize = Callable[[int, int], None]


def zoom(app: App[Any], session: Session, resize: Resize) -> None:
    """Give `session` the outer terminal until its source ends. Blocks; no event of the app runs meanwhile.

    `resize(columns, lines)` tells the engine, blocking. Raises SuspendNotSupported where there is no terminal.
    """
    columns, lines = session.screen.columns, session.screen.lines
    with app.suspend():
        copy(session, sys.__stdin__.fileno(), sys.__stdout__.fileno(), resize)  # type: ignore[union-attr]
    session.resize(columns, lines)
    resize(columns, lines)


def copy(session: Session, keyboard: int, display: int, resize: Resize) -> None:
    """Copy between two descriptors of a terminal and the session's source, until that ends."""
    before = termios.tcgetattr(keyboard)
    tty.setraw(keyboard)
    try:
        _send(display, ("\x1b[2J" + picture(session.screen)).encode())
        _copy(session, keyboard, display, resize)
    finally:
        _send(display, undo(session.screen).encode())
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _copy(session: Session, keyboard: int, display: int, resize: Resize) -> None:
    size: os.terminal_size | None = None
    poll = select.poll()
    poll.register(keyboard, select.POLLIN)
    while (source := session.source) is not None and source.fileno() >= 0:
        if (now := os.get_terminal_size(display)) != size:
            size = now
            session.resize(now.columns, now.lines)
            resize(now.columns, now.lines)
        poll.register(source.fileno(), select.POLLIN | (select.POLLOUT if source.pending else 0))
        for fd, event in poll.poll(_LOOK):
            if fd == keyboard:
                typed = os.read(keyboard, _READ)
                if not typed:
                    return
                source.write(typed)
                continue
            if event & select.POLLOUT:
                source.flush()
            data = source.read_nonblocking(_READ)
            if data == b"":
                return
            if data:
                _send(display, data)
                session.replay(data)


def _send(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def picture(screen: FastScreen) -> str:
    """The screen as a program would draw it, ending with the cursor in its place."""
    out = ["\x1b[?1049h" if screen.alternate else ""]
    for y, row in enumerate(screen.rows):
        out.append(f"\x1b[{y + 1}H")
        out += [f"\x1b[{_sgr(run.attr)}m{run.text}" for run in row.runs()]
    out.append(f"\x1b[{_sgr(screen.cursor.attrs)}m\x1b[{screen.cursor.y + 1};{screen.cursor.x + 1}H")
    return "".join(out)


def undo(screen: FastScreen) -> str:
    """What brings the outer terminal back from the modes the program has set."""
    return (
        "\x1b[<u" * len(screen.kitty)
        + ("\x1b[?1049l" if screen.alternate else "")
        + _PLAIN
        + f"\x1b[{screen.lines}H\r\n"
    )


def _sgr(attr: Attr) -> str:
    parts = ["0", *(code for flag, code in _FLAGS if attr.flags & flag)]
    for colour, code in ((attr.fg, 38), (attr.bg, 48)):
        if colour & attrs.RGB and colour != attrs.DEFAULT:
            parts.append(f"{code};2;{colour >> 16 & 255};{colour >> 8 & 255};{colour & 255}")
        elif colour != attrs.DEFAULT:
            parts.append(f"{code};5;{colour}")
    return ";".join(parts)
