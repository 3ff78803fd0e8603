"""Asks the terminal how wide it draws the marks of the interface, before the app takes it over.

Characters of "ambiguous" width (UAX #11) are two cells wide in some terminals; every column would break. So two of
them are printed and the cursor's position is asked for (DSR 6). What was typed meanwhile is given back.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty
from typing import Final

PATIENCE: Final = 0.2
"""Seconds that a terminal has for its answer."""

_SAMPLE: Final = "●│"
_ASK: Final = f"\r{_SAMPLE}\x1b[6n"
_CLEAN: Final = f"\r{' ' * 2 * len(_SAMPLE)}\r"
_ANSWER: Final = re.compile(rb"\x1b\[\d{1,5};(\d{1,5})R")


def probe(reads: int, writes: int, *, seconds: float = PATIENCE) -> tuple[bool, bytes]:
    """Whether the marks are as wide as they should be, and what was typed before the answer came.

    A terminal that does not answer within `seconds` counts as one that draws them well. Descriptors that are no
    terminals are left alone. Raises nothing.
    """
    if not (os.isatty(reads) and os.isatty(writes)):
        return True, b""
    try:
        before = termios.tcgetattr(reads)
    except termios.error:
        return True, b""
    try:
        tty.setcbreak(reads, termios.TCSANOW)
        os.write(writes, _ASK.encode())
        heard = _listen(reads, time.monotonic() + seconds)
        os.write(writes, _CLEAN.encode())
    except OSError:
        return True, b""
    finally:
        termios.tcsetattr(reads, termios.TCSANOW, before)
    answer = _ANSWER.search(heard)
    if answer is None:
        return True, heard
    typed = heard[: answer.start()] + heard[answer.end() :]
    return int(answer.group(1)) - 1 <= len(_SAMPLE), typed


def _listen(reads: int, deadline: float) -> bytes:
    heard = b""
    while _ANSWER.search(heard) is None:
        ready, _, _ = select.select([reads], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            break
        data = os.read(reads, 4096)
        if not data:
            break
        heard += data
    return heard
