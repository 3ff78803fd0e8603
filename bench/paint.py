"""The first full screen of a full-screen program, as a terminal sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from contextlib import suppress

_COLUMNS, _ROWS = 120, 40
_PATIENCE = 15.0  # seconds
_BOTTOM = re.compile(rb"\x1b\[%d;\d*H" % _ROWS)  # the cursor goes to the last row: the painting has come to its end
_TEXT = b"Containers"
_ASKED = b"\x1b[6n"  # DSR: where is the cursor?


def first_paint(argv: Sequence[str]) -> float:
    """Seconds from exec to the moment when the list and the last row are painted. Raises TimeoutError."""
    start = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(argv[0], list(argv))
        finally:
            os._exit(127)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    try:
        return _painted(master, start)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)


def _painted(master: int, start: float) -> float:
    seen = b""
    while (left := start + _PATIENCE - time.perf_counter()) > 0:
        if not select.select([master], [], [], left)[0]:
            break
        try:
            seen += os.read(master, 65536)
        except OSError:  # EIO: it ended
            break
        seen = _answer(master, seen)
        if _TEXT in seen and _BOTTOM.search(seen):
            return time.perf_counter() - start
    raise TimeoutError(f"no first screen; the last bytes were {seen[-200:]!r}")


def _answer(master: int, seen: bytes) -> bytes:
    """Say where the cursor is, as every terminal does that is asked: two columns on, two marks were drawn."""
    if _ASKED in seen:
        os.write(master, b"\x1b[1;3R")
        return seen.replace(_ASKED, b"")
    return seen
