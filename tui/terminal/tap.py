"""Splits raw terminal input between a captured child and the app.

The child gets what was typed and pasted, byte for byte. The app keeps what only it can place or has asked for:
mouse reports (their coordinates are the whole screen's), focus reports, and the answers to its own queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

READ: Final = 4096  # bytes asked for at once; a read this long may end inside a sequence

_FOR_APP: Final = re.compile(
    rb"\x1b\[<[0-9;]+[Mm]"  # mouse, SGR coding
    rb"|\x1b\[[IO]"  # focus
    rb"|\x1b\[\?[0-9;]*\$y"  # mode report
    rb"|\x1b\[\?[0-9]*u"  # kitty flags
    rb"|\x1b\[48;[0-9;]*t"  # in-band resize
)
_PASTE_BEGIN: Final = b"\x1b[200~"
_PASTE_END: Final = b"\x1b[201~"
_MARK: Final = re.compile(_FOR_APP.pattern + rb"|\x1b\[20[01]~")
_CUT_OFF: Final = re.compile(rb"\x1b\[(?:[<?][0-9;]*\$?|[0-9][0-9;]*)\Z")
_CUT_OFF_FULL: Final = re.compile(rb"\x1b\[?\Z")


class Tap:
    """`wants_paste` tells whether the child asked for bracketed paste; if not, the brackets are dropped."""

    def __init__(self, wants_paste: Callable[[], bool]) -> None:
        self._wants_paste = wants_paste
        self._tail = b""
        self._pasting = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Split one read; returns (for the child, for the app). A sequence cut off at the end waits."""
        full = len(data) >= READ
        data = self._tail + data
        cut = _CUT_OFF.search(data) or (_CUT_OFF_FULL.search(data) if full else None)
        self._tail = data[cut.start() :] if cut else b""
        data = data[: cut.start()] if cut else data
        child: list[bytes] = []
        app: list[bytes] = []
        at = 0
        for mark in _MARK.finditer(data):
            found = mark.group()
            if found in (_PASTE_BEGIN, _PASTE_END):
                self._pasting = found == _PASTE_BEGIN
                keep = self._wants_paste()
            else:
                keep = self._pasting  # text that was copied with such a sequence in it is still text
            child.append(data[at : mark.end() if keep else mark.start()])
            at = mark.end()
            if not keep and found not in (_PASTE_BEGIN, _PASTE_END):
                app.append(found)
        child.append(data[at:])
        return b"".join(child), b"".join(app)

    def flush(self) -> bytes:
        """What was waiting for its rest, which did not come: it was typed, so it is the child's."""
        tail, self._tail = self._tail, b""
        return tail
