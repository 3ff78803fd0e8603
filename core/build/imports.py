"""A cache from elsewhere: its document is read first, and blobs come one by one when their layers are needed.

Every blob is compared with its digest while it comes, and every layer with its diffID when it is unpacked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from core.aio import off_loop_to_end
from core.build.ancestry import Past, ancestry_of
from core.build.cache import Entry
from core.build.cachedoc import CACHE_CONFIG, INLINE, Known, read
from core.build.hits import ImportFailed, Tell
from core.build.state import State
from core.errors import DataLoss, DiskFull, EngineError
from core.images.room import ImageRoom
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.document import decode, encode
from core.oci.image import Descriptor, ImageConfig, Manifest

Advance = Callable[[int], None]
WHOLE = 4 << 20  # bytes of a document


class Blobs(Protocol):
    """Where the blobs of one cache are."""

    async def fetch(self, blob: Descriptor, advance: Advance) -> None:
        """Have it in the store, checked. Raises EngineError."""
        ...


class StoreImport:
    """One cache from elsewhere, for builds that are `working` at the collector. `leads` as in Imported."""

    def __init__(self, name: str, known: Known, room: ImageRoom, blobs: Blobs, *, leads: bool = False) -> None:
        self.name = name
        self.leads = leads
        self._known = known
        self._room = room
        self._blobs = blobs

    def find(self, key: str) -> Entry | None:
        """The step with this key."""
        return self._known.entries.get(key)

    def short(self, key: str) -> tuple[str, str] | None:
        """The key of the step with this second key, and what its history says."""
        return self._known.shorts.get(key)

    def after(self, state: State) -> Past | None:
        """The step that follows `state` in the image's history."""
        return None if self._known.ancestry is None else self._known.ancestry.after(state)

    def holds(self, diff_id: Digest) -> bool:
        """Whether it says that it has the layer."""
        return diff_id in self._known.blobs

    async def bring(self, diff_ids: Sequence[Digest], tell: Tell) -> None:
        """Have these layers in the store, unpacked. Raises ImportFailed."""
        try:
            found = [await self._blob(diff_id, tell) for diff_id in diff_ids]
            await self._room.unpacker.unpack(
                diff_ids, found, label=f"cache {self.name}", report=_say_nothing, settle=False
            )
        except DiskFull:
            raise
        except EngineError as error:
            raise ImportFailed(self.name, error.message) from error

    async def _blob(self, diff_id: Digest, tell: Tell) -> Digest:
        layer = self._room.unpacker.known(diff_id)
        if layer is not None:
            return layer.blob
        blob = self._known.blobs[diff_id]
        name = blob.digest.hex[:12]
        if blob.size > (room := self._room.content.room()):
            raise DiskFull(f"cache {self.name}: {blob.size} bytes are to come, and the disk has room for {room}")
        if not self._room.content.has(blob.digest):
            await self._blobs.fetch(blob, lambda count: tell(name, "Downloading", count, blob.size))
        tell(name, "Extracting", blob.size, blob.size)
        return blob.digest


def known_of(manifest: Manifest, config: bytes) -> Known | None:
    """What a manifest from elsewhere knows of steps: a cache's own, or an image's; None = nothing.

    Raises DataLoss.
    """
    if Digest.of(config) != manifest.config.digest:
        raise DataLoss("build cache is not acceptable: its config is not the one that its manifest names")
    if manifest.config.media_type == CACHE_CONFIG:
        return _only_named(read(config), manifest)
    return image_cache(config, manifest)


def image_cache(config: bytes, manifest: Manifest) -> Known | None:
    """What an image's config tells of its steps: a cache inside, and its history. Raises DataLoss."""
    try:
        whole = json.loads(config)
        told = whole.get(INLINE) if isinstance(whole, dict) else None
    except (ValueError, RecursionError) as error:
        raise DataLoss("image config is not valid JSON") from error
    known = Known() if told is None else read(encode(told))
    image = decode(config, ImageConfig, what="image config", error=DataLoss)
    if len(image.rootfs.diff_ids) != len(manifest.layers):
        raise DataLoss("image has another number of layers than its config")
    ancestry = ancestry_of(image)
    if told is None and ancestry is None:
        return None
    blobs = known.blobs | dict(zip(image.rootfs.diff_ids, manifest.layers, strict=True))
    return Known(known.entries, known.shorts, blobs, ancestry)


def _only_named(known: Known, manifest: Manifest) -> Known:
    """Without blobs that the manifest does not name: a registry would not keep them."""
    named = {layer.digest for layer in manifest.layers}
    blobs = {diff_id: blob for diff_id, blob in known.blobs.items() if blob.digest in named}
    return Known(known.entries, known.shorts, blobs)


async def take_in(room: ImageRoom, blob: Descriptor, pieces: AsyncIterator[bytes], advance: Advance) -> None:
    """Store a blob of which `pieces` (an async iterator of bytes) come. Raises DigestMismatch, DataLoss."""
    writer = await off_loop_to_end(room.content.writer)
    try:
        async for piece in pieces:
            if writer.size + len(piece) > blob.size:
                raise DataLoss(f"blob {blob.digest} is larger than the {blob.size} bytes of its descriptor")
            await off_loop_to_end(writer.write, piece)
            advance(writer.size)
        await off_loop_to_end(lambda: writer.commit(blob.digest, settled=False))
    finally:
        writer.abort()


def _say_nothing(_: Progress) -> None:
    pass
