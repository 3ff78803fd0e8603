"""The user's terminal: how large it is. (`rawmode` is for the time while a container has it.)"""

from __future__ import annotations

import os

from core.cli.failure import CommandFailed


def size() -> tuple[int, int]:
    """Height and width in cells of the terminal that is written to, or typed in; (0, 0) where there is none."""
    for fd in (1, 0, 2):
        try:
            found = os.get_terminal_size(fd)
        except OSError:
            continue
        return found.lines, found.columns
    return 0, 0


def require_input_terminal() -> None:
    """Refuse `-it` on a pipe. Raises CommandFailed with Docker's text."""
    if not os.isatty(0):
        raise CommandFailed("the input device is not a TTY")
