"""A plain tar, put together again from its recipe and the directory that it was unpacked to.

What is read is judged by whoever reads it, by the tar's digest. The directory is an image's: its links are resolved
inside it, and only regular files are read. Stdlib only and single-threaded.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Generator, Iterator

from core.errors import CorruptStore
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2
from core.storage.recipe import FilePart, RecipeReader
from core.storage.tarball import shown

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
_CHUNK = 1 << 18


class DamagedFile(CorruptStore):
    """It is not the recipe but a file that is not as it was."""


class Files:
    """The files of a directory, by the paths of a recipe. One parent is kept open: files come in groups."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._parent_path: bytes | None = None
        self._parent = -1

    def open(self, path: bytes) -> tuple[int, os.stat_result]:
        """A new descriptor of the regular file at `path`. Raises OSError; EINVAL = it is something else."""
        above, _, name = path.rpartition(b"/")
        if above != self._parent_path:
            self.close()
            self._parent = openat2(self._folder, os.fsdecode(above) or ".", _FOLDER, 0, _RESOLVE)
            self._parent_path = above
        fd = os.open(name, _FILE, dir_fd=self._parent)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file")
        return fd, status

    def close(self) -> None:
        """Forget the parent."""
        if self._parent_path is not None:
            os.close(self._parent)
            self._parent_path = None


class Assembly:
    """The tar's bytes in order. Both descriptors stay the caller's; `close` frees what it has opened itself.

    Raises CorruptStore where the recipe is damaged, or a file is missing or not what it was.
    """

    def __init__(self, recipe: int, folder: int) -> None:
        reader = RecipeReader(recipe)
        self.size = reader.size  # bytes of the whole tar
        self._files = Files(folder)
        self._pieces = self._all(reader)
        self._rest = b""
        self._crc = 0

    def read_some(self, limit: int) -> bytes:
        """Between 1 and `limit` bytes; b"" at the end."""
        gathered, missing = [], limit
        while missing:
            piece = self._rest or next(self._pieces, b"")
            if not piece:
                break
            self._rest = piece[missing:]
            gathered.append(piece[:missing] if self._rest else piece)
            missing -= len(gathered[-1])
        return b"".join(gathered)

    def close(self) -> None:
        """Nothing is read any more."""
        self._pieces.close()
        self._files.close()

    def _all(self, reader: RecipeReader) -> Generator[bytes, None, None]:
        given = 0
        for part in reader:
            if isinstance(part, bytes):
                given += len(part)
                self._crc = zlib.crc32(part, self._crc)
                yield part
            else:
                given += part.size
                yield from self._contents(part)
        if given != self.size:
            raise CorruptStore("recipe of a layer is damaged")

    def _contents(self, part: FilePart) -> Iterator[bytes]:
        try:
            fd, status = self._files.open(part.path)
        except OSError as error:
            raise DamagedFile(f"file {_shown(part)} of a layer cannot be read: {error.strerror}") from error
        try:
            left = part.size if status.st_size == part.size else 0
            while left and (piece := os.read(fd, min(left, _CHUNK))):
                self._crc = zlib.crc32(piece, self._crc)
                left -= len(piece)
                yield piece
            if left or status.st_size != part.size:
                raise DamagedFile(f"file {_shown(part)} of a layer has another size")
            if self._crc != part.crc:
                raise DamagedFile(f"file {_shown(part)} of a layer has other contents")
        finally:
            os.close(fd)


def _shown(part: FilePart) -> str:
    return "/" + shown(part.path)
