"""`commit`: what a container has changed becomes one more layer on top of its image's."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from core.aio import off_loop_to_end
from core.errors import CorruptStore
from core.images.importer import now, without_empty
from core.images.layers import Layer
from core.images.load import store_manifest
from core.images.room import ImageRoom
from core.images.store import NewImage
from core.images.transfer import CHUNK, copy
from core.model.events import Progress
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import OCI_LAYER, Descriptor, ExecutionConfig, History, ImageConfig
from core.oci.reference import Reference

# The tar of nothing: two zero blocks. Docker makes no layer of it but an empty step of the history (layer.IsEmpty).
EMPTY_LAYER = Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")


@dataclass(frozen=True, slots=True)
class Commitment:
    """What to make of a container: `parent` = the image it was made from, `execution` the new image's config.

    `rootfs` is its snapshot (`core.storage.overlay`); `command` = what the history calls the step.
    """

    parent: Image
    rootfs: Mapping[str, Any]
    execution: ExecutionConfig
    command: str = ""
    comment: str = ""
    author: str = ""
    target: Reference | None = None


class Committer:
    """Makes images of containers, and lists what they have changed."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    async def commit(self, wanted: Commitment, still: AbstractAsyncContextManager[object]) -> tuple[Image, int]:
        """Make an image; it, and how many files had names that a layer cannot say and were left out.

        `still` is entered while the container is read. Raises NoSuchImage, SyscallFailed.
        """
        room = self._room
        async with room.collector.working():
            room.image(wanted.parent.id)  # from here on nobody takes its layers away
            async with still:
                blob, left_out = await self._capture(wanted.rootfs)
            diff_ids = wanted.parent.config.rootfs.diff_ids
            diff_ids += () if blob == EMPTY_LAYER else (blob,)
            data = config_bytes(wanted, diff_ids, created=now())
            size = await self._unpack(diff_ids, blob)
            config = decode(data, ImageConfig, what="image config")
            manifest = await off_loop_to_end(self._documents, data, diff_ids)
            names = (wanted.target,) if wanted.target else ()
            ident = Digest.of(data)
            room.store.register([NewImage(ident, manifest, config, size, names)])
            return room.image(ident), left_out

    async def changes(self, rootfs: Mapping[str, Any]) -> AsyncGenerator[tuple[str, bytes], None]:
        """What the snapshot `rootfs` has changed: `A`, `C` or `D`, and a path. Raises SyscallFailed."""
        pending = b""
        async with self._job(rootfs, {"list": True}) as (reader, job):
            while piece := await off_loop_to_end(os.read, reader, CHUNK):
                *lines, pending = (pending + piece).split(b"\0")
                for line in lines:
                    yield line[:1].decode(), line[2:]
            await job

    async def _capture(self, rootfs: Mapping[str, Any]) -> tuple[Digest, int]:
        """The layer's tar as a blob, which is its diffID; and how many entries were left out."""
        room = self._room.content.room()
        writer = await off_loop_to_end(self._room.content.writer)

        def write(data: bytes) -> None:
            if writer.size + len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            writer.write(data)

        try:
            async with self._job(rootfs, {}) as (reader, job):
                await copy(lambda count: os.read(reader, count), write, lambda _: None)
                answer = await job
            digest, _ = await off_loop_to_end(writer.commit)
        finally:
            writer.abort()
        return digest, int(answer["left_out"])

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

    async def _unpack(self, diff_ids: tuple[Digest, ...], blob: Digest) -> int:
        """Put the new layer beside its parents; bytes of all of them."""
        room = self._room
        if diff_ids and diff_ids[-1] == blob and room.unpacker.known(blob) is None:
            size = room.content.size(blob)
            room.layers.add(Layer(blob, blob, OCI_LAYER, size, size))
        blobs = [self._blob_of(diff_id) for diff_id in diff_ids]
        return await room.unpacker.unpack(diff_ids, blobs, label="the container's changes", report=_say_nothing)

    def _blob_of(self, diff_id: Digest) -> Digest:
        layer = self._room.layers.get(diff_id)
        if layer is None:
            raise CorruptStore(f"layer {diff_id} is missing from the store")
        return layer.blob

    def _documents(self, config: bytes, diff_ids: tuple[Digest, ...]) -> Descriptor:
        self._room.content.put(config)
        return store_manifest(self._room.content, self._room.layers, config, diff_ids)


def _say_nothing(_: Progress) -> None:
    pass


def config_bytes(wanted: Commitment, diff_ids: tuple[Digest, ...], *, created: str) -> bytes:
    """The config document of the new image (moby image/image.go, NewChildImage): the parent's with one step more.

    Nothing of the container gets into it but what was asked for and its time: not its id, not its host name.
    """
    parent = wanted.parent.config
    step = History(
        created=created,
        created_by=wanted.command,
        author=wanted.author,
        comment=wanted.comment,
        empty_layer=len(diff_ids) == len(parent.rootfs.diff_ids),
    )
    document: dict[str, object] = {"architecture": parent.architecture}
    if wanted.author:
        document["author"] = wanted.author
    document |= {
        "config": without_empty(plain(wanted.execution)),
        "created": created,
        "history": [plain(past) for past in (*parent.history, step)],
        "os": parent.os,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    if parent.variant:
        document["variant"] = parent.variant
    return encode(document)
