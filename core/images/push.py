"""`push`: an image to a repository. Layers side by side, each only where it is missing; the manifest last."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import msgspec

from core.aio import off_loop_to_end
from core.errors import CorruptStore, DataLoss, NoSuchImage, Unavailable
from core.images.layers import Layer
from core.images.packing import Packing
from core.images.pull import is_blob_of
from core.images.remote import Pushed, Report
from core.images.room import ImageRoom
from core.images.store import ImageStore, NewImage
from core.model.events import Progress
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import OCI_CONFIG, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST, Descriptor, Manifest
from core.oci.reference import Reference
from core.registry.answers import Refused
from core.registry.repository import Repository
from core.registry.session import Stumbled
from core.registry.upload import finish, stream, upload

_SMALL = 4 << 20  # bytes of a layer that is packed before anything is sent: that takes no time
_WORTH = 1 << 20  # bytes still to be sent that are worth a question whether they are there already
_COMPRESSED = (OCI_LAYER_GZIP, OCI_LAYER_ZSTD)


def chosen(store: ImageStore, named: Reference, *, all_tags: bool) -> tuple[tuple[Reference, Image], ...]:
    """The tags to push, and their images. Raises NoSuchImage with Docker's words."""
    if all_tags:
        found = store.by_name(named)
    else:
        tag = named.with_default_tag()
        image = store.holder(tag)
        found = ((tag, image),) if image is not None else ()
    if not found and not all_tags and store.by_name(named):
        raise NoSuchImage(f"tag does not exist: {named.with_default_tag().familiar}")
    if not found:
        raise NoSuchImage(f"An image does not exist locally with the tag: {named.familiar_name}")
    return found


class _OtherBytes(CorruptStore):
    """A layer was compressed by another zlib or level than is here now: both are right, and differ."""


class Pusher:
    """Pushes to one repository of `domain`."""

    def __init__(
        self, room: ImageRoom, repository: Repository, domain: str, *, slots: asyncio.Semaphore, report: Report
    ) -> None:
        self._room = room
        self._repository = repository
        self._domain = domain
        self._slots = slots
        self._report = report
        self._there: dict[Digest, asyncio.Task[Descriptor]] = {}

    async def push(self, reference: Reference, image: Image) -> Pushed:
        """One tag. Raises Refused, Unavailable, CorruptStore."""
        diff_ids = image.config.rootfs.diff_ids
        for diff_id in dict.fromkeys(diff_ids):
            layer = self._room.layers.get(diff_id)
            total = self._to_send(layer) if layer is not None else 0
            self._report(Progress(id=diff_id.hex[:12], status="Preparing", total=total))
        own = await off_loop_to_end(self._own_manifest, image)
        try:
            layers = await self._layers(diff_ids, own)
        except _OtherBytes:  # so its manifest cannot be given back, and gets a successor
            own = None
            self._there.clear()
            layers = await self._layers(diff_ids, None)
        config = await off_loop_to_end(self._room.content.read, image.id)
        await self._config(image.id, config)
        descriptor, data = self._manifest(image, config, layers) if own is None else own
        assert reference.tag
        await self._repository.put_manifest(reference.tag, descriptor.media_type, data)
        await off_loop_to_end(self._room.content.put, data)
        await self._keep(diff_ids, layers)
        name = f"{reference.name}@{descriptor.digest}"
        self._room.store.register([NewImage(image.id, descriptor, image.config, image.size, (), (name,))])
        self._report(Progress(status=f"{reference.tag}: digest: {descriptor.digest} size: {descriptor.size}"))
        return Pushed(reference, descriptor.digest, descriptor.size)

    async def layer(self, diff_id: Digest) -> Descriptor:
        """Have one layer in the repository: the blob it is there. Raises Refused, Unavailable, CorruptStore."""
        return (await self._layers([diff_id], None))[0]

    async def document(self, media_type: str, data: bytes) -> Descriptor:
        """Have a small blob in the repository. Raises Refused, Unavailable."""
        digest, size = await off_loop_to_end(self._room.content.put, data)
        descriptor = Descriptor(media_type=media_type, digest=digest, size=size)
        if not await self._exists(digest):
            await self._upload(descriptor, "", "")
        return descriptor

    async def _keep(self, diff_ids: Sequence[Digest], pushed: Sequence[Descriptor]) -> None:
        """Have what was compressed stand for its layer from here on, in place of the plain tar.

        It need not be made again, and stays right whatever zlib comes. The collector takes the tar, or its recipe.
        """
        await self._room.unpacker.settle()
        for diff_id, descriptor in zip(diff_ids, pushed, strict=True):
            layer = self._room.layers.get(diff_id)
            if layer is not None and layer.blob == diff_id != descriptor.digest and self._here(descriptor):
                self._room.layers.add(
                    replace(layer, blob=descriptor.digest, media_type=OCI_LAYER_GZIP, blob_size=descriptor.size)
                )

    def _own_manifest(self, image: Image) -> tuple[Descriptor, bytes] | None:
        """The manifest the image came with or went out with before, where its blobs can be had."""
        try:
            data = self._room.content.read(image.manifest.digest)
            manifest = decode(data, Manifest, what="manifest", error=CorruptStore)
        except DataLoss:
            return None
        diff_ids = image.config.rootfs.diff_ids
        if len(manifest.layers) != len(diff_ids) or manifest.config.digest != image.id:
            return None
        if not image.repo_digests and not all(_is_compressed(layer) for layer in manifest.layers):
            return None  # one of ours, of layers as they were loaded
        pairs = zip(diff_ids, manifest.layers, strict=True)
        if not all(is_blob_of(self._room, layer.digest, diff_id) for diff_id, layer in pairs):
            return None
        return image.manifest, data

    async def _layers(self, diff_ids: Sequence[Digest], own: tuple[Descriptor, bytes] | None) -> list[Descriptor]:
        """Have every layer in the repository, as the manifest names it."""
        wanted: list[Descriptor | None] = [None] * len(diff_ids)
        if own is not None:
            wanted = list(decode(own[1], Manifest, what="manifest").layers)
        for diff_id, want in zip(diff_ids, wanted, strict=True):
            if diff_id in self._there:  # of another tag
                self._report(Progress(id=diff_id.hex[:12], status="Layer already exists"))
            else:
                self._there[diff_id] = asyncio.create_task(self._layer(diff_id, want))
        tasks = [self._there[diff_id] for diff_id in diff_ids]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _layer(self, diff_id: Digest, wanted: Descriptor | None) -> Descriptor:
        name = diff_id.hex[:12]
        layer = self._room.unpacker.known(diff_id)
        if layer is None:
            raise CorruptStore(f"layer {diff_id} is missing from the store")
        if self._slots.locked():
            self._report(Progress(id=name, status="Waiting", total=self._to_send(layer)))
        async with self._slots:
            known = wanted or self._known(layer)
            if known is not None and await self._exists(known.digest):
                self._report(Progress(id=name, status="Layer already exists"))
                return known
            source = self._mountable(known.digest) if known is not None else ""
            url: str | None = ""
            if known is not None and source:
                url = await self._repository.begin(known.digest, source)
                if url is None:
                    self._report(Progress(id=name, status=f"Mounted from {source}"))
                    return known
            if known is None or not self._here(known):
                return await self._packed(layer, wanted, url or "", name)
            await self._upload(known, url or "", name)
            self._report(Progress(id=name, status="Pushed"))
            return known

    async def _packed(self, layer: Layer, wanted: Descriptor | None, url: str, name: str) -> Descriptor:
        """Push a plain layer, which is sent while it is compressed; the blob stays until the push is over.

        Figures are bytes of the plain layer, as Docker's are.
        """
        self._report(Progress(id=name, status="Pushing", current=0, total=layer.size))
        packing = await Packing.begin(self._room, layer)
        sending = _Sending(self._repository, packing, url, self._teller(name, layer.size))
        begun = asyncio.create_task(sending.run()) if layer.size > _SMALL else None
        try:
            digest, size = await packing.make()
            self._room.layers.remember_compressed(layer.diff_id, digest, size)
            found = Descriptor(media_type=OCI_LAYER_GZIP, digest=digest, size=size)
            if wanted is not None and digest != wanted.digest:
                raise _OtherBytes(f"layer {layer.diff_id} compresses to other bytes than it was pushed as")
            unsent = begun is None or packing.size - sending.sent > _WORTH
            if wanted is None and unsent and await self._exists(digest):
                self._report(Progress(id=name, status="Layer already exists"))
                return found
            if begun is None or not await begun or not await sending.ends(digest):
                await self._upload(found, sending.url, name, packing=packing, broken=sending.broken)
            self._report(Progress(id=name, status="Pushed"))
            return found
        finally:
            if begun is not None:
                begun.cancel()
                await asyncio.gather(begun, return_exceptions=True)
            packing.close()

    async def _exists(self, digest: Digest) -> bool:
        """Whether the repository has a blob. Who may not look hears why at the upload: HEAD has no words."""
        try:
            return await self._repository.size(digest) is not None
        except Refused as error:
            if error.http_status != 403:
                raise
            return False

    def _known(self, layer: Layer) -> Descriptor | None:
        """What the layer is in a registry, as far as that is known without compressing it."""
        if layer.media_type in _COMPRESSED:
            return layer.descriptor
        compressed = self._room.layers.compressed(layer.diff_id)
        if compressed is None:
            return None
        return Descriptor(media_type=OCI_LAYER_GZIP, digest=compressed[0], size=compressed[1])

    def _to_send(self, layer: Layer) -> int:
        """Bytes that are told of the layer when it is sent."""
        known = self._known(layer)
        return known.size if known is not None and self._here(known) else layer.size

    def _here(self, descriptor: Descriptor) -> bool:
        return self._room.content.has(descriptor.digest)

    def _mountable(self, blob: Digest) -> str:
        """Another repository of the same registry that has the blob, or else one that may have it; "" = none."""
        maybe, here = "", f"{self._domain}/"
        for image in self._room.store.all():
            named = [name.removeprefix(here).split("@") for name in image.repo_digests if name.startswith(here)]
            others = [(path, digest) for path, digest in named if path != self._repository.path]
            if others and blob in self._blobs_of(image):
                for path, digest in others:
                    if digest == image.manifest.digest:  # the very manifest that names the blob lies there
                        return path
                maybe = maybe or others[0][0]
        return maybe

    def _blobs_of(self, image: Image) -> set[Digest]:
        try:
            data = self._room.content.read(image.manifest.digest)
            return {layer.digest for layer in decode(data, Manifest, what="manifest", error=CorruptStore).layers}
        except DataLoss:
            return set()

    async def _upload(
        self, blob: Descriptor, url: str, name: str, *, packing: Packing | None = None, broken: bool = False
    ) -> None:
        """Send a blob that is here; with `packing` the figures are the layer's. `broken` = as `upload` has it."""
        tell = self._teller(name, blob.size if packing is None else packing.total)
        begun = url or await self._repository.begin(blob.digest)
        if begun is None:
            return

        def advance(sent: int) -> None:
            tell(sent if packing is None else packing.plain(sent))

        fd = await off_loop_to_end(self._room.content.open, blob.digest)
        try:
            await upload(self._repository, fd, blob.digest, blob.size, begun, advance, broken=broken)
        finally:
            os.close(fd)

    def _teller(self, name: str, total: int) -> Callable[[int], None]:
        def advance(current: int) -> None:
            if name:
                self._report(Progress(id=name, status="Pushing", current=current, total=total))

        return throttled(advance, total)

    async def _config(self, ident: Digest, data: bytes) -> None:
        if not await self._exists(ident):
            await self._upload(Descriptor(media_type=OCI_CONFIG, digest=ident, size=len(data)), "", "")

    def _manifest(self, image: Image, config: bytes, layers: Sequence[Descriptor]) -> tuple[Descriptor, bytes]:
        manifest = Manifest(
            schema_version=2,
            config=Descriptor(media_type=OCI_CONFIG, digest=image.id, size=len(config)),
            layers=tuple(msgspec.structs.replace(layer, platform=None) for layer in layers),
        )
        data = encode({"mediaType": OCI_MANIFEST, "layers": [], **plain(manifest)})
        return Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(data), size=len(data)), data


class _Sending:
    """A layer that goes out while it is compressed. What fails here the usual upload does again, from there on."""

    def __init__(self, repository: Repository, packing: Packing, url: str, advance: Callable[[int], None]) -> None:
        self.url = url
        self.sent = 0  # bytes of the packed layer
        self.broken = False  # the upload is there, and some of the layer in it
        self._repository = repository
        self._packing = packing
        self._advance = advance

    async def run(self) -> bool:
        """Send what there is until there is no more of it: whether that went well. Raises Refused, Unavailable."""
        if not self.url:
            self.url = await self._repository.begin() or ""
        if not self.url:
            raise Unavailable("the registry mounts a blob that nobody asked it to")
        try:
            self.url = await stream(self._repository, self._pieces, self.url)
        except (Refused, Stumbled) as error:
            return self._is_for_the_usual_way(error)
        return True

    async def ends(self, digest: Digest) -> bool:
        """Have the registry check and keep it: whether that went well. Raises Refused, Unavailable."""
        try:
            await finish(self._repository, digest, self.url)
        except (Refused, Stumbled) as error:
            return self._is_for_the_usual_way(error)
        return True

    def _is_for_the_usual_way(self, error: Refused | Stumbled) -> bool:
        if isinstance(error, Refused) and error.http_status in (401, 403):
            raise error
        self.broken = isinstance(error, Stumbled)
        if not self.broken:  # it does not take a layer like that, and may take it whole
            self.url = ""
        return False

    async def _pieces(self) -> AsyncIterator[bytes]:
        self.sent = 0
        async for piece in self._packing.pieces():
            yield piece
            self.sent += len(piece)
            self._advance(self._packing.plain(self.sent))


def throttled(
    advance: Callable[[int], None], total: int, every: int = 1 << 20, beat: float = 0.2
) -> Callable[[int], None]:
    """`advance` that hears of a step where it is worth a line: by its bytes, or by the seconds since the last."""
    told, moment = -every, 0.0

    def tell(current: int) -> None:
        nonlocal told, moment
        now = time.monotonic()
        if current == total or current < told or current - told >= every or now - moment >= beat:
            told, moment = current, now
            advance(current)

    return tell


def _is_compressed(layer: Descriptor) -> bool:
    return layer.media_type.endswith(("+gzip", ".gzip", "+zstd"))
