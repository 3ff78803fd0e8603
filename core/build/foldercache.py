"""Build caches in a folder of the client's, an OCI image layout. image-spec image-layout.md.

The client reads and writes it: it is asked for one blob after another, and told which ones are to come.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.build.cachedoc import CACHE_CONFIG, Known, Trodden, document, made_layers, manifest_of, refuse_foreign
from core.build.imports import WHOLE, known_of, take_in
from core.errors import CorruptStore, DataLoss, DigestMismatch
from core.images.packing import compress
from core.images.room import ImageRoom
from core.oci.digest import Digest
from core.oci.document import convert, decode, encode, plain
from core.oci.image import INDEX_TYPES, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Index, Manifest

_PIECE = 1 << 20


class Stream(Protocol):
    """One connection to the client."""

    def pieces(self) -> AsyncIterator[bytes]: ...
    async def answer(self) -> Any: ...
    async def send(self, data: bytes) -> None: ...
    def finish(self) -> None: ...


class Session(Protocol):
    """Who asks the client for connections."""

    def stream(self, kind: str, **fields: object) -> AbstractAsyncContextManager[Stream]: ...


class Folder:
    """Folder `number` of the client's."""

    def __init__(self, session: Session, number: int, room: ImageRoom) -> None:
        self._session = session
        self._number = number
        self._room = room

    async def look(self) -> Known | None:
        """What it knows of steps. Raises InvalidArgument where it has none, Unsupported, DataLoss, Unavailable."""
        async with self._session.stream("name", Number=self._number) as stream:
            stream.finish()
            top = convert(await stream.answer(), Descriptor, what="build cache", error=DataLoss)
        data = await self._document(top)
        if top.media_type in INDEX_TYPES:
            refuse_foreign(decode(data, Index, what="build cache", error=DataLoss))
        manifest = decode(data, Manifest, what="build cache", error=DataLoss)
        refuse_foreign(manifest)
        return known_of(manifest, await self._document(manifest.config))

    async def fetch(self, blob: Descriptor, advance: Callable[[int], None]) -> None:
        """Have a blob in the store. Raises Unavailable, DataLoss, DigestMismatch."""
        async with self._session.stream("read", Number=self._number, Digest=str(blob.digest)) as stream:
            stream.finish()
            await take_in(self._room, blob, stream.pieces(), advance)

    async def publish(self, steps: Sequence[Trodden], tell: Callable[[str, int, int], None]) -> Digest:
        """Put the cache of `steps` there: blobs that it lacks, the document, the index last.

        Raises InvalidArgument where the client cannot write, Unavailable, CorruptStore.
        """
        blobs = [(diff_id, await self._layer(diff_id)) for diff_id in made_layers(steps)]
        missing = await self._missing([blob.digest for _, blob in blobs])
        for _, blob in blobs:
            if blob.digest in missing:
                await self._write(blob, tell)
        data = encode(document(steps, blobs))
        config = Descriptor(media_type=CACHE_CONFIG, digest=Digest.of(data), size=len(data))
        await self._write_bytes(config, data)
        data = manifest_of(config, [blob for _, blob in blobs])
        manifest = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(data), size=len(data))
        await self._write_bytes(manifest, data)
        async with self._session.stream("name", Number=self._number, Top=plain(manifest)) as stream:
            stream.finish()
            await stream.answer()
        return manifest.digest

    async def _layer(self, diff_id: Digest) -> Descriptor:
        layer = self._room.unpacker.known(diff_id)
        if layer is None:
            raise CorruptStore(f"layer {diff_id} is missing from the store")
        if layer.media_type != OCI_LAYER:
            return layer.descriptor
        known = self._room.layers.compressed(diff_id)
        digest, size = known if known and self._room.content.has(known[0]) else await compress(self._room, layer)
        self._room.layers.remember_compressed(diff_id, digest, size)
        return Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=size)

    async def _missing(self, digests: Sequence[Digest]) -> set[str]:
        async with self._session.stream("missing", Number=self._number) as stream:
            await stream.send(encode([str(digest) for digest in digests]))
            stream.finish()
            answer = await stream.answer()
        return {str(digest) for digest in answer} if isinstance(answer, list) else set()

    async def _write(self, blob: Descriptor, tell: Callable[[str, int, int], None]) -> None:
        fd = self._room.content.open(blob.digest)
        try:
            async with self._session.stream("write", Number=self._number, Digest=str(blob.digest)) as stream:
                sent = 0
                while piece := await off_loop_to_end(os.pread, fd, _PIECE, sent):
                    await stream.send(piece)
                    sent += len(piece)
                    tell(blob.digest.hex[:12], sent, blob.size)
                stream.finish()
                await stream.answer()
        finally:
            os.close(fd)

    async def _write_bytes(self, blob: Descriptor, data: bytes) -> None:
        async with self._session.stream("write", Number=self._number, Digest=str(blob.digest)) as stream:
            await stream.send(data)
            stream.finish()
            await stream.answer()

    async def _document(self, descriptor: Descriptor) -> bytes:
        data = bytearray()
        async with self._session.stream("read", Number=self._number, Digest=str(descriptor.digest)) as stream:
            stream.finish()
            async for piece in stream.pieces():
                data += piece
                if len(data) > min(descriptor.size, WHOLE):
                    raise DataLoss(f"blob {descriptor.digest} is larger than it may be")
        if Digest.of(bytes(data)) != descriptor.digest:
            raise DigestMismatch(descriptor.digest, Digest.of(bytes(data)))
        return bytes(data)
