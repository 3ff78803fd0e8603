"""A directory tree as a tar stream, read by descriptors only, in the order of its names.

Mounts inside are not entered unless asked for. Sockets are left out, as every tar does.
Stdlib and `core.linux` only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2
from core.storage.apply import keeps_xattr
from core.storage.tarwrite import Member, header, padding

CHUNK = 1 << 18
_ZEROS = bytes(CHUNK)
_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)  # of opening what was something else before
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Write = Callable[[bytes], None]
Keep = Callable[[bytes], bool]
Dress = Callable[[Member], Member]


class _Pending(NamedTuple):
    """A directory whose children are still to be written: where it is, and its name in the archive."""

    path: bytes
    name: bytes


class TreeWriter:
    """Writes what lies below `root_fd` through `write`; `size` counts the bytes, `contents` those of files.

    `keep` says of each name in the archive whether it goes in, with all below it; `dress` changes what a member
    says but its kind, size and body.
    """

    def __init__(
        self,
        root_fd: int,
        write: Write,
        *,
        cross_mounts: bool = False,
        keep: Keep | None = None,
        dress: Dress | None = None,
    ) -> None:
        self._root = root_fd
        self._write = write
        self._keep = keep
        self._dress = dress
        self._resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if cross_mounts else RESOLVE_NO_XDEV)
        self._links: dict[tuple[int, int], bytes] = {}
        self.size = 0
        self.contents = 0

    def emit(self, data: bytes) -> None:
        """Write bytes of the archive."""
        self._write(data)
        self.size += len(data)

    def tree(self, path: bytes, name: bytes, *, itself: bool = True) -> None:
        """`path` (b"." = the root) under the name `name` in the archive (b"" = its children at top level).

        `itself` off writes only what it holds. Raises OSError.
        """
        if name and itself:
            self.node(path, name)
        fd = openat2(self._root, os.fsdecode(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0, self._resolve)
        try:
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        finally:
            os.close(fd)
        pending = [_Pending(path, name)] if is_directory else []
        while pending:
            folder = pending.pop()
            pending.extend(reversed(self._children(folder)))

    def _children(self, folder: _Pending) -> list[_Pending]:
        """Write everything of one directory but its subdirectories' contents, which it returns."""
        try:
            fd = openat2(self._root, os.fsdecode(folder.path), _DIRECTORY, 0, self._resolve)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EXDEV):  # vanished, replaced, or a mount
                return []
            raise
        try:
            found = []
            for entry in sorted(os.fsencode(child) for child in os.listdir(fd)):
                name = folder.name + b"/" + entry if folder.name else entry
                if self.entry(fd, entry, name):
                    found.append(_Pending(folder.path + b"/" + entry, name))
            return found
        finally:
            os.close(fd)

    def node(self, path: bytes, name: bytes) -> None:
        """One thing by itself, without what it holds."""
        folder, _, leaf = path.rpartition(b"/")
        fd = openat2(self._root, os.fsdecode(folder) or ".", _DIRECTORY, 0, self._resolve)
        try:
            self.entry(fd, leaf, name)
        finally:
            os.close(fd)

    def file(self, path: bytes, name: bytes) -> None:
        """What `path` leads to, links followed inside the root; a link that leads nowhere is written as it is."""
        try:
            fd = openat2(
                self._root, os.fsdecode(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, self._resolve
            )
        except OSError:
            self.node(path, name)
            return
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._contents(fd, name)
        finally:
            os.close(fd)

    def entry(self, folder: int, leaf: bytes, name: bytes, found: os.stat_result | None = None) -> bool:
        """Write `leaf` of the directory `folder`, which `found` describes, as `name`; whether it is a directory.

        What has vanished or become something else meanwhile is left out.
        """
        if self._keep and not self._keep(name):
            return False
        try:
            found = found or os.stat(leaf, dir_fd=folder, follow_symlinks=False)
            return self._write_entry(folder, leaf, name, found)
        except OSError as error:
            if error.errno in _REPLACED:
                return False
            raise

    def _write_entry(self, folder: int, leaf: bytes, name: bytes, found: os.stat_result) -> bool:
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFSOCK:
            return False
        key = (found.st_dev, found.st_ino)
        if kind != stat.S_IFDIR and found.st_nlink > 1 and key in self._links:
            self._head(_member(found, name, link=self._links[key], hard_link=True))
            return False
        if kind == stat.S_IFREG:
            self._file(folder, leaf, name)
        elif kind == stat.S_IFDIR:
            self._directory(folder, leaf, name, found)
        else:
            link = os.readlink(leaf, dir_fd=folder) if kind == stat.S_IFLNK else b""
            self._head(_member(found, name, link=link))
        if kind != stat.S_IFDIR and found.st_nlink > 1:
            self._links[key] = name
        return kind == stat.S_IFDIR

    def _head(self, member: Member) -> None:
        self.emit(header(self._dress(member) if self._dress else member))

    def _directory(self, folder: int, leaf: bytes, name: bytes, found: os.stat_result) -> None:
        fd = os.open(leaf, _DIRECTORY, dir_fd=folder)
        try:
            self._head(_member(found, name, xattrs=_xattrs(fd)))
        finally:
            os.close(fd)

    def _file(self, folder: int, leaf: bytes, name: bytes) -> None:
        # O_NONBLOCK: a fifo may have taken the file's place since the stat, and would hang us.
        fd = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._contents(fd, name)
        finally:
            os.close(fd)

    def _contents(self, fd: int, name: bytes) -> None:
        found = os.fstat(fd)
        self._head(_member(found, name, size=found.st_size, xattrs=_xattrs(fd)))
        self.contents += found.st_size
        written = 0
        for start, end in _extents(fd, found.st_size):
            self._zeros(start - written)
            written = start
            while written < end and (piece := os.pread(fd, min(CHUNK, end - written), written)):
                self.emit(piece)
                written += len(piece)
        # A hole at its end, or it shrank while it was read: the header has promised so many bytes.
        self._zeros(found.st_size - written)
        self.emit(padding(found.st_size))

    def _zeros(self, count: int) -> None:
        while count:
            self.emit(_ZEROS[:count])
            count -= min(count, CHUNK)


def _extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the first `size` bytes of a file are data: from, to. What lies between is a hole. lseek(2)."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except OSError:  # ENXIO: nothing but a hole follows
            return
        if start >= end:
            return
        yield start, end
        at = end


def _member(
    found: os.stat_result,
    name: bytes,
    *,
    size: int = 0,
    link: bytes = b"",
    hard_link: bool = False,
    xattrs: dict[str, bytes] | None = None,
) -> Member:
    return Member(
        name=name,
        mode=found.st_mode,
        size=size,
        uid=found.st_uid,
        gid=found.st_gid,
        mtime=max(0, found.st_mtime_ns // 10**9),
        link=link,
        hard_link=hard_link,
        rdev=(os.major(found.st_rdev), os.minor(found.st_rdev)),
        xattrs=xattrs or {},
    )


def _xattrs(fd: int) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(fd, name) for name in sorted(os.listxattr(fd)) if keeps_xattr(name)}
    except OSError:
        return {}
