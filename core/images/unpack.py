"""Layers into the store and onto snapshots: a blob is kept, applied once, and compared with its diffID."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.errors import BadArchive, Unsupported
from core.images.layers import MEDIA_TYPES, Layer, Layers
from core.images.transfer import ReadSome, copy
from core.model.events import Progress
from core.oci.digest import Digest, chain_ids
from core.oci.image import OCI_LAYER
from core.storage.compression import MAGIC, detect, stream_of
from core.storage.content import ContentStore
from core.storage.overlay import UNPACKING, Snapshots

Report = Callable[[Progress], None]


class Zygote(Protocol):
    """Who does what needs a process of its own."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


class Unpacker:
    """Brings layers in. What fails leaves a blob or two that nothing names, which gc takes."""

    def __init__(self, content: ContentStore, snapshots: Snapshots, layers: Layers, zygote: Zygote) -> None:
        self._content = content
        self._snapshots = snapshots
        self._layers = layers
        self._zygote = zygote

    def known(self, diff_id: Digest) -> Layer | None:
        """The layer with this diffID, if its blob is really there."""
        layer = self._layers.get(diff_id)
        return layer if layer is not None and self._content.has(layer.blob) else None

    async def take_in(self, read_some: ReadSome, expected: Digest | None, advance: Callable[[int], None]) -> Digest:
        """Store a layer's bytes as they are. Raises DigestMismatch, OSError."""
        writer = await off_loop_to_end(self._content.writer)
        try:
            await copy(read_some, writer.write, advance)
            digest, _ = await off_loop_to_end(writer.commit, expected)
            return digest
        finally:
            writer.abort()

    async def unpack(
        self, diff_ids: Sequence[Digest], blobs: Sequence[Digest], *, label: str, report: Report
    ) -> int:
        """Make the snapshots of an image's layers, bottom first; bytes of all of them.

        `blobs` hold the layers in the same order. Raises BadArchive where one is not what its diffID says.
        """
        total = 0
        chain = chain_ids(tuple(diff_ids))
        for number, (diff_id, blob, name) in enumerate(zip(diff_ids, blobs, chain, strict=True), 1):
            if not self._snapshots.exists(name):
                report(Progress(id=diff_id.hex[:12], status="Unpacking layer"))
                parent = chain[number - 2] if number > 1 else None
                await self._apply(diff_id, blob, parent, name, f"layer {number} of {label}")
            elif self.known(diff_id) is None:
                await self._verify(diff_id, blob, f"layer {number} of {label}")
            total += self._snapshots.size(name)
        return total

    async def unpack_unknown(self, blob: Digest, *, label: str) -> Digest:
        """Make the snapshot of one lowest layer whose diffID is not known yet; the diffID."""
        return await self._apply(None, blob, None, None, label)

    async def _apply(
        self, expected: Digest | None, blob: Digest, parent: Digest | None, name: Digest | None, label: str
    ) -> Digest:
        key = UNPACKING + secrets.token_hex(8)
        await self._snapshots.prepare(key, parent)
        try:
            answer = await self._run_job(key, blob)
            diff_id = Digest(str(answer["diff_id"]))
            if expected is not None and diff_id != expected:
                raise BadArchive(f"{label} does not match its digest: want {expected}, got {diff_id}")
            self._remember(diff_id, blob, int(answer["size"]))
            await self._snapshots.commit(key, name or diff_id, size=int(answer["unpacked"]))
        except BadArchive as error:
            await self._snapshots.remove(key)
            raise error if label in error.message else BadArchive(f"{label}: {error.message}") from error
        except BaseException:
            await self._snapshots.remove(key)
            raise
        return diff_id

    async def _run_job(self, key: str, blob: Digest) -> dict[str, Any]:
        upper = self._snapshots.upper(key)
        limit = self._content.room()
        source = self._content.open(blob)
        try:
            target = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                args = {"media_type": self._media_type(blob), "limit_bytes": limit}
                answer, _ = await self._zygote.run("apply-layer", args, [source, target])
            finally:
                os.close(target)
        finally:
            os.close(source)
        return answer

    async def _verify(self, diff_id: Digest, blob: Digest, label: str) -> None:
        """The layer is unpacked already, but nothing says that this blob is it."""
        digest, size = await off_loop_to_end(self._plain_digest, blob)
        if digest != diff_id:
            raise BadArchive(f"{label} does not match its digest: want {diff_id}, got {digest}")
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
        if compression == "zstd":
            raise Unsupported("layers compressed with zstd are not supported")
        return MEDIA_TYPES.get(compression, OCI_LAYER)
