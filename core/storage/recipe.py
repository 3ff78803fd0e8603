"""A plain tar without what is in its files: headers, padding and odds and ends, and where each file's bytes are.

With the directory that the tar was unpacked to, it gives back the very bytes. On disk:

    MAGIC, the tar's bytes (8, big endian), then as gzip (RFC 1952), whose check sum guards all of it:
    b"L" length (4)  bytes                            what stands in the tar as it is
    b"F" size (8) crc32 (4) length (2)  path          the bytes of a file of the directory
    b"E"                                              the end

A path is that of the tar's entry, without `.`, `..` and empty parts; links on the way are resolved inside the
directory. Stdlib only and single-threaded: it is also written in the child that applies a layer.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import CorruptStore
from core.storage.tarball import PATH_LIMIT

MAGIC = b"onggi recipe 1\n\0"
LITERAL = 1 << 18  # bytes of one record
_HEAD = struct.Struct(f">{len(MAGIC)}sQ")
_LITERAL = struct.Struct(">cI")
_FILE = struct.Struct(">cQIH")
_LEVEL = 4  # headers are much alike: more takes time and saves little
_CHUNK = 1 << 16


class TooLarge(Exception):
    """The recipe would be larger than it is worth."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """The bytes of the file at `path`: `size` of them; `crc` is the crc32 of the whole tar up to their end."""

    path: bytes
    size: int
    crc: int


class RecipeWriter:
    """Writes the recipe of a tar of `size` bytes to `fd`, at most `limit` bytes of it. Raises TooLarge, OSError."""

    def __init__(self, fd: int, size: int, *, limit: int) -> None:
        self._fd = fd
        self._limit = limit
        self._written = 0
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self._pending = [_HEAD.pack(MAGIC, size)]

    def literal(self, data: bytes) -> None:
        """The next bytes of the tar."""
        for start in range(0, len(data), LITERAL):
            piece = data[start : start + LITERAL]
            self._add(_LITERAL.pack(b"L", len(piece)) + piece)

    def file(self, part: FilePart) -> None:
        """The next bytes of the tar are those of a file."""
        self._add(_FILE.pack(b"F", part.size, part.crc, len(part.path)) + part.path)

    def close(self) -> None:
        """The tar is over."""
        self._add(b"E")
        self._write(self._packer.flush())

    def _add(self, record: bytes) -> None:
        self._write(self._packer.compress(record))

    def _write(self, data: bytes) -> None:
        if not data:
            return
        view = memoryview(b"".join((*self._pending, data)))
        self._pending.clear()
        self._written += len(view)
        if self._written > self._limit:
            raise TooLarge
        while view:
            view = view[os.write(self._fd, view) :]


def tar_size(fd: int) -> int:
    """Bytes of the tar whose recipe `fd` reads, without moving its position. Raises CorruptStore."""
    head = os.pread(fd, _HEAD.size, 0)
    if len(head) < _HEAD.size or not head.startswith(MAGIC):
        raise CorruptStore("recipe of a layer is damaged")
    size: int = _HEAD.unpack(head)[1]
    return size


class RecipeReader:
    """Iterate over the parts of the tar whose recipe `fd` reads: bytes as they are, and files.

    Raises CorruptStore where it is damaged. What it holds in memory is bounded.
    """

    def __init__(self, fd: int) -> None:
        self.size = tar_size(fd)
        self._fd = fd
        self._position = _HEAD.size
        self._unpacker = zlib.decompressobj(31)
        self._buffer = b""
        self._at = 0

    def __iter__(self) -> Iterator[bytes | FilePart]:
        while (kind := self._take(1)) != b"E":
            if kind == b"L":
                (length,) = struct.unpack(">I", self._take(4))
                if length > LITERAL:
                    raise CorruptStore("recipe of a layer is damaged")
                yield self._take(length)
            elif kind == b"F":
                size, crc, length = struct.unpack(">QIH", self._take(14))
                if length > PATH_LIMIT:
                    raise CorruptStore("recipe of a layer is damaged")
                yield FilePart(self._take(length), size, crc)
            else:
                raise CorruptStore("recipe of a layer is damaged")
        while not self._unpacker.eof:  # the check sum comes last
            if self._more():
                raise CorruptStore("recipe of a layer is damaged")

    def _take(self, count: int) -> bytes:
        if self._at + count > len(self._buffer):
            pieces, have = [self._buffer[self._at :]], len(self._buffer) - self._at
            while have < count:
                piece = self._more()
                if not piece and self._unpacker.eof:
                    raise CorruptStore("recipe of a layer is damaged")
                pieces.append(piece)
                have += len(piece)
            self._buffer, self._at = b"".join(pieces), 0
        taken = self._buffer[self._at : self._at + count]
        self._at += count
        return taken

    def _more(self) -> bytes:
        """More of what is packed, perhaps nothing yet."""
        packed = self._unpacker.unconsumed_tail
        if not packed:
            packed = os.pread(self._fd, _CHUNK, self._position)
            self._position += len(packed)
            if not packed:
                raise CorruptStore("recipe of a layer is cut short")
        try:
            return self._unpacker.decompress(packed, LITERAL)
        except zlib.error as error:
            raise CorruptStore("recipe of a layer is damaged") from error
