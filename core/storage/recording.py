"""What becomes of a plain tar's bytes while it is unpacked, and the recipe made of that. See `core.storage.recipe`.

Only files are noted whose bytes can be found again under the entry's own path. Everything else stands in the recipe
as it is, read from the tar a second time: what a later entry replaces, small files, headers that nobody knows,
what follows the end. So nothing that an archive holds can make a recipe wrong, only large; and then there is none.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Callable, Iterator

from core.storage.assembly import Files
from core.storage.recipe import LITERAL, FilePart, RecipeWriter, TooLarge

INLINE = 512  # bytes of a file that is not worth being looked for
SMALLEST = 64 << 10  # bytes of a tar below which a recipe saves nothing worth having
SHARE = 0.5  # of a tar's bytes: a larger recipe is not worth having
_PATHS_LIMIT = 64 << 20  # bytes of all paths: they are kept in memory
_CHUNK = 1 << 18

ReadAt = Callable[[int, int], bytes]  # of the tar: count, offset


class Recording:
    """The files that were written so far."""

    def __init__(self) -> None:
        self.replaced = False  # whether something that was made has gone again, and its inode perhaps with it
        self._offsets = array("Q")
        self._sizes = array("Q")
        self._inodes = array("Q")
        self._ends = array("Q")
        self._paths = bytearray()

    def placed(self, path: tuple[bytes, ...], offset: int, size: int, inode: int) -> None:
        """The `size` bytes from `offset` on of the tar are the file at `path` now."""
        if size <= INLINE or len(self._paths) > _PATHS_LIMIT:
            return
        self._offsets.append(offset)
        self._sizes.append(size)
        self._inodes.append(inode)
        self._paths += b"/".join(path)
        self._ends.append(len(self._paths))

    def write(self, tar: ReadAt, size: int, crc: int, folder: int, out: int) -> bool:
        """Write the recipe of the tar of `size` bytes, with this crc32, to `out`; False = there is none.

        All of `folder` is read again on the way: what is put together must be what came. Raises OSError.
        """
        if size < SMALLEST:
            return False
        recipe = _Recipe(RecipeWriter(out, size, limit=int(size * SHARE)), tar, folder)
        try:
            for path, offset, length, inode in self._found():
                recipe.file(path, offset, length, inode)
            recipe.end(size)
        except (TooLarge, MemoryError):
            return False
        finally:
            recipe.files.close()
        return recipe.crc == crc

    def _found(self) -> Iterator[tuple[bytes, int, int, int]]:
        """Path, offset, size, inode in the order of the tar, but for those whose inode a later file has got."""
        last = {inode: number for number, inode in enumerate(self._inodes)} if self.replaced else None
        start = 0
        for number, end in enumerate(self._ends):
            inode = self._inodes[number]
            if last is None or last[inode] == number:
                yield bytes(self._paths[start:end]), self._offsets[number], self._sizes[number], inode
            start = end


class _Recipe:
    """The tar from the beginning on, part by part; `crc` of what has been put together so far."""

    def __init__(self, writer: RecipeWriter, tar: ReadAt, folder: int) -> None:
        self.files = Files(folder)
        self.crc = 0
        self._writer = writer
        self._tar = tar
        self._position = 0

    def file(self, path: bytes, offset: int, size: int, inode: int) -> None:
        """The bytes from `offset` on are a file's, if it is still there."""
        try:
            fd, status = self.files.open(path)
        except OSError:
            return
        try:
            if (status.st_ino, status.st_size) != (inode, size):
                return
            self._as_it_is(offset)
            left = size
            while left and (piece := os.read(fd, min(left, _CHUNK))):
                self.crc = zlib.crc32(piece, self.crc)
                left -= len(piece)
        finally:
            os.close(fd)
        self._writer.file(FilePart(path, size, self.crc))
        self._position = offset + size

    def end(self, size: int) -> None:
        """Nothing of the tar is a file any more."""
        self._as_it_is(size)
        self._writer.close()

    def _as_it_is(self, end: int) -> None:
        while self._position < end:
            piece = self._tar(min(LITERAL, end - self._position), self._position)
            if not piece:
                raise TooLarge  # the tar has become shorter since
            self.crc = zlib.crc32(piece, self.crc)
            self._writer.literal(piece)
            self._position += len(piece)
