"""A tar from a container onto this machine: nothing in it reaches anything but what lies below the target.

Folders are opened one name at a time and never through a symbolic link, so neither a link in the tar nor one that
somebody puts there meanwhile leads elsewhere. What is there keeps its mode; set-id bits do not come along, unless
owners do.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from typing import IO

from core.cli.failure import CommandFailed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 20
_SET_ID = stat.S_ISUID | stat.S_ISGID

Parts = tuple[str, ...]


class Landing:
    """Unpacks into the directory `target`; `keep_owners` = who they belonged to in the container."""

    def __init__(self, target: str, *, keep_owners: bool) -> None:
        self._root = os.open(target, _FOLDER & ~os.O_NOFOLLOW)
        self._keep_owners = keep_owners
        self._made: list[tuple[Parts, tarfile.TarInfo]] = []

    def unpack(self, tar: tarfile.TarFile, base: int, prefix: Sequence[str]) -> None:
        """Every entry, with its first `base` names replaced by `prefix`.

        Raises CommandFailed for what cannot be, OSError.
        """
        for item in tar:
            parts = (*prefix, *_parts(item.name)[base:])
            if parts:
                self._one(tar, item, parts, (*prefix, *_parts(item.linkname)[base:]) if item.islnk() else ())
        for parts, item in reversed(self._made):
            fd = self._open(parts)
            os.fchmod(fd, self._mode(item))
            os.utime(fd, (item.mtime, item.mtime))
            os.close(fd)

    def close(self) -> None:
        """Let go of the target."""
        os.close(self._root)

    def _one(self, tar: tarfile.TarFile, item: tarfile.TarInfo, parts: Parts, source: Parts) -> None:
        folder, name = self._open(parts[:-1], make=True), parts[-1]
        try:
            there = _kind(folder, name)
            if there is not None and stat.S_ISDIR(there) != item.isdir():
                was, is_ = ("directory", "non-directory") if stat.S_ISDIR(there) else ("non-directory", "directory")
                raise CommandFailed(f'cannot overwrite {was} "{"/".join(parts)}" with {is_}')
            if item.isdir():
                if there is None:
                    os.mkdir(name, 0o700, dir_fd=folder)
                    self._own(item, name, folder)
                    self._made.append((parts, item))
                return
            if there is not None:
                os.unlink(name, dir_fd=folder)
            self._put(tar, item, folder, name, source)
        finally:
            os.close(folder)

    def _put(self, tar: tarfile.TarFile, item: tarfile.TarInfo, folder: int, name: str, source: Parts) -> None:
        if item.islnk():
            from_folder = self._open(source[:-1])
            try:
                os.link(source[-1], name, src_dir_fd=from_folder, dst_dir_fd=folder, follow_symlinks=False)
            finally:
                os.close(from_folder)
        elif item.issym():
            os.symlink(item.linkname, name, dir_fd=folder)
            self._own(item, name, folder)
        elif item.isreg():
            self._file(tar, item, folder, name)
        elif item.isfifo() or item.isdev():
            kind = stat.S_IFIFO if item.isfifo() else stat.S_IFBLK if item.isblk() else stat.S_IFCHR
            device = 0 if item.isfifo() else os.makedev(item.devmajor, item.devminor)
            os.mknod(name, kind | item.mode & 0o777, device, dir_fd=folder)
            self._own(item, name, folder)

    def _file(self, tar: tarfile.TarFile, item: tarfile.TarInfo, folder: int, name: str) -> None:
        body = tar.extractfile(item)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=folder), "wb", buffering=0) as file:
            for piece in _pieces(body):
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
            if self._keep_owners:
                os.fchown(file.fileno(), item.uid, item.gid)
            os.fchmod(file.fileno(), self._mode(item))
            os.utime(file.fileno(), (item.mtime, item.mtime))

    def _mode(self, item: tarfile.TarInfo) -> int:
        return item.mode & 0o7777 if self._keep_owners else item.mode & 0o7777 & ~_SET_ID

    def _own(self, item: tarfile.TarInfo, name: str, folder: int) -> None:
        if self._keep_owners:
            os.chown(name, item.uid, item.gid, dir_fd=folder, follow_symlinks=False)

    def _open(self, parts: Parts, *, make: bool = False) -> int:
        fd = os.dup(self._root)
        for name in parts:
            try:
                try:
                    inner = os.open(name, _FOLDER, dir_fd=fd)
                except FileNotFoundError:
                    if not make:
                        raise
                    os.mkdir(name, 0o755, dir_fd=fd)
                    inner = os.open(name, _FOLDER, dir_fd=fd)
            finally:
                os.close(fd)
            fd = inner
        return fd


def _parts(name: str) -> Parts:
    """The names of a path. Raises CommandFailed for `..`, which no engine writes."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or "\0" in name:
        raise CommandFailed(f"the archive has a name that leads out of it: {name!r}")
    return parts


def _kind(folder: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _pieces(body: IO[bytes] | None) -> Iterator[bytes]:
    while body is not None and (piece := body.read(_PIECE)):
        yield piece
