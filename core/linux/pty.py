"""Controlling terminals. tty_ioctl(4)."""

from __future__ import annotations

import fcntl

from core.linux.constants import TIOCSCTTY


def set_controlling_terminal(fd: int) -> None:
    """Make `fd` the controlling terminal of the calling session leader, which must have none."""
    fcntl.ioctl(fd, TIOCSCTTY, 0)
