"""`pull`: an image from a repository into the store. Blobs as they come, layers in order, names last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from core.aio import off_loop_to_end
from core.errors import DataLoss, DigestMismatch, DiskFull, InvalidArgument, NotFound
from core.images.fetches import Advance, Fetches
from core.images.load import store_manifest
from core.images.pile import Pile
from core.images.remote import Pulled, Report
from core.images.room import ImageRoom
from core.images.store import NewImage
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import Descriptor, ImageConfig, Index, Manifest, Platform
from core.oci.reference import Reference
from core.registry.answers import shown
from core.registry.download import fetch
from core.registry.manifests import Document, choose
from core.registry.repository import Repository
from core.storage.partial import PartialBlob

_DEPTH = 3  # indexes in indexes


@dataclass(frozen=True, slots=True)
class _Found:
    """What a name stands for: `top` = the digest it has there, `document` = the image's own manifest."""

    top: Digest
    document: Document
    manifest: Manifest
    config_bytes: bytes
    config: ImageConfig

    @property
    def id(self) -> Digest:
        return Digest.of(self.config_bytes)


class Puller:
    """Pulls from one repository. `wanted` None = whatever fits `host`."""

    def __init__(
        self,
        room: ImageRoom,
        repository: Repository,
        *,
        fetches: Fetches,
        slots: asyncio.Semaphore,
        wanted: Platform | None,
        host: Platform,
        report: Report,
    ) -> None:
        self._room = room
        self._repository = repository
        self._fetches = fetches
        self._slots = slots
        self._wanted = wanted
        self._host = host
        self._report = report

    async def pull(self, reference: Reference) -> Pulled:
        """One image. Raises Refused, NotFound, DataLoss, Unavailable, BadArchive."""
        what = str(reference.digest or reference.tag)
        told = str(reference) if reference.digest else what
        self._report(Progress(id=told, status=f"Pulling from {reference.path}"))
        found = await self._find(reference, what)
        here = self._room.store.get(found.id)
        whole = here is not None and self._stands(found.config)  # then it is only another name
        blobs = here.size if here is not None and whole else await self._bring_in(found, reference.familiar)
        references = () if reference.digest else (reference,)
        name = f"{reference.name}@{found.top}"
        before = self._room.store.holder(reference) if not reference.digest else self._room.store.get(found.id)
        manifest = await off_loop_to_end(self._store_documents, found)
        await self._room.unpacker.settle()
        image = NewImage(found.id, manifest, found.config, blobs, references, (name,))
        self._room.store.register([image])
        new = before is None or before.id != found.id
        self._report(Progress(status=f"Digest: {found.top}"))
        self._warn(reference, found.config)
        return Pulled(reference, self._room.image(found.id), found.top, new)

    async def _find(self, reference: Reference, what: str) -> _Found:
        top = await self._repository.manifest(what)
        document = top
        for _ in range(_DEPTH):
            if isinstance(document.content, Manifest):
                break
            document = await self._from_index(document.content)
        manifest = document.content
        if isinstance(manifest, Index):
            raise DataLoss("image has too many indexes inside each other")
        data = await self._config(manifest.config)
        config = decode(data, ImageConfig, what="image config", error=DataLoss)
        self._check(manifest, config)
        return _Found(top.descriptor.digest, document, manifest, data, config)

    async def _from_index(self, index: Index) -> Document:
        wanted = self._wanted or self._host
        chosen = choose(index, wanted)
        if chosen is None:
            raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")
        document = await self._repository.manifest(chosen.digest)
        if document.descriptor.size != chosen.size:
            raise DataLoss(f"manifest {chosen.digest} does not have the size its index says")
        if chosen.media_type and document.descriptor.media_type != chosen.media_type:
            raise DataLoss(f"manifest {chosen.digest} is not of the kind its index says")
        return document

    async def _config(self, descriptor: Descriptor) -> bytes:
        content, known = self._room.content, self._room.store
        if known.get(descriptor.digest) is not None or descriptor.digest in known.broken:
            try:
                return await off_loop_to_end(content.read, descriptor.digest)
            except DataLoss:  # damaged here: the registry's takes its place
                data = await self._repository.document(descriptor)
                await off_loop_to_end(content.delete, descriptor.digest)
                return data
        return await self._repository.document(descriptor)

    def _check(self, manifest: Manifest, config: ImageConfig) -> None:
        if len(manifest.layers) != len(config.rootfs.diff_ids):
            raise DataLoss(
                f"image has {len(manifest.layers)} layers, but its config lists {len(config.rootfs.diff_ids)}"
            )
        if config.os not in ("linux", ""):
            raise InvalidArgument(f'image operating system "{shown(config.os)}" cannot be used on this platform')

    def _warn(self, reference: Reference, config: ImageConfig) -> None:
        """A name of a single image gives it to everybody, as with Docker. moby daemon/images/image_pull.go."""
        wanted = self._wanted
        if wanted is not None and (config.os or "linux", config.architecture) != (wanted.os, wanted.architecture):
            actual = f"{shown(config.os)}/{shown(config.architecture)}"
            self._report(
                Progress(
                    status=f"WARNING: image with reference {reference.familiar} was found but does not match "
                    f"the specified platform: wanted {wanted}, actual: {actual}"
                )
            )

    def _stands(self, config: ImageConfig) -> bool:
        """Whether every layer is here, as a blob and unpacked."""
        unpacker = self._room.unpacker
        return all(map(unpacker.known, config.rootfs.diff_ids)) and all(map(unpacker.stands, config.chain))

    async def _bring_in(self, found: _Found, label: str) -> int:
        """Have every layer stand; bytes of all of them."""
        diff_ids, layers = found.config.rootfs.diff_ids, found.manifest.layers
        names = {diff_id: layer.digest.hex[:12] for diff_id, layer in zip(diff_ids, layers, strict=True)}

        def report(step: Progress) -> None:  # of the pile: by diffID
            name = next((name for diff_id, name in names.items() if diff_id.hex[:12] == step.id), step.id)
            self._report(Progress(id=name, status="Extracting", current=step.current, total=step.total))

        def stacked(diff_id: Digest) -> None:
            self._report(Progress(id=names[diff_id], status="Pull complete"))

        self._check_room(found, label)
        for layer in layers:
            self._report(Progress(id=layer.digest.hex[:12], status="Pulling fs layer", total=layer.size))
        coming = [
            asyncio.create_task(self._layer(diff_id, layer))
            for diff_id, layer in zip(diff_ids, layers, strict=True)
        ]
        full = False
        try:
            async with Pile(self._room.unpacker, diff_ids, label=label, report=report, stacked=stacked) as pile:
                await _in_order(coming, pile)
                return await pile.size()
        except DiskFull:
            full = True
            raise
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)
            if full:
                self._give_back(found)

    def _give_back(self, found: _Found) -> None:
        """Keep nothing for another time of what has come: the disk has no room for it."""
        for diff_id, layer in zip(found.config.rootfs.diff_ids, found.manifest.layers, strict=True):
            if self._room.unpacker.known(diff_id) is None:
                self._room.content.delete(layer.digest)

    def _check_room(self, found: _Found, label: str) -> None:
        content = self._room.content
        missing = sum(
            layer.size
            for diff_id, layer in zip(found.config.rootfs.diff_ids, found.manifest.layers, strict=True)
            if self._room.unpacker.known(diff_id) is None and not content.has(layer.digest)
        )
        if missing > content.room():
            raise content.shortage(f"pull {label}", missing, "at least")

    async def _layer(self, diff_id: Digest, layer: Descriptor) -> Digest:
        """Have a layer's blob in the store; the digest of the blob that is there."""
        name = layer.digest.hex[:12]
        known = self._room.unpacker.known(diff_id)
        if known is not None:
            self._report(Progress(id=name, status="Already exists"))
            return known.blob

        def advance(current: int) -> None:
            status = "Downloading" if current < layer.size else "Verifying Checksum"
            self._report(Progress(id=name, status=status, current=current, total=layer.size))

        if self._slots.locked():
            self._report(Progress(id=name, status="Waiting", total=layer.size))
        await self._fetches.get(layer.digest, partial(self._fetch, layer), advance)
        self._report(Progress(id=name, status="Download complete"))
        return layer.digest

    async def _fetch(self, layer: Descriptor, advance: Advance) -> None:
        content = self._room.content
        async with self._slots:
            blob = await off_loop_to_end(content.partial, layer.digest)
            try:
                went_on = blob.size > 0
                if went_on:
                    advance(blob.size)
                await fetch(self._repository, layer, _Sink(blob), advance)
                try:
                    await off_loop_to_end(content.arrived, blob, layer.digest)
                except DigestMismatch:
                    if not went_on:
                        raise
                    # What was here already may have been the wrong part: a power loss leaves zeros.
                    await fetch(self._repository, layer, _Sink(blob), advance)
                    await off_loop_to_end(content.arrived, blob, layer.digest)
            except DigestMismatch as error:
                raise DataLoss(
                    f"filesystem layer verification failed for digest {layer.digest}", detail=error.message
                ) from error
            finally:
                await off_loop_to_end(content.left, blob)

    def _store_documents(self, found: _Found) -> Descriptor:
        """Store config and manifest: the registry's own where it is known to be of these very layers."""
        room = self._room
        room.content.put(found.config_bytes, settled=False)
        pairs = zip(found.config.rootfs.diff_ids, found.manifest.layers, strict=True)
        if all(is_blob_of(room, layer.digest, diff_id) for diff_id, layer in pairs):
            room.content.put(found.document.data, settled=False)
            return found.document.descriptor
        known = room.store.get(found.id)
        if known is not None:
            return known.manifest
        return store_manifest(room.content, room.layers, found.config_bytes, found.config.rootfs.diff_ids)


class _Sink:
    """A partial blob for who must not block."""

    def __init__(self, blob: PartialBlob) -> None:
        self._blob = blob

    @property
    def size(self) -> int:
        return self._blob.size

    async def write(self, data: bytes) -> None:
        await off_loop_to_end(self._blob.write, data)

    async def restart(self) -> None:
        await off_loop_to_end(self._blob.restart)


def is_blob_of(room: ImageRoom, blob: Digest, diff_id: Digest) -> bool:
    """Whether `blob` is known to hold the layer: it is its tar, it was unpacked from it, or compressed to it."""
    layer, compressed = room.layers.get(diff_id), room.layers.compressed(diff_id)
    return (
        blob == diff_id
        or (layer is not None and layer.blob == blob)
        or (compressed is not None and compressed[0] == blob)
    )


async def _in_order(coming: Sequence[asyncio.Task[Digest]], pile: Pile) -> None:
    """Pile the layers up as they come, bottom first; the first failure of any ends it."""
    for number, task in enumerate(coming):
        waiting = set(coming[number:])
        while not task.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        await pile.put(task.result())
