"""Capabilities: capabilities(7), capset(2), linux/capability.h."""

from __future__ import annotations

import errno
import struct

from core.linux import constants as k
from core.linux import syscalls

_VERSION_3 = 0x20080522


def drop_bounding(kept: int) -> None:
    """Drop every capability outside `kept` from the bounding set, those of newer kernels included."""
    for number in range(64):
        if kept >> number & 1:
            continue
        try:
            syscalls.prctl(k.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # the first number this kernel does not know
                return
            raise


def bounding() -> int:
    """The bounding set of this process: what it could give at most."""
    found = 0
    for number in range(64):
        try:
            found |= syscalls.prctl(k.PR_CAPBSET_READ, number) << number
        except OSError:
            return found
    return found


def set_process(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) of the calling thread."""
    words = [value >> shift & 0xFFFFFFFF for shift in (0, 32) for value in (effective, permitted, inheritable)]
    syscalls.capset(struct.pack("Ii", _VERSION_3, 0), struct.pack("6I", *words))


def set_ambient(kept: int) -> None:
    """Exactly `kept` in the ambient set; each must be permitted and inheritable."""
    syscalls.prctl(k.PR_CAP_AMBIENT, k.PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(64):
        if kept >> number & 1:
            syscalls.prctl(k.PR_CAP_AMBIENT, k.PR_CAP_AMBIENT_RAISE, number)


def keep_over_setuid() -> None:
    """Keep the permitted set when the user id leaves 0, until the next execve(2)."""
    syscalls.prctl(k.PR_SET_KEEPCAPS, 1)
