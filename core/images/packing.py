"""A plain layer becomes gzip for a registry: a blob that can be read, and sent, while it grows."""

from __future__ import annotations

import asyncio
import os
import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator
from functools import partial
from typing import Protocol

from core.aio import off_loop, off_loop_to_end
from core.errors import CorruptStore
from core.images.layers import Layer
from core.images.room import ImageRoom
from core.oci.digest import Digest
from core.registry.upload import Pace
from core.storage.compression import Stream
from core.storage.content import BlobWriter

# The same for all, or the same layer would be pushed under several digests. Of igzip (3 is its best), which takes
# a fifth of the time that zlib takes for as many bytes; zlib's own is for machines that igzip is not made for.
LEVEL = 3
ZLIB_LEVEL = 4
_PIECE = 1 << 20


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def make_packer() -> _Packer:
    """A gzip compressor. No name and no time in the head (RFC 1952): nothing but the layer goes into the digest."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compressobj(ZLIB_LEVEL, zlib.DEFLATED, 31)
    packer: _Packer = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, 31)
    return packer


async def compress(room: ImageRoom, layer: Layer) -> tuple[Digest, int]:
    """Store a layer as gzip, which is the same bytes each time: digest and size. Raises CorruptStore, OSError."""
    packing = await Packing.begin(room, layer)
    try:
        return await packing.make()
    finally:
        packing.close()


class Packing:
    """One layer that is being compressed into the store, and whoever reads what there is of it."""

    def __init__(self, room: ImageRoom, layer: Layer, writer: BlobWriter) -> None:
        self.total = layer.size  # bytes of the plain layer
        self._room = room
        self._layer = layer
        self._writer = writer
        self._fd = writer.reader()
        self._marks = [(0, 0)]  # (packed, plain) bytes after each step
        self._moved = asyncio.Event()
        self._error: BaseException | None = None
        self._made = False

    @classmethod
    async def begin(cls, room: ImageRoom, layer: Layer) -> Packing:
        """Raises OSError."""
        return cls(room, layer, await off_loop_to_end(room.content.writer))

    def close(self) -> None:
        """Nobody reads it any more; what was not made to its end goes."""
        self._writer.abort()
        os.close(self._fd)

    @property
    def size(self) -> int:
        """Bytes of gzip so far."""
        return self._marks[-1][0]

    def plain(self, packed: int) -> int:
        """How many bytes of the layer the first `packed` of the gzip stand for, about."""
        if self._made and packed >= self.size:
            return self._layer.size
        at = bisect_right(self._marks, packed, key=lambda mark: mark[0])
        (before, plain), (after, more) = self._marks[at - 1], self._marks[min(at, len(self._marks) - 1)]
        share = (packed - before) / (after - before) if after > before else 0.0
        return plain + int((more - plain) * share)

    async def make(self) -> tuple[Digest, int]:
        """Compress all of it: digest and size of a blob that waits for `settle`. Raises CorruptStore, OSError."""
        try:
            made = await self._make()
            self._made = True
            return made
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._moved.set()

    async def _make(self) -> tuple[Digest, int]:
        layer, writer = self._layer, self._writer
        source = self._room.content.source(layer.blob)
        try:
            stream = await off_loop_to_end(Stream, source.read_some, limit=layer.size)
            packer = make_packer()

            def step() -> bool:
                piece = stream.read(_PIECE)
                writer.write(packer.compress(piece) if piece else packer.flush())
                return bool(piece)

            while await off_loop_to_end(step):
                self._marks.append((writer.size, stream.size))
                self._moved.set()
                self._moved = asyncio.Event()
            self._marks.append((writer.size, stream.size))
        finally:
            source.close()
        if stream.digest != layer.diff_id:
            raise CorruptStore(f"layer {layer.diff_id} is damaged in the store")
        return await off_loop_to_end(partial(writer.commit, settled=False))

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it from the beginning, as it comes into being. Raises what `make` has failed with."""
        pace, position = Pace(), 0
        while True:
            while position >= self.size and not self._made and self._error is None:
                await self._moved.wait()
            if self._error is not None:
                raise CorruptStore(f"layer {self._layer.diff_id} cannot be packed") from self._error
            if position >= self.size:
                return
            data = await off_loop(os.pread, self._fd, min(pace.size, self.size - position), position)
            position += len(data)
            with pace:
                yield data
