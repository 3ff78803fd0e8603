"""The one place that resolves paths of a container. Everything else works on descriptors.

A path is resolved by the kernel inside the root (openat2 with RESOLVE_IN_ROOT), whatever symbolic links the
image holds and whoever changes them meanwhile; magic links (/proc/PID/fd and the like) are never followed.
What does not exist is made one name at a time below a descriptor of the folder above. openat2(2).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS
from core.linux.syscalls import openat2

_INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_PATH = os.O_PATH | os.O_CLOEXEC


def parts(path: str) -> list[str]:
    """The names in a path; `.` is dropped and `..` goes up, never above the root."""
    found: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del found[-1:]
        elif name not in ("", "."):
            found.append(name)
    return found


def find(root_fd: int, path: str, *, ordinary: bool = False, flags: int = _PATH) -> int:
    """A descriptor of what `path` means inside the root. `ordinary`: not through any symbolic link (ELOOP).

    Raises OSError; FileNotFoundError where there is nothing, or a link to nothing.
    """
    resolve = _INSIDE | (RESOLVE_NO_SYMLINKS if ordinary else 0)
    return openat2(root_fd, "/".join(parts(path)) or ".", flags, 0, resolve)


def make_folder(root_fd: int, path: str, *, ordinary: bool = False) -> int:
    """A descriptor of the folder at `path`, made with those above it (0755, root's) where it is not there."""
    try:
        return find(root_fd, path, ordinary=ordinary, flags=_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        pass
    names = parts(path)
    with _folder_above(root_fd, names, ordinary) as above:
        try:
            os.mkdir(names[-1], 0o755, dir_fd=above)
        except FileExistsError:
            pass  # another process of a shared volume was faster, or it is a link to nothing, which fails below
    return find(root_fd, path, ordinary=ordinary, flags=_PATH | os.O_DIRECTORY)


def make_file(root_fd: int, path: str) -> int:
    """A descriptor of the file at `path`, made empty (0644) where there is none, as the target of a mount."""
    try:
        return find(root_fd, path)
    except FileNotFoundError:
        pass
    names = parts(path)
    with _folder_above(root_fd, names, False):
        # Through openat2, because the last name may be a link whose target is still to be made, inside.
        flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        os.close(openat2(root_fd, "/".join(names), flags, 0o644, _INSIDE))
    return find(root_fd, path)


def target(root_fd: int, path: str, *, folder: bool, ordinary: bool = False) -> int:
    """A descriptor to mount over. Raises NotADirectoryError or IsADirectoryError where the kinds differ."""
    fd = make_folder(root_fd, path, ordinary=ordinary) if folder else make_file(root_fd, path)
    if stat.S_ISDIR(os.fstat(fd).st_mode) == folder:
        return fd
    os.close(fd)
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)


@contextmanager
def above(root_fd: int, path: str) -> Iterator[tuple[int, str]]:
    """The folder in which the last name of `path` is to be made, itself made where needed, and that name."""
    names = parts(path)
    if not names:
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    with _folder_above(root_fd, names, False) as fd:
        yield fd, names[-1]


@contextmanager
def _folder_above(root_fd: int, names: list[str], ordinary: bool) -> Iterator[int]:
    fd = make_folder(root_fd, "/".join(names[:-1]), ordinary=ordinary)
    try:
        yield fd
    finally:
        os.close(fd)
