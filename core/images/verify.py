"""`verify`: every byte that images stand on is read again, and what is damaged or lost is named, and repaired.

A layer's directory can be made anew from its blob, a manifest of ours from its layers; everything else only a
registry can give back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.errors import BadArchive, DataLoss, EngineError
from core.images.load import store_manifest
from core.images.room import ImageRoom
from core.model.events import Progress
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference

Report = Callable[[Progress], None]
InUse = Callable[[Digest], bool]


class Puller(Protocol):
    """Who gets from a registry what is missing of an image."""

    async def pull(self, reference: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `what` = config, manifest, blob (of a layer), files (of an unpacked layer) or image; `state` = damaged or lost;
    `images` = the names (or ids) of those that need it; `repaired` says how, "" = it was not.
    """

    what: str
    digest: str
    state: str
    detail: str
    images: tuple[str, ...]
    repaired: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was read (`bytes` of `checked` things), and what is wrong."""

    checked: int
    bytes: int
    findings: tuple[Finding, ...]


class Verifier:
    """Reads, compares and repairs. `in_use` = whether a running container stands on a layer (its chainID)."""

    def __init__(self, room: ImageRoom, *, in_use: InUse, puller: Puller | None = None) -> None:
        self._room = room
        self._in_use = in_use
        self._puller = puller

    async def verify(self, references: Sequence[str], *, repair: bool, report: Report) -> Verdict:
        """Check the images named, or all. Raises NoSuchImage."""
        room = self._room
        images = [room.store.find(text) for text in references] if references else list(room.store.all())
        async with room.collector.holding():
            check = _Check(room, images, report)
            await check.documents()
            await check.layers()
        findings = check.findings + (
            [] if references else [self._broken(*item) for item in room.store.broken.items()]
        )
        if repair:
            async with room.collector.working():
                findings = [await self._repaired(finding, images) for finding in findings]
                await self._slim(images)
        return Verdict(check.checked, check.bytes, tuple(findings))

    async def _slim(self, images: Sequence[Image]) -> None:
        """Plain layers that an earlier version has kept twice, as tar and as files, need the tar no more."""
        sound = {diff_id for image in images for diff_id in image.config.rootfs.diff_ids}
        for diff_id in sound:
            await self._room.unpacker.slim(diff_id)
        await self._room.unpacker.settle()

    def _broken(self, ident: Digest, reason: str) -> Finding:
        tags, _ = self._room.store.names_of(ident)
        shown = tuple(Reference.parse(tag).familiar for tag in tags) or (ident.hex[:12],)
        return Finding("image", ident, "lost", reason, shown)

    async def _repaired(self, finding: Finding, images: Sequence[Image]) -> Finding:
        try:
            return replace(finding, repaired=await self._repair(finding, images))
        except EngineError as error:
            return replace(finding, detail=f"{finding.detail}; {error.message}")

    async def _repair(self, finding: Finding, images: Sequence[Image]) -> str:
        if finding.what == "files":
            return await self._unpack_again(Digest(finding.digest), images)
        if finding.what == "image":
            return await self._whole_again(finding, Digest(finding.digest))
        digest = Digest(finding.digest)
        users = [image for image in images if digest in _digests(self._room, image)]
        if finding.what == "manifest":
            for image in users:
                if await off_loop_to_end(self._written_again, image):
                    return "written again from its layers"
        return await self._fetch_again(finding, digest, users)

    async def _whole_again(self, finding: Finding, ident: Digest) -> str:
        """An image whose config cannot be read: a registry that it came from, or went to, still has it."""
        _, sources = self._room.store.names_of(ident)
        if not sources:
            self._room.store.delete(ident)
            return "forgotten: nothing of it can be read"
        return await self._fetch(ident, sources)

    def _written_again(self, image: Image) -> bool:
        self._room.content.delete(image.manifest.digest)
        config = self._room.content.read(image.id)
        made = store_manifest(self._room.content, self._room.layers, config, image.config.rootfs.diff_ids)
        if not image.repo_digests:  # ours alone; its layers may have been compressed since it was written
            self._room.store.set_manifest(image.id, made)
            return True
        return made.digest == image.manifest.digest

    async def _fetch_again(self, finding: Finding, digest: Digest, users: Sequence[Image]) -> str:
        sources = [source for image in users for source in _sources(image)]
        if finding.what == "blob":  # what does not hash to its name is worth nothing, and would be taken for it
            await off_loop_to_end(self._room.content.delete, digest)
        if not sources:
            raise DataLoss("no registry is known to have it: load or pull the image again")
        return await self._fetch(digest, sources)

    async def _fetch(self, digest: Digest, sources: Sequence[str]) -> str:
        """Have a blob from one of `sources`."""
        if self._puller is None:
            raise DataLoss(f"pull {Reference.parse(sources[0]).familiar} to have it again")
        await off_loop_to_end(self._room.content.delete, digest)
        failures = []
        for source in sources:
            try:
                await self._puller.pull(source)
            except EngineError as error:
                failures.append(error.message)
            # A plain layer has come back in another form.
            if self._room.content.has(digest) or self._room.unpacker.known(digest) is not None:
                return f"fetched again from {Reference.parse(source).familiar}"
        raise DataLoss("; ".join(failures) or "no registry has it any more")

    async def _unpack_again(self, name: Digest, images: Sequence[Image]) -> str:
        if self._in_use(name):
            raise DataLoss("a running container stands on it: stop it first")
        room = self._room
        diff_id = next(
            diff_id
            for image in images
            for diff_id, chain_id in zip(image.config.rootfs.diff_ids, image.config.chain, strict=True)
            if chain_id == name
        )
        layer = room.layers.get(diff_id)
        if layer is None:
            raise DataLoss("its blob is lost too")
        applied = await room.unpacker.apply(layer.blob, f"layer {diff_id}")
        if applied.diff_id != diff_id:
            await room.unpacker.drop(applied)
            raise BadArchive("its blob is damaged too")
        await room.snapshots.exchange(applied.key, name, size=applied.unpacked, own_root=applied.own_root)
        room.unpacker.adopt(applied.diff_id, applied.recipe)
        return "unpacked again from its blob"


class _Check:
    """One pass over some images."""

    def __init__(self, room: ImageRoom, images: Sequence[Image], report: Report) -> None:
        self._room = room
        self._images = images
        self._report = report
        self.findings: list[Finding] = []
        self.checked = 0
        self.bytes = 0

    def _add(self, what: str, digest: str, state: str, detail: str, users: Sequence[Image]) -> None:
        shown = tuple(name for one in users for name in names(one))
        self.findings.append(Finding(what, digest, state, detail, shown))

    async def documents(self) -> None:
        """Configs and manifests."""
        for image in self._images:
            for what, digest in (("config", image.id), ("manifest", image.manifest.digest)):
                users = [one for one in self._images if digest in (one.id, one.manifest.digest)]
                if users[0] is image:
                    await self._document(what, digest, users)

    async def _document(self, what: str, digest: Digest, users: Sequence[Image]) -> None:
        self.checked += 1
        try:
            self.bytes += len(await off_loop_to_end(self._room.content.read, digest))
        except DataLoss as error:
            state = "damaged" if self._room.content.has(digest) else "lost"
            self._add(what, digest, state, error.message, users)

    async def layers(self) -> None:
        """Blobs of layers, and what they were unpacked to."""
        wanted: dict[Digest, tuple[Digest, Digest | None]] = {}
        for image in self._images:
            chain = image.config.chain
            for number, (diff_id, name) in enumerate(zip(image.config.rootfs.diff_ids, chain, strict=True)):
                wanted[name] = (diff_id, chain[number - 1] if number else None)
        total = len(wanted)
        done = 0

        async def one(name: Digest, diff_id: Digest, parent: Digest | None) -> None:
            nonlocal done
            async with self._room.unpacker.slots:
                await self._layer(name, diff_id, parent)
            done += 1
            self._report(Progress(id="layers", status="Verifying", current=done, total=total))

        await asyncio.gather(*(one(name, *rest) for name, rest in wanted.items()))

    async def _layer(self, name: Digest, diff_id: Digest, parent: Digest | None) -> None:
        users = [image for image in self._images if name in image.config.chain]
        self._record(name, parent, users)
        folder = self._folder(name, users)
        layer = self._room.layers.get(diff_id)
        try:
            if layer is None or not self._room.content.has(layer.blob):
                missing = layer.blob if layer else diff_id
                self._add("blob", missing, "lost", f"the blob of layer {diff_id} is missing", users)
                return
            self.checked += 1 if folder is None else 2
            answer = await self._compare(layer.blob, folder)
        finally:
            if folder is not None:
                os.close(folder)
        self.bytes += int(answer["size"])
        if answer["damage"]:
            self._add("blob", layer.blob, "damaged", answer["damage"], users)
            if answer["in_files"] and self._room.snapshots.folder_of(diff_id) == self._room.snapshots.upper(name):
                self._add("files", name, "damaged", answer["damage"], users)
        elif answer["digest"] != layer.blob:
            self._add("blob", layer.blob, "damaged", f"it hashes to {answer['digest']}", users)
        elif answer["diff_id"] != diff_id:
            self._add("blob", layer.blob, "damaged", f"it is not layer {diff_id}", users)
        elif answer["count"]:
            first = ", ".join(f"{path} {what}" for path, what in answer["differences"][:3])
            more = f" and {answer['count'] - 3} more" if answer["count"] > 3 else ""
            self._add("files", name, "damaged", first + more, users)

    def _record(self, name: Digest, parent: Digest | None, users: Sequence[Image]) -> None:
        below = self._room.snapshots.parents(name)[1:2]
        if self._room.snapshots.exists(name) and below != ([str(parent)] if parent else []):
            self._add("files", name, "damaged", "its record puts it on another layer", users)

    def _folder(self, name: Digest, users: Sequence[Image]) -> int | None:
        """A descriptor of the layer's directory."""
        if not self._room.snapshots.exists(name):
            self._add("files", name, "lost", "the layer is not unpacked", users)
            return None
        try:
            return os.open(self._room.snapshots.upper(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._add("files", name, "lost", f"{self._room.snapshots.upper(name)} is missing", users)
            return None

    async def _compare(self, blob: Digest, folder: int | None) -> dict[str, Any]:
        source = self._room.content.descriptors(blob)
        try:
            fds = [*source] if folder is None else [*source, folder]
            return (await self._room.zygote.run("compare-layer", {"assembled": len(source) == 2}, fds))[0]
        finally:
            for fd in source:
                os.close(fd)


def names(image: Image) -> tuple[str, ...]:
    """How messages call an image: its tags as people write them, or its short id."""
    return tuple(Reference.parse(name).familiar for name in image.references) or (image.id.hex[:12],)


def _sources(image: Image) -> tuple[str, ...]:
    """Where it came from or went to."""
    return image.repo_digests


def _digests(room: ImageRoom, image: Image) -> set[Digest]:
    layers = [room.layers.get(diff_id) for diff_id in image.config.rootfs.diff_ids]
    found = {image.id, image.manifest.digest, *image.config.rootfs.diff_ids}
    return found | {layer.blob for layer in layers if layer is not None}
