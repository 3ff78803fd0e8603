"""Files that can be read anywhere: as they are, or compressed in pieces with an index at the end.

A packed file is gzip (RFC 1952) that any tool unpacks: members of `CHUNK` bytes each, and an empty one whose extra
field `OI` says how long they are: chunk u32, size u64, one u32 a member, little-endian. The field's length stands
again behind it, so that it is found from the end. Who writes logs and who shows them both need this.
"""

from __future__ import annotations

import itertools
import os
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import ClassVar

CHUNK = 256 * 1024  # bytes of a member, unpacked
LEVEL = 6
_MEMBERS = 16_000  # an extra field holds no more: larger files have larger members
MOST = _MEMBERS * (2 << 20)
"""Bytes of the largest file that is worth packing: whoever reads a line of it unpacks a member."""
_MEMBER_LIMIT = 64 << 20  # bytes; more is no file of ours
_MAGIC = b"\x1f\x8b\x08"
_FIXED = struct.Struct("<IQ")
_END = b"\x03\0" + bytes(8)  # an empty stream, its checksum and its length
_HEAD = 10
_KEPT = 16  # members that lie unpacked, of all files


class Plain:
    """A file as it is. Owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @property
    def size(self) -> int:
        """Bytes, now."""
        return os.fstat(self.fd).st_size

    def pread(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on. Raises OSError."""
        return os.pread(self.fd, size, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class Gzipped:
    """A packed file, read as what it holds. Owns the descriptor. `_offsets` are where members begin, and end."""

    _kept: ClassVar[OrderedDict[tuple[int, int], bytes]] = OrderedDict()
    _opened: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self, fd: int) -> None:
        """Raises ValueError, without taking the descriptor, for a file that `pack` has not written."""
        self.fd = fd
        self._chunk, self.size, self._offsets = _index(fd)
        self._serial = next(self._opened)

    def pread(self, size: int, offset: int) -> bytes:
        """As `Plain`; a damaged member is one line that says so, as long as it was. Raises OSError."""
        pieces: list[bytes] = []
        stop = min(offset + size, self.size)
        while offset < stop:
            number, start = divmod(offset, self._chunk)
            piece = self._member(number)[start : start + stop - offset]
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def _member(self, number: int) -> bytes:
        key = (self._serial, number)
        found = self._kept.get(key)
        if found is None:
            start, stop = self._offsets[number : number + 2]
            length = min(self._chunk, self.size - number * self._chunk)
            found = self._kept[key] = _inflated(os.pread(self.fd, stop - start, start), length)
            if len(self._kept) > _KEPT:  # two threads may read one log: each of these steps is one for both
                self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


def readable(fd: int) -> Plain | Gzipped:
    """What the file behind `fd` is; the descriptor is the result's from here on. Raises OSError."""
    if os.pread(fd, len(_MAGIC), 0) != _MAGIC:
        return Plain(fd)
    try:
        return Gzipped(fd)
    except ValueError:
        return Plain(fd)


def pack(source: int, target: int) -> None:
    """Write what `source` holds into `target`, which is empty, and sync it. Raises OSError."""
    size = os.fstat(source).st_size
    chunk = CHUNK
    while chunk * _MEMBERS < size:
        chunk *= 2
    lengths: list[int] = []
    for start in range(0, size, chunk):
        work = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
        member = work.compress(_read(source, min(chunk, size - start), start)) + work.flush()
        _write(target, member)
        lengths.append(len(member))
    table = _FIXED.pack(chunk, size) + struct.pack(f"<{len(lengths)}I", *lengths)
    extra = struct.pack("<2sH", b"OI", len(table) + 2) + table
    length = struct.pack("<H", len(extra) + 2)
    _write(target, _MAGIC + b"\x04" + bytes(5) + b"\xff" + length + extra + length + _END)
    os.fsync(target)


def _read(fd: int, size: int, offset: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.pread(fd, size - len(data), offset + len(data))
        if not piece:
            raise OSError(f"read to pack: the file has become shorter than {offset + size} bytes")
        data += piece
    return data


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _index(fd: int) -> tuple[int, int, list[int]]:
    """Chunk, size, and where members begin. Raises ValueError."""
    end = os.fstat(fd).st_size
    tail = os.pread(fd, 2 + len(_END), max(0, end - 2 - len(_END)))
    if tail[2:] != _END:
        raise ValueError("no index at the end")
    (extra,) = struct.unpack("<H", tail[:2])
    start = end - len(_END) - extra - 2 - _HEAD
    head = os.pread(fd, _HEAD + 2 + extra, max(0, start))
    table = head[_HEAD + 6 : -2]
    ours = head[:4] == _MAGIC + b"\x04" and head[_HEAD + 2 : _HEAD + 4] == b"OI"
    if start < 0 or not ours or len(table) % 4 or len(table) < _FIXED.size:
        raise ValueError("no index at the end")
    chunk, size = _FIXED.unpack_from(table)
    offsets = [0]
    for (length,) in struct.iter_unpack("<I", table[_FIXED.size :]):
        offsets.append(offsets[-1] + length)
    if not 0 < chunk <= _MEMBER_LIMIT or -(-size // chunk) != len(offsets) - 1 or offsets[-1] != start:
        raise ValueError("the index is not of this file")
    return chunk, size, offsets


def _inflated(member: bytes, length: int) -> bytes:
    try:
        work = zlib.decompressobj(31)
        data = work.decompress(member, length)
        if len(data) == length:
            return data
    except zlib.error:
        pass
    return f"onggi: {length} bytes of this log are damaged".encode().ljust(length)[: length - 1] + b"\n"
