"""Mouse events of Textual as the reports a program asked for (xterm's ctlseqs, "Mouse Tracking")."""

from __future__ import annotations

from typing import Final, Literal

from textual import events

from tui.terminal import keys
from tui.terminal.modal import (
    MOUSE_CLICK,
    MOUSE_DRAG,
    MOUSE_MOVE,
    MOUSE_SGR,
    MOUSE_URXVT,
    MOUSE_UTF8,
    MOUSE_X10,
)

Kind = Literal["press", "release", "move", "up", "down", "left", "right"]

_NO_BUTTON: Final = 3
_WHEEL: Final = {"up": 64, "down": 65, "left": 66, "right": 67}


def report(event: events.MouseEvent, kind: Kind, modes: set[int]) -> bytes | None:
    """The report for `event`, or None where the program did not ask for it or Shift keeps it from it."""
    if event.shift or not _asked(event, kind, modes):
        return None
    button = _WHEEL.get(kind)
    if button is None:
        button = event.button - 1 if 1 <= event.button <= 3 else _NO_BUTTON
    if kind == "move":
        button += 32
    if MOUSE_X10 not in modes:
        button += 8 * event.meta + 16 * event.ctrl
    coding = "x10"
    for mode, name in ((MOUSE_SGR, "sgr"), (MOUSE_URXVT, "urxvt"), (MOUSE_UTF8, "utf8")):
        if mode in modes:
            coding = name
    return keys.mouse(button, int(event.x), int(event.y), release=kind == "release", coding=coding)


def _asked(event: events.MouseEvent, kind: Kind, modes: set[int]) -> bool:
    if MOUSE_MOVE in modes:
        return True
    if MOUSE_DRAG in modes:
        return kind != "move" or event.button > 0
    if MOUSE_CLICK in modes:
        return kind != "move"
    return MOUSE_X10 in modes and kind == "press"
