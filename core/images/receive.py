"""`receive`: images that another engine sends. Everything it says is checked. See `core.images.offer`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from core.aio import off_loop_to_end
from core.errors import BadArchive, DigestMismatch, EngineError, InvalidArgument
from core.images.load import store_manifest
from core.images.offer import (
    LINE_LIMIT,
    PREFACE,
    BlobHead,
    Offer,
    OfferedImage,
    line,
    named,
    parse_head,
    parse_offer,
    progress_line,
)
from core.images.room import ImageRoom
from core.images.store import NewImage
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import MANIFEST_TYPES, Descriptor, ImageConfig, Manifest

REPORT_EVERY = 4 << 20  # bytes between two lines about one blob

Say = Callable[[bytes], Awaitable[None]]


class Incoming(Protocol):
    """The sender's stream. Methods raise ConnectionError where it ends or stalls."""

    async def line(self, limit: int) -> bytes:
        """Up to the next newline, without it. Raises BadArchive where it is longer than `limit`."""

    async def some(self, limit: int) -> bytes:
        """At least one byte, at most `limit`."""


class Receiver:
    """Takes images in: blobs beside, verified and renamed; layers compared with their diffIDs; names last."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    async def receive(self, incoming: Incoming, say: Say) -> list[NewImage]:
        """Take in all that the sender offers, or nothing; the images.

        What arrived whole is kept for a while when the stream breaks off: the same images, sent again, go on
        from there. Raises BadArchive, ConnectionError.
        """
        async with self._room.collector.working():
            offer = await self._hear(incoming)
            sizes = offer.sizes()
            missing = self._missing(offer)
            self._check_room(sum(sizes[digest] for digest in missing))
            if offer.duplex:
                await say(line({"want": sorted(missing)}))
            try:
                await self._take_blobs(incoming, offer, missing, say)
            except (ConnectionError, asyncio.CancelledError):
                self._room.collector.spare(sizes)
                raise
            images = [await self._take_in(image, say) for image in offer.images]
            self._room.store.register(images)
        for text in loaded(images):
            await say(line({"stream": f"{text}\n"}))
        return images

    async def _hear(self, incoming: Incoming) -> Offer:
        try:
            preface = await incoming.line(len(PREFACE))
        except BadArchive:
            preface = b""  # a tar has no lines
        if preface + b"\n" != PREFACE:
            raise BadArchive("the stream is not from `image send`; an archive of `save` is for `load`")
        return parse_offer(await incoming.line(LINE_LIMIT))

    def _missing(self, offer: Offer) -> set[Digest]:
        """The blobs that are not here in any form."""
        content, known = self._room.content, self._room.unpacker.known
        layers = [layer for image in offer.images for layer in image.layers]
        here = {layer.blob for layer in layers if known(layer.diff_id) is not None}
        return {digest for digest in offer.sizes() if digest not in here and not content.has(digest)}

    def _check_room(self, size: int) -> None:
        room = self._room.content.room()
        if size > room:
            raise EngineError(f"receive images: {size} bytes are to come, and the disk has room for {room}")

    async def _take_blobs(self, incoming: Incoming, offer: Offer, missing: set[Digest], say: Say) -> None:
        sizes = offer.sizes()
        names = {layer.blob: layer.diff_id.hex[:12] for image in offer.images for layer in image.layers}
        for blob, name in names.items():
            if blob not in missing:
                await say(progress_line(name, "Already exists"))
        coming = set(missing) if offer.duplex else set(sizes)
        while not (head := parse_head(await incoming.line(LINE_LIMIT))).end:
            digest = self._expected(head, coming, sizes)
            coming.discard(digest)
            if digest in missing:
                await self._take_blob(incoming, digest, head.size, names.get(digest, ""), say)
            else:
                await _pass_over(incoming, head.size)
        if coming & missing:
            raise BadArchive(f"the sender has left out {len(coming & missing)} of the blobs")

    @staticmethod
    def _expected(head: BlobHead, coming: set[Digest], sizes: dict[Digest, int]) -> Digest:
        if head.blob is None or head.blob not in coming:
            raise BadArchive("the sender sends a blob that is not due")
        if head.size != sizes[head.blob]:
            raise BadArchive(f"blob {head.blob} comes with another size than it was offered with")
        return head.blob

    async def _take_blob(self, incoming: Incoming, digest: Digest, size: int, name: str, say: Say) -> None:
        writer = await off_loop_to_end(self._room.content.writer)
        told = 0
        try:
            while writer.size < size:
                await off_loop_to_end(writer.write, await incoming.some(size - writer.size))
                if name and (writer.size - told >= REPORT_EVERY or writer.size == size):
                    told = writer.size
                    await say(progress_line(name, "Receiving", writer.size, size))
            await off_loop_to_end(partial(writer.commit, digest))
        except DigestMismatch as error:
            raise BadArchive(f"a blob arrived damaged: {error.message}") from error
        finally:
            writer.abort()

    async def _take_in(self, offered: OfferedImage, say: Say) -> NewImage:
        room = self._room
        data = await off_loop_to_end(room.content.read, offered.config.digest)
        config = decode(data, ImageConfig, what=f"config of {offered.label}", error=BadArchive)
        diff_ids = config.rootfs.diff_ids
        if diff_ids != tuple(layer.diff_id for layer in offered.layers):
            raise BadArchive(f"{offered.label} has other layers than it was offered with")
        blobs = []
        for layer in offered.layers:
            known = room.unpacker.known(layer.diff_id)
            blobs.append(layer.blob if known is None else known.blob)
        for diff_id in diff_ids:
            await say(progress_line(diff_id.hex[:12], "Extracting"))
        size = await room.unpacker.unpack(diff_ids, blobs, label=offered.label, report=_say_nothing)
        manifest = await off_loop_to_end(self._manifest, offered, data, diff_ids)
        for diff_id in diff_ids:
            await say(progress_line(diff_id.hex[:12], "Pull complete"))
        return NewImage(Digest.of(data), manifest, config, size, tuple(named(text) for text in offered.references))

    def _manifest(self, offered: OfferedImage, config: bytes, diff_ids: tuple[Digest, ...]) -> Descriptor:
        """The sender's own where it fits what is here, else one of ours."""
        content = self._room.content
        with suppress(InvalidArgument):
            data = content.read(offered.manifest.digest)
            manifest = decode(data, Manifest, what="manifest")
            blobs = [layer.digest for layer in manifest.layers]
            here = blobs == [layer.blob for layer in offered.layers] and all(content.has(blob) for blob in blobs)
            kind = offered.manifest.media_type
            if here and manifest.config.digest == offered.config.digest and kind in MANIFEST_TYPES:
                return Descriptor(media_type=kind, digest=offered.manifest.digest, size=len(data))
        return store_manifest(content, self._room.layers, config, diff_ids)


def loaded(images: Sequence[NewImage]) -> Iterator[str]:
    """The lines that say what came in, one a name, as `load` prints them."""
    for image in images:
        yield from (f"Loaded image: {reference.familiar}" for reference in image.references)
        if not image.references:
            yield f"Loaded image ID: {image.id}"


async def _pass_over(incoming: Incoming, size: int) -> None:
    while size:
        size -= len(await incoming.some(size))


def _say_nothing(_: Progress) -> None:
    pass
