"""What an active snapshot has changed, as a layer's tar in the store, and the layer on top of others."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from core.aio import off_loop_to_end
from core.errors import CorruptStore
from core.images.layers import Layer
from core.images.room import ImageRoom
from core.images.transfer import CHUNK, PIECE
from core.model.events import Progress
from core.oci.digest import Digest, chain_ids
from core.oci.image import OCI_LAYER
from core.storage.content import BlobWriter, ContentStore

Released = Callable[[str], Awaitable[None]]

# The tar of nothing: two zero blocks. Docker makes no layer of it but an empty step of the history (layer.IsEmpty).
EMPTY_LAYER = Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")


class Capture:
    """Reads snapshots by the zygote's job `diff-layer`. For those who are `working` at the collector."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    async def changes(self, rootfs: Mapping[str, Any]) -> AsyncGenerator[tuple[str, bytes], None]:
        """What the snapshot `rootfs` has changed: `A`, `C` or `D`, and a path. Raises SyscallFailed."""
        pending = b""
        async with self._job(rootfs, {"list": True}) as (reader, job):
            while piece := await off_loop_to_end(os.read, reader, CHUNK):
                *lines, pending = (pending + piece).split(b"\0")
                for line in lines:
                    yield line[:1].decode(), line[2:]
            await job

    async def capture(self, rootfs: Mapping[str, Any], *, newest: int | None = None) -> tuple[Digest, int]:
        """The layer's tar as a blob, which is its diffID; and how many entries were left out.

        No time in it is later than `newest`, seconds since the epoch. It lasts from the next `settle` on.
        """
        digest, answer = await self._read(rootfs, {"newest": newest})
        return digest, int(answer["left_out"])

    async def adopt(
        self, key: str, diff_ids: Sequence[Digest], released: Released, *, newest: int | None = None
    ) -> Digest | None:
        """Make active snapshot `key` itself the layer on top of `diff_ids`, its parents: the diffID.

        None for an empty one, which is removed. Nobody uses it any more, and `released` waits until nobody has it
        mounted.
        See `capture`. Raises NotFound, SyscallFailed.
        """
        room = self._room
        layer, answer = await self._read(room.snapshots.rootfs(key), {"newest": newest, "adopt": True})
        await released(key)
        if layer == EMPTY_LAYER:
            await room.snapshots.remove(key)
            return None
        self._remember(layer, int(answer["size"]))
        name = chain_ids((*diff_ids, layer))[-1]
        await room.snapshots.commit(key, name, size=int(answer["contents"]))
        return layer

    async def _read(self, rootfs: Mapping[str, Any], args: dict[str, Any]) -> tuple[Digest, dict[str, Any]]:
        """The tar as a blob, and what the job said."""
        arriving = _Arriving(self._room.content)
        try:
            async with self._job(rootfs, args) as (reader, job):
                while not await off_loop_to_end(arriving.some, reader):
                    pass
                answer = await job
            digest, _ = await off_loop_to_end(arriving.commit)
        finally:
            arriving.abort()
        return digest, answer

    def _remember(self, layer: Digest, size: int) -> None:
        room = self._room
        if room.unpacker.known(layer) is None:
            room.layers.add(Layer(layer, layer, OCI_LAYER, size, size))

    @asynccontextmanager
    async def _job(
        self, rootfs: Mapping[str, Any], args: dict[str, Any]
    ) -> AsyncIterator[tuple[int, asyncio.Task[dict[str, Any]]]]:
        """The job, and a pipe with what it writes. Leaving early ends it: its next write fails."""
        reader, writer = os.pipe()
        job = asyncio.create_task(self._run({"rootfs": dict(rootfs), **args}, writer))
        job.add_done_callback(lambda _: os.close(writer))
        try:
            yield reader, job
        finally:
            os.close(reader)
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    async def _run(self, args: dict[str, Any], writer: int) -> dict[str, Any]:
        answer, _ = await self._room.zygote.run("diff-layer", args, [writer])
        return answer

    async def stack(self, diff_ids: Sequence[Digest], blob: Digest, *, label: str, settle: bool = True) -> int:
        """Unpack the captured layer `blob` on top of its parents, all of them `diff_ids`; bytes of all.

        With `settle` off whoever asks sees to that, before an image is named.
        """
        room = self._room
        if diff_ids and diff_ids[-1] == blob:
            self._remember(blob, room.content.size(blob))
        blobs = [self._blob_of(diff_id) for diff_id in diff_ids]
        return await room.unpacker.unpack(diff_ids, blobs, label=label, report=_say_nothing, settle=settle)

    def _blob_of(self, diff_id: Digest) -> Digest:
        layer = self._room.layers.get(diff_id)
        if layer is None:
            raise CorruptStore(f"layer {diff_id} is missing from the store")
        return layer.blob


class _Arriving:
    """A tar on its way from a job into the store. A small one needs a thread once: each time costs more than it."""

    def __init__(self, content: ContentStore) -> None:
        self._content = content
        self._writer: BlobWriter | None = None
        self._room = 0

    def some(self, reader: int) -> bool:
        """Take what comes, up to a piece; whether that was the end. Blocks. Raises OSError."""
        if self._writer is None:
            self._writer, self._room = self._content.writer(), self._content.room()
        before = self._writer.size
        while data := os.read(reader, CHUNK):
            if self._writer.size + len(data) > self._room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._writer.write(data)
            if self._writer.size - before >= PIECE:
                return False
        return True

    def commit(self) -> tuple[Digest, int]:
        """Put the blob beside its place: digest and bytes. Blocks."""
        assert self._writer is not None
        return self._writer.commit(settled=False)

    def abort(self) -> None:
        """Throw it away; no harm after `commit`."""
        if self._writer is not None:
            self._writer.abort()


def _say_nothing(_: Progress) -> None:
    pass
