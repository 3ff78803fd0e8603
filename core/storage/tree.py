"""Removing a tree that a container may have filled with anything: by descriptors, never by path.

No link is followed, no mount is crossed, no depth is too deep: a directory found inside is first renamed up
to the top, so that two descriptors and no recursion do for any tree. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import errno
import os

from core.linux.constants import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2

_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(dir_fd: int, name: str) -> None:
    """Remove `name` (one path component) below `dir_fd` with all it holds; a missing one is fine.

    Raises OSError: EXDEV or EBUSY where something is mounted inside.
    """
    if "/" in name or name in ("", ".", ".."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), name)
    try:
        os.unlink(name, dir_fd=dir_fd)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        pass
    top = openat2(dir_fd, name, _FLAGS, 0, _RESOLVE)
    try:
        while _empty_once(top):
            pass
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=dir_fd)


def _empty_once(top: int) -> bool:
    """One round over the top directory; whether there was anything."""
    found = False
    with os.scandir(top) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_dir in names:
        found = True
        if is_dir:
            _remove_directory(top, name)
        else:
            os.unlink(name, dir_fd=top)
    return found


def _remove_directory(top: int, name: str) -> None:
    inner = openat2(top, name, _FLAGS, 0, _RESOLVE)
    try:
        with os.scandir(inner) as entries:
            children = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_dir in children:
            if is_dir:
                os.rename(child, f".{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=top)
            else:
                os.unlink(child, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
