"""`load`: an archive's images into the store, all of them or none."""

from __future__ import annotations

import os
from collections.abc import Callable

from core.aio import off_loop_to_end
from core.errors import BadArchive, DigestMismatch
from core.images.archive_read import Archive, seekable_tar
from core.images.layers import Layers
from core.images.layouts import ArchivedImage, host_platform, read_images
from core.images.pile import Pile
from core.images.store import ImageStore, NewImage
from core.images.unpack import Portion, Source, Unpacker
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.document import encode, plain
from core.oci.image import OCI_CONFIG, OCI_MANIFEST, Descriptor, Manifest
from core.storage.compression import MAGIC, TooLong, detect
from core.storage.content import ContentStore
from core.storage.recording import SMALLEST

Report = Callable[[Progress], None]


class Loader:
    """Reads image archives."""

    def __init__(self, content: ContentStore, layers: Layers, store: ImageStore, unpacker: Unpacker) -> None:
        self._content = content
        self._layers = layers
        self._store = store
        self._unpacker = unpacker

    async def load(self, fd: int, report: Report) -> tuple[str, ...]:
        """Take in every image of the archive that `fd` reads; the lines that `docker load` prints.

        Raises BadArchive with one line, and names nothing then.
        """
        tar = await self._tar(fd)
        try:
            archive = await off_loop_to_end(Archive, tar)
            images = await off_loop_to_end(read_images, archive, host_platform())
            new = [await self._take_in(archive, image, report) for image in images]
        finally:
            os.close(tar)
        await self._unpacker.settle()
        lines = self._lines(new)
        self._store.register(new)
        return lines

    async def _tar(self, fd: int) -> int:
        room = self._content.room()
        try:
            return await off_loop_to_end(seekable_tar, fd, self._content.scratch, limit=room)
        except TooLong as error:
            raise self._content.shortage("unpack the archive", room, "more than") from error

    async def _take_in(self, archive: Archive, image: ArchivedImage, report: Report) -> NewImage:
        self._foresee(archive, image, report)
        async with Pile(self._unpacker, image.config.rootfs.diff_ids, label=image.label, report=report) as pile:
            for number in range(len(image.layers)):
                await pile.put(await self._layer(archive, image, number, report))
            size = await pile.size()
        manifest = await off_loop_to_end(self._documents, image)
        return NewImage(image.id, manifest, image.config, size, image.references)

    def _foresee(self, archive: Archive, image: ArchivedImage, report: Report) -> None:
        """Tell what there is to do. Raises DiskFull where the disk has no room for it."""
        pairs = zip(image.config.rootfs.diff_ids, image.layers, strict=True)
        missing = {
            diff_id: archive.size(layer.name, what="a layer")
            for diff_id, layer in pairs
            if self._unpacker.known(diff_id) is None
        }
        needed = sum(missing.values())
        if needed > self._content.room():
            raise self._content.shortage(f"load {image.label}", needed, "at least")
        for diff_id, size in missing.items():
            report(Progress(id=diff_id.hex[:12], status="Loading layer", total=size))

    async def _layer(self, archive: Archive, image: ArchivedImage, number: int, report: Report) -> Source:
        """What to unpack one layer from: a blob that is stored now, or its place in the archive.

        A layer that is known is not read again.
        """
        diff_id, layer = image.config.rootfs.diff_ids[number], image.layers[number]
        known = self._unpacker.known(diff_id)
        total = archive.size(layer.name, what="a layer")
        if known is not None:
            return known.blob
        name = diff_id.hex[:12]

        def advance(current: int) -> None:
            report(Progress(id=name, status="Loading layer", current=current, total=total))

        if layer.blob in (None, diff_id):
            portion = await off_loop_to_end(_portion, archive, layer.name)
            if portion is not None:
                return portion
        try:
            return await self._unpacker.take_in(archive.reader(layer.name, what="a layer"), layer.blob, advance)
        except DigestMismatch as error:
            raise BadArchive(f"layer {number + 1} of {image.label}: {error.message}") from error

    def _documents(self, image: ArchivedImage) -> Descriptor:
        """Store the config and a manifest: the archive's own where its very blobs are kept, else one of ours."""
        self._content.put(image.config_bytes, settled=False)
        if image.manifest is not None and all(
            layer.blob and self._content.has(layer.blob) for layer in image.layers
        ):
            descriptor, data = image.manifest
            self._content.put(data, settled=False)
            return Descriptor(
                media_type=descriptor.media_type or OCI_MANIFEST, digest=descriptor.digest, size=len(data)
            )
        return store_manifest(self._content, self._layers, image.config_bytes, image.config.rootfs.diff_ids)

    def _lines(self, images: list[NewImage]) -> tuple[str, ...]:
        lines = []
        for image in images:
            for reference in image.references:
                holder = self._store.holder(reference)
                if holder is not None and holder.id != image.id:
                    lines.append(
                        f"The image {reference.familiar} already exists, "
                        f"renaming the old one with ID {holder.id} to empty string"
                    )
                lines.append(f"Loaded image: {reference.familiar}")
            if not image.references:
                lines.append(f"Loaded image ID: {image.id}")
        return tuple(lines)


def _portion(archive: Archive, name: str) -> Portion | None:
    """Where a layer lies in the archive, if it is a plain tar that is worth no blob."""
    fd, offset, size = archive.place(name, what="a layer")
    if size < SMALLEST or detect(os.pread(fd, MAGIC, offset)):
        return None
    return Portion(fd, offset, size)


def store_manifest(
    content: ContentStore, layers: Layers, config: bytes, diff_ids: tuple[Digest, ...]
) -> Descriptor:
    """Write the manifest of an image that came without one; where it is. The layers' blobs are in place."""
    found = [layers.get(diff_id) for diff_id in diff_ids]
    manifest = Manifest(
        schema_version=2,
        config=Descriptor(media_type=OCI_CONFIG, digest=Digest.of(config), size=len(config)),
        layers=tuple(layer.descriptor for layer in found if layer is not None),
    )
    data = encode({"mediaType": OCI_MANIFEST, "layers": [], **plain(manifest)})
    digest, size = content.put(data)
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=size)
