"""Layers into the store and onto snapshots: a blob is kept, applied once, and compared with its diffID."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.errors import BadArchive
from core.images.layers import MEDIA_TYPES, Layer, Layers
from core.images.pile import Pile
from core.images.transfer import ReadSome, copy
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.image import OCI_LAYER
from core.storage.compression import MAGIC, detect, stream_of
from core.storage.content import ContentStore, sync_disks
from core.storage.overlay import UNPACKING, Snapshots

Report = Callable[[Progress], None]


class Zygote(Protocol):
    """Who does what needs a process of its own."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """A layer that was unpacked on nothing: snapshot `key`, the tar's digest and bytes, the bytes of its files.

    `own_root` = the tar says who owns the root and what its mode is.
    """

    key: str
    diff_id: Digest
    size: int
    unpacked: int
    own_root: bool


class Unpacker:
    """Brings layers in. What fails leaves a blob or two that nothing names, which gc takes."""

    def __init__(self, content: ContentStore, snapshots: Snapshots, layers: Layers, zygote: Zygote) -> None:
        self._content = content
        self._snapshots = snapshots
        self._layers = layers
        self._zygote = zygote
        self._settling = asyncio.Lock()
        self.slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))  # layers applied at once, of all images

    def known(self, diff_id: Digest) -> Layer | None:
        """The layer with this diffID, if its blob is really there."""
        layer = self._layers.get(diff_id)
        return layer if layer is not None and self._content.has(layer.blob) else None

    async def take_in(self, read_some: ReadSome, expected: Digest | None, advance: Callable[[int], None]) -> Digest:
        """Store a layer's bytes as they are; they last from `settle` on. Raises DigestMismatch, OSError."""
        writer = await off_loop_to_end(self._content.writer)
        try:
            await copy(read_some, writer.write, advance)
            digest, _ = await off_loop_to_end(partial(writer.commit, expected, settled=False))
            return digest
        finally:
            writer.abort()

    async def settle(self) -> None:
        """Have all blobs and layers so far on the disk: to be done before an image is named."""
        async with self._settling:
            blobs, snapshots = self._content.unsettled(), self._snapshots.unsettled()
            if blobs or snapshots:
                await off_loop_to_end(self._settle, blobs, snapshots)

    def _settle(self, blobs: Mapping[Digest, Path], snapshots: Collection[int]) -> None:
        sync_disks(self._content.folder, self._snapshots.folder)
        self._content.settle(blobs)
        self._snapshots.settle(snapshots)

    async def unpack(
        self,
        diff_ids: Sequence[Digest],
        blobs: Sequence[Digest],
        *,
        label: str,
        report: Report,
        settle: bool = True,
    ) -> int:
        """Make the snapshots of an image's layers, bottom first, and settle them; bytes of all of them.

        `blobs` hold the layers in the same order. Raises BadArchive where one is not what its diffID says.
        """
        async with Pile(self, diff_ids, label=label, report=report) as pile:
            for blob in blobs:
                await pile.put(blob)
            size = await pile.size()
        if settle:
            await self.settle()
        return size

    async def unpack_unknown(self, blob: Digest, *, label: str) -> Digest:
        """Make the snapshot of one lowest layer whose diffID is not known yet; the diffID."""
        applied = await self.apply(blob, label)
        diff_id = await self.remember(applied, blob, None, label)
        await self.stack(applied, diff_id, None)
        return diff_id

    async def apply(self, blob: Digest, label: str) -> Applied:
        """Unpack a blob on nothing, which may be done for several layers at once. Raises BadArchive."""
        key = UNPACKING + secrets.token_hex(8)
        await self._snapshots.prepare(key, None)
        try:
            answer = await self._run_job(key, blob)
        except BadArchive as error:
            await self._snapshots.remove(key)
            raise error if label in error.message else BadArchive(f"{label}: {error.message}") from error
        except BaseException:
            await self._snapshots.remove(key)
            raise
        own_root = bool(answer.get("own_root"))
        return Applied(key, Digest(str(answer["diff_id"])), int(answer["size"]), int(answer["unpacked"]), own_root)

    async def remember(self, applied: Applied, blob: Digest, expected: Digest | None, label: str) -> Digest:
        """Note which blob holds the layer; its diffID. Raises BadArchive where another was `expected`."""
        if expected is not None and applied.diff_id != expected:
            await self._snapshots.remove(applied.key)
            raise _mismatch(label, expected, applied.diff_id)
        self._remember(applied.diff_id, blob, applied.size)
        return applied.diff_id

    async def stack(self, applied: Applied, name: Digest, parent: Digest | None) -> None:
        """Put an applied layer on top of `parent`, as `name` (its chainID)."""
        try:
            await self._snapshots.commit(
                applied.key, name, size=applied.unpacked, parent=parent, own_root=applied.own_root
            )
        except BaseException:
            await self._snapshots.remove(applied.key)
            raise

    async def drop(self, applied: Applied) -> None:
        """Throw away what was applied and not stacked."""
        await self._snapshots.remove(applied.key)

    def stands(self, name: Digest) -> bool:
        """Whether there is a layer with this chainID."""
        return self._snapshots.exists(name)

    def unpacked_size(self, name: Digest) -> int:
        """Bytes of the files of the layer with this chainID."""
        return self._snapshots.size(name)

    async def _run_job(self, key: str, blob: Digest) -> dict[str, Any]:
        upper = self._snapshots.upper(key)
        limit = self._content.room()
        source = self._content.open(blob)
        try:
            target = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # What was hashed on its way in this moment, and is its own tar, need not be hashed again.
                fresh = blob if blob in self._content.unsettled() else None
                args = {"limit_bytes": limit, "plain_digest": fresh, "sync": False}
                answer, _ = await self._zygote.run("apply-layer", args, [source, target])
            finally:
                os.close(target)
        finally:
            os.close(source)
        return answer

    async def verify(self, diff_id: Digest, blob: Digest, label: str) -> None:
        """The layer is unpacked already, but nothing says that this blob is it."""
        digest, size = await off_loop_to_end(self._plain_digest, blob)
        if digest != diff_id:
            raise _mismatch(label, diff_id, digest)
        self._remember(diff_id, blob, size)

    def _plain_digest(self, blob: Digest) -> tuple[str, int]:
        fd = self._content.open(blob)
        try:
            stream = stream_of(fd)
            while stream.read_some(1 << 20):
                pass
            return stream.digest, stream.size
        finally:
            os.close(fd)

    def _remember(self, diff_id: Digest, blob: Digest, size: int) -> None:
        if self.known(diff_id) is None:
            self._layers.add(Layer(diff_id, blob, self._media_type(blob), self._content.size(blob), size))

    def _media_type(self, blob: Digest) -> str:
        fd = self._content.open(blob)
        try:
            compression = detect(os.pread(fd, MAGIC, 0))
        finally:
            os.close(fd)
        return MEDIA_TYPES.get(compression, OCI_LAYER)


def _mismatch(label: str, expected: str, got: str) -> BadArchive:
    return BadArchive(f"{label} does not match its digest: want {expected}, got {got}")
