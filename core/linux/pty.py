"""A pseudo-terminal inside a container's own devpts. pty(7), ioctl_pty(2)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios

from core.linux import constants as k
from core.linux.syscalls import fstatfs_type, openat2

_RESOLVE = k.RESOLVE_IN_ROOT | k.RESOLVE_NO_SYMLINKS | k.RESOLVE_NO_MAGICLINKS
_OPEN = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_pty(root_fd: int) -> tuple[int, int]:
    """Master and slave of a new terminal of the devpts at `root_fd`/dev/pts.

    The slave is opened through the master, and what lies at the path is checked to be a devpts, because the
    container may have put something else there (CVE-2025-52565). Raises OSError.
    """
    master = openat2(root_fd, "dev/pts/ptmx", _OPEN, 0, _RESOLVE)
    try:
        if fstatfs_type(master) != k.DEVPTS_SUPER_MAGIC:
            raise OSError(errno.ENODEV, "not a terminal multiplexer", "/dev/pts/ptmx")
        fcntl.ioctl(master, k.TIOCSPTLCK, struct.pack("i", 0))
        return master, fcntl.ioctl(master, k.TIOCGPTPEER, _OPEN)
    except BaseException:
        os.close(master)
        raise


def set_size(fd: int, height: int, width: int) -> None:
    """The size in characters."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0))


def set_utf8(fd: int) -> None:
    """Let line editing take a character of several bytes away as one (IUTF8, termios(3))."""
    attributes = termios.tcgetattr(fd)
    attributes[0] |= k.IUTF8
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def make_controlling(slave: int) -> None:
    """Make a terminal that of this session, which has none yet."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
