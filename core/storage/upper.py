"""What a container has written: its upper directory, entry by entry, beside the layers that it lies on.

An entry is seen as overlayfs sees it: a character device 0:0 is a whiteout, a directory with
`trusted.overlay.opaque` hides what is below. kernel Documentation/filesystems/overlayfs.rst. Paths are bytes
from the root without a leading slash; both trees are read by descriptors only, and no link is followed.
Stdlib and `core.linux` only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from core.linux.constants import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ITSELF = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
OPAQUE = "trusted.overlay.opaque"

# What a start makes for its own mounts where the image has nothing. With Docker it lies in a layer of its own
# between image and container (daemon/initlayer), so it is neither a change nor part of a commit.
_PLACE_FILES = frozenset({b".dockerenv", b"dev/console", b"etc/hostname", b"etc/hosts", b"etc/resolv.conf"})
_PLACE_FOLDERS = frozenset({b"dev", b"dev/mqueue", b"dev/pts", b"dev/shm", b"etc", b"proc", b"sys"})


class Entry(NamedTuple):
    """One thing in the upper directory.

    `folder` is a descriptor of the directory it lies in, valid until the next entry is asked for. `below` is
    what the lower layers have at its path, whether it shows or not. `opaque` = a directory marked so;
    `covers` = a directory below which nothing of the lower layers shows; `place` = a start has made it for a mount
    of its own, with all it holds.
    """

    folder: int
    leaf: bytes
    path: bytes
    found: os.stat_result
    below: os.stat_result | None
    opaque: bool = False
    covers: bool = False
    place: bool = False

    @property
    def is_directory(self) -> bool:
        """Whether there is something to go into."""
        return stat.S_ISDIR(self.found.st_mode)


class Lower:
    """The layers below as one tree. A path that is not there is an answer, not an error."""

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd

    def stat(self, path: bytes) -> os.stat_result | None:
        """What is at `path` itself; None where nothing is, a whiteout counting as nothing."""
        fd = self._open(path, _ITSELF)
        if fd is None:
            return None
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return None if is_whiteout(found) else found

    def names(self, path: bytes) -> set[bytes]:
        """The children of the directory at `path`; none where there is no directory."""
        fd = self._open(path, _DIRECTORY)
        if fd is None:
            return set()
        try:
            return {name for name in _sorted_names(fd) if not is_whiteout(_stat(fd, name))}
        finally:
            os.close(fd)

    def capability(self, path: bytes) -> bytes:
        """The file capabilities at `path`, b"" for none."""
        fd = self._open(path, _ITSELF)
        if fd is None:
            return b""
        try:
            return capability(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)

    def _open(self, path: bytes, flags: int) -> int | None:
        try:
            return openat2(self._root, os.fsdecode(path) or ".", flags, 0, _RESOLVE)
        except OSError:  # nothing, or a link or a file on the way: nothing at this very path
            return None


class Upper:
    """Walks the upper directory in the order of names, each directory before what it holds."""

    def __init__(self, root_fd: int, lower: Lower) -> None:
        self._root = root_fd
        self._lower = lower

    def root(self) -> Entry:
        """The root itself, which the walk leaves out."""
        return Entry(self._root, b".", b"", os.fstat(self._root), self._lower.stat(b""))

    def __iter__(self) -> Iterator[Entry]:
        """Every entry but those that a start has made for its mounts. Raises OSError."""
        return (entry for entry in self.entries() if not entry.place)

    def entries(self) -> Iterator[Entry]:
        """Every entry, but not what lies in a `place`. Raises OSError."""
        waiting = [(self.root(), iter(self.names(b"")))]
        fd, opened = -1, b"/"
        try:
            while waiting:
                above, names = waiting[-1]
                name = next(names, None)
                if name is None:
                    waiting.pop()
                    continue
                if opened != above.path:
                    fd, opened = self._reopen(fd, above.path), above.path
                entry = self._entry(fd, name, above)
                if entry is None:
                    continue
                if self._is_place(entry):
                    yield entry._replace(place=True)
                    continue
                yield entry
                if entry.is_directory:
                    waiting.append((entry, iter(self.names(entry.path))))
        finally:
            if fd >= 0:
                os.close(fd)

    def names(self, path: bytes) -> list[bytes]:
        """The children of one of its directories, sorted; none where it has vanished meanwhile."""
        try:
            fd = openat2(self._root, os.fsdecode(path) or ".", _DIRECTORY, 0, _RESOLVE)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return _sorted_names(fd)
        finally:
            os.close(fd)

    def _reopen(self, old: int, path: bytes) -> int:
        new = openat2(self._root, os.fsdecode(path) or ".", _DIRECTORY, 0, _RESOLVE)
        if old >= 0:
            os.close(old)
        return new

    def _entry(self, folder: int, leaf: bytes, above: Entry) -> Entry | None:
        """None where it has vanished meanwhile."""
        try:
            found = _stat(folder, leaf)
        except FileNotFoundError:
            return None
        path = above.path + b"/" + leaf if above.path else leaf
        within = above.below is not None and stat.S_ISDIR(above.below.st_mode)
        below = self._lower.stat(path) if within else None
        if not stat.S_ISDIR(found.st_mode):
            return Entry(folder, leaf, path, found, below)
        opaque = _is_opaque(folder, leaf)
        covers = opaque or above.covers or below is None or not stat.S_ISDIR(below.st_mode)
        return Entry(folder, leaf, path, found, below, opaque, covers)

    def _is_place(self, entry: Entry) -> bool:
        """Whether a start has made it for a mount of its own, and nothing else was done to it."""
        found, below = entry.found, entry.below
        if entry.path in _PLACE_FILES:
            made = stat.S_ISREG(found.st_mode) and not found.st_size and found.st_nlink == 1
            return made and below is None and not (found.st_uid or found.st_gid)
        if entry.path not in _PLACE_FOLDERS or not entry.is_directory or entry.opaque:
            return False
        names = self.names(entry.path)
        if below is None:
            untouched = stat.S_IMODE(found.st_mode) == 0o755 and not (found.st_uid or found.st_gid)
        else:  # the kernel has copied it up to put a place into it
            untouched = bool(names) and owner_and_mode(found) == owner_and_mode(below)
        return untouched and self._holds_places_only(entry, names)

    def _holds_places_only(self, entry: Entry, names: list[bytes]) -> bool:
        if not names:
            return True
        fd = self._reopen(-1, entry.path)
        try:
            inside = [self._entry(fd, name, entry) for name in names]
            return all(child is None or self._is_place(child) for child in inside)
        finally:
            os.close(fd)


def is_whiteout(found: os.stat_result) -> bool:
    """Whether overlayfs takes it for the absence of what is below."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def owner_and_mode(found: os.stat_result) -> tuple[int, int, int]:
    """Kind and permissions, user and group."""
    return found.st_mode, found.st_uid, found.st_gid


def capability(path: str | int) -> bytes:
    """The file capabilities of a path or descriptor, b"" for none. capabilities(7)."""
    try:
        return os.getxattr(path, "security.capability")
    except OSError:
        return b""


def _stat(folder: int, leaf: bytes) -> os.stat_result:
    return os.stat(leaf, dir_fd=folder, follow_symlinks=False)


def _sorted_names(fd: int) -> list[bytes]:
    return sorted(os.fsencode(name) for name in os.listdir(fd))


def _is_opaque(folder: int, leaf: bytes) -> bool:
    try:
        fd = os.open(leaf, _DIRECTORY, dir_fd=folder)
    except OSError:
        return False
    try:
        return os.getxattr(fd, OPAQUE) == b"y"
    except OSError:
        return False
    finally:
        os.close(fd)
