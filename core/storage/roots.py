"""Paths of a hostile tree, resolved by the kernel inside that tree and nowhere else. openat2(2).

No link leads out of a `Root`, no magic link is followed and no mount is crossed.
"""

from __future__ import annotations

import os
import stat
from types import TracebackType

from core.errors import BadArchive
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2
from core.storage.tree import remove_tree

_DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV

Path = tuple[bytes, ...]


class Root:
    """Directories of a tree that is being written; one parent is kept open, because entries come in groups.

    `cross_mounts` = what is mounted inside belongs to it.
    """

    def __init__(self, dir_fd: int, *, cross_mounts: bool = False) -> None:
        self._resolve = _RESOLVE & ~RESOLVE_NO_XDEV if cross_mounts else _RESOLVE
        self.fd = os.open(".", os.O_RDONLY | _DIRECTORY, dir_fd=dir_fd)
        self._parent_path: Path | None = None
        self._parent_fd = -1

    def open_parent(self, path: Path) -> int:
        """A new descriptor of the existing directory that holds `path`."""
        return openat2(self.fd, _joined(path[:-1]), os.O_PATH | _DIRECTORY, 0, self._resolve)

    def parent(self, path: Path) -> int:
        """The directory that holds `path`, made when missing; the descriptor stays ours."""
        folder = path[:-1]
        if folder != self._parent_path:
            self.forget_parent()
            try:
                self._parent_fd = self.open_parent(path)
            except (FileNotFoundError, NotADirectoryError):
                self.make_directories(folder)
                self._parent_fd = self.open_parent(path)
            self._parent_path = folder
        return self._parent_fd

    def forget_parent(self) -> None:
        """Resolve anew next time: a part of the path may have changed."""
        if self._parent_path is not None:
            os.close(self._parent_fd)
            self._parent_path = None

    def make_directories(self, path: Path) -> None:
        """Make what is missing of `path`, root-owned and 0755. Raises OSError where a part is no directory."""
        for depth in range(1, len(path) + 1):
            holder = self.open_parent(path[:depth])
            try:
                os.mkdir(path[depth - 1], 0o755, dir_fd=holder)
            except FileExistsError:
                self._check_passable(path[:depth])
            finally:
                os.close(holder)

    def _check_passable(self, path: Path) -> None:
        holder = self.open_parent(path)
        try:
            if self.is_whiteout(holder, path[-1]):
                # The layer deletes it below and has it anew: a directory that hides what is below.
                os.unlink(path[-1], dir_fd=holder)
                os.mkdir(path[-1], 0o755, dir_fd=holder)
                fd = os.open(path[-1], os.O_RDONLY | _DIRECTORY | os.O_NOFOLLOW, dir_fd=holder)
                try:
                    os.setxattr(fd, "trusted.overlay.opaque", b"y")
                finally:
                    os.close(fd)
        finally:
            os.close(holder)

    def fd_for_reading(self, path: Path) -> int:
        """A new descriptor of an existing directory, which takes fchmod and setxattr."""
        return openat2(self.fd, _joined(path), os.O_RDONLY | _DIRECTORY, 0, self._resolve)

    def kind_of(self, parent: int, name: bytes) -> int | None:
        """st_mode of what is at `name`, itself; None when nothing is."""
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None

    def is_whiteout(self, parent: int, name: bytes) -> bool:
        """Whether overlayfs takes `name` for a whiteout: a character device 0:0."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0

    def remove(self, parent: int, name: bytes) -> None:
        """Remove `name` with all it holds."""
        remove_tree(parent, os.fsdecode(name))

    def __enter__(self) -> Root:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.forget_parent()
        os.close(self.fd)


def _joined(path: Path) -> str:
    return os.fsdecode(b"/".join(path)) or "."


def inside(path: str) -> Path:
    """A path as a user or an image wrote it, as components; `..` stops at the root. Raises BadArchive for NUL."""
    parts: list[bytes] = []
    for part in os.fsencode(path).split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    if b"\0" in b"".join(parts):
        raise BadArchive("path has a NUL byte")
    return tuple(parts)
