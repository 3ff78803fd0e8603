"""`send`: images to another engine, of which only what it lacks goes over the line. See `core.images.offer`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from core.aio import off_loop_to_end
from core.errors import CorruptStore
from core.images.archive_write import Choice
from core.images.choice import choices
from core.images.offer import PREFACE, Offer, OfferedImage, OfferedLayer, line, parse_want
from core.images.room import ImageRoom
from core.oci.digest import Digest
from core.oci.image import OCI_CONFIG, Descriptor

PIECE = 1 << 20

Write = Callable[[bytes], Awaitable[None]]
ReadLine = Callable[[], Awaitable[bytes]]


class Sender:
    """Offers images and sends their blobs as they lie in the store."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    async def send(self, references: Sequence[str], write: Write, answer: ReadLine | None = None) -> None:
        """Send images through `write`. With `answer` the other side is heard, and only what it wants goes out.

        Raises NoSuchImage before the first byte, CorruptStore where a blob is lost, and what the other side says.
        """
        async with self._room.collector.holding():
            offer = self._offer(choices(self._room.store, references), duplex=answer is not None)
            await write(PREFACE + line(offer))
            wanted = tuple(offer.sizes()) if answer is None else parse_want(await answer(), offer)
            for digest in wanted:
                await self._blob(digest, write)
            await write(line({"end": True}))

    def _offer(self, chosen: Sequence[Choice], *, duplex: bool) -> Offer:
        return Offer(tuple(self._offered(choice) for choice in chosen), duplex)

    def _offered(self, choice: Choice) -> OfferedImage:
        content, image = self._room.content, choice.image
        config = Descriptor(media_type=OCI_CONFIG, digest=image.id, size=content.size(image.id))
        layers = tuple(self._layer(diff_id) for diff_id in image.config.rootfs.diff_ids)
        return OfferedImage(config, image.manifest, layers, tuple(str(name) for name in choice.references))

    def _layer(self, diff_id: Digest) -> OfferedLayer:
        layer = self._room.layers.get(diff_id)
        if layer is None:
            raise CorruptStore(f"layer {diff_id} is missing from the store")
        return OfferedLayer(diff_id, layer.blob, layer.blob_size)

    async def _blob(self, digest: Digest, write: Write) -> None:
        """As it is: the receiver checks the digest anyway."""
        try:
            source = self._room.content.source(digest)
        except CorruptStore as error:
            await write(line({"error": error.message}))
            raise
        try:
            await write(line({"blob": digest, "size": source.size}))
            left = source.size
            while left and (piece := await off_loop_to_end(source.read_some, min(PIECE, left))):
                left -= len(piece)
                await write(piece)
        finally:
            source.close()
        if left:
            raise CorruptStore(f"blob {digest} is cut short in the store")
