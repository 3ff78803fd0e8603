"""Compressed streams as plain ones: gzip, bzip2, xz and zstd by their magic numbers, bounded in size and ratio.

Stdlib only (but for zstd before Python 3.14) and single-threaded: it also runs in the child that applies a
layer. No helper program is ever run, because a program found through an image's or archive's influence has been
a way in before.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import os
import zlib
from collections.abc import Callable
from typing import Protocol

from core.errors import BadArchive
from core.storage import zstd

CHUNK = 1 << 18
XZ_MEMORY = 96 << 20  # bytes; `xz -9` needs 65 MiB to decompress
RATIO = 250  # deflate's best is 1032:1, which only a bomb or a file of zeros reaches
RATIO_FLOOR = 256 << 20  # below this many bytes the ratio says nothing
MAGIC = 6  # bytes that tell every known kind

_MAGICS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))

ReadSome = Callable[[int], bytes]


class TooLong(BadArchive):
    """There are more plain bytes than the limit; often it is the disk's, and no fault of the archive."""


class _Decoder(Protocol):
    """What bz2 and lzma decompressors have in common; `_Gzip` gives zlib the same shape."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY),
}
_DAMAGE = (zlib.error, lzma.LZMAError, EOFError)


def detect(head: bytes) -> str:
    """The compression that `head` (at least `MAGIC` bytes of the start) shows: gzip, bzip2, xz, zstd or ""."""
    if head[1:4] == zstd.SKIPPABLE and head[:1] and 0x50 <= head[0] < 0x60:
        return "zstd"
    return next((name for magic, name in _MAGICS if head.startswith(magic)), "")


def get_ready(fd: int, offset: int = 0) -> None:
    """Have what `fd` (a file, from `offset` on) needs to be read, before this process loses sight of it.

    Raises Unsupported.
    """
    if detect(os.pread(fd, MAGIC, offset)) == "zstd":
        zstd.module()


class Stream:
    """Plain bytes from a possibly compressed source, with their digest and count.

    `read_some(n)` of the source gives at most n bytes, b"" at the end. `hashed` off saves the digest of a source
    that is plain, where it is known. Raises BadArchive where the source is
    damaged, ends early, or grows past `limit` bytes or a believable ratio; OSError of the source passes.
    """

    def __init__(self, read_some: ReadSome, *, limit: int | None = None, hashed: bool = True) -> None:
        self._source = read_some
        self._limit = limit
        self._hash = hashlib.sha256()
        self._head = b""
        while len(self._head) < MAGIC and (piece := read_some(CHUNK)):
            self._head += piece
        self.compression = detect(self._head)
        self._hashed = hashed or bool(self.compression)
        self._raw = len(self._head)
        self._decoder = self._new_decoder()
        self._chunk = b""
        self._position = 0
        self._ended = False
        self.size = 0  # plain bytes so far

    def _new_decoder(self) -> _Decoder | None:
        if not self.compression:
            return None
        if self.compression == "zstd":
            decoder: _Decoder = zstd.make_decoder()()
            return decoder
        return _DECODERS[self.compression]()

    @property
    def digest(self) -> str:
        """sha256 of all plain bytes so far, as `sha256:hex`."""
        return f"sha256:{self._hash.hexdigest()}"

    def read_some(self, limit: int) -> bytes:
        """Between 1 and `limit` plain bytes; b"" at the end."""
        if self._position >= len(self._chunk) and not self._refill():
            return b""
        piece = self._chunk[self._position : self._position + limit]
        self._position += len(piece)
        return piece

    def read(self, count: int) -> bytes:
        """`count` plain bytes, fewer only at the end."""
        piece = self.read_some(count)
        if len(piece) == count:
            return piece
        pieces, missing = [piece], count - len(piece)
        while missing and (piece := self.read_some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def skip(self, count: int) -> int:
        """Read `count` bytes and forget them; returns how many there were."""
        left = count
        while left and (piece := self.read_some(left)):
            left -= len(piece)
        return count - left

    def _refill(self) -> bool:
        piece = b"" if self._ended else self._next()
        self._ended = not piece
        self._chunk, self._position = piece, 0
        if self._hashed:
            self._hash.update(piece)
        self.size += len(piece)
        if self._limit is not None and self.size > self._limit:
            raise TooLong(f"archive unpacks to more than {self._limit} bytes")
        if self._decoder and self.size > RATIO_FLOOR and self.size > RATIO * self._raw:
            raise BadArchive("archive unpacks to far more bytes than it has, it looks like a decompression bomb")
        return not self._ended

    def _next(self) -> bytes:
        if self._decoder is None:
            return self._more()
        try:
            return self._decompressed()
        except _DAMAGE as error:
            raise BadArchive(f"{self.compression} data is damaged") from error
        except OSError as error:  # bz2 has no error of its own
            if error.errno:
                raise
            raise BadArchive(f"{self.compression} data is damaged") from error
        except Exception as error:
            if self.compression == "zstd" and isinstance(error, zstd.error()):
                raise BadArchive(f"{self.compression} data is damaged, or needs too much memory") from error
            raise

    def _decompressed(self) -> bytes:
        while True:
            assert self._decoder is not None
            if self._decoder.eof:
                if not self._next_member():
                    return b""
                continue
            data = self._more() if self._decoder.needs_input else b""
            if not data and self._decoder.needs_input:
                raise BadArchive(f"{self.compression} data is truncated")
            plain = self._decoder.decompress(data, CHUNK)
            if plain:
                return plain

    def _next_member(self) -> bool:
        """Compressed files may be strung together, and padded with zeros (gzip(1), "Advanced usage")."""
        assert self._decoder is not None
        rest = self._decoder.unused_data.lstrip(b"\0")
        while len(rest) < MAGIC and (more := self._more()):
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            return False
        if detect(rest) != self.compression:
            raise BadArchive(f"{self.compression} data is followed by something else")
        self._decoder = self._new_decoder()
        self._head = rest
        return True

    def _more(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        piece = self._source(CHUNK)
        self._raw += len(piece)
        return piece


def stream_of(fd: int, *, limit: int | None = None, hashed: bool = True) -> Stream:
    """The plain bytes of what `fd` reads from here on; the descriptor stays the caller's."""
    return Stream(lambda count: os.read(fd, count), limit=limit, hashed=hashed)
