"""The tar that a build context travels as, written with as little as a short command can afford to load.

Owners are not sent, and hard links go as files, as with Docker: they would make the same files differ.
"""

from __future__ import annotations

import io
import os
import stat

from core.oci import ustar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

IN_MEMORY = 32 << 20  # bytes of a context that need no file
_PIECE = 1 << 20
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe that has taken the file's place would hold us up


class ContextTar:
    """Files by name, in the order in which they are added."""

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._size = 0

    def add(self, path: str, name: str) -> None:
        """What is at `path` itself, as `name`; sockets are left out. Raises OSError."""
        found = os.lstat(path)
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFREG:
            self._add_file(path, name, found)
        elif kind == stat.S_IFDIR:
            self._head(ustar.DIRECTORY, name, found)
        elif kind == stat.S_IFLNK:
            self._head(ustar.SYMLINK, name, found, link=os.fsencode(os.readlink(path)))  # noqa: PTH115
        elif kind == stat.S_IFIFO:
            self._head(ustar.FIFO, name, found)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            self._head(ustar.CHARACTER if kind == stat.S_IFCHR else ustar.BLOCK_DEVICE, name, found)

    def put(self, name: str, data: bytes) -> None:
        """A file that is nowhere but here."""
        self._write(ustar.header(ustar.FILE, os.fsencode(name), 0o644, size=len(data)))
        self._write(data + ustar.padding(len(data)))

    def end(self) -> IO[bytes]:
        """The archive, to be read from its beginning; the caller's to close."""
        self._write(ustar.END)
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Throw it away."""
        self._file.close()

    def _add_file(self, path: str, name: str, found: os.stat_result) -> None:
        fd = os.open(path, _OPEN)
        try:
            self._head(ustar.FILE, name, found, size=found.st_size)
            left = found.st_size
            while left:
                piece = os.read(fd, min(left, _PIECE))
                if not piece:
                    raise OSError(5, "it became shorter while it was read", path)
                self._write(piece)
                left -= len(piece)
        finally:
            os.close(fd)
        self._write(ustar.padding(found.st_size))

    def _head(self, kind: bytes, name: str, found: os.stat_result, *, size: int = 0, link: bytes = b"") -> None:
        self._write(
            ustar.header(
                kind, os.fsencode(name), stat.S_IMODE(found.st_mode), size=size, link=link,
                mtime=found.st_mtime_ns // 10**9, device=(os.major(found.st_rdev), os.minor(found.st_rdev)),
            )
        )  # fmt: skip

    def _write(self, data: bytes) -> None:
        if self._size <= IN_MEMORY < self._size + len(data):
            self._spill()
        self._file.write(data)
        self._size += len(data)

    def _spill(self) -> None:
        import tempfile

        small, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 (the caller's)
        small.seek(0)
        while piece := small.read(_PIECE):
            self._file.write(piece)
        small.close()
