"""`commit`: what a container has changed becomes one more layer on top of its image's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from core.aio import off_loop_to_end
from core.images.capture import EMPTY_LAYER, Capture
from core.images.importer import now, without_empty
from core.images.load import store_manifest
from core.images.room import ImageRoom
from core.images.store import NewImage
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import Descriptor, ExecutionConfig, History, ImageConfig
from core.oci.reference import Reference


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
        self._capture = Capture(room)

    async def commit(self, wanted: Commitment, still: AbstractAsyncContextManager[object]) -> tuple[Image, int]:
        """Make an image; it, and how many files had names that a layer cannot say and were left out.

        `still` is entered while the container is read. Raises NoSuchImage, SyscallFailed.
        """
        room = self._room
        async with room.collector.working():
            room.image(wanted.parent.id)  # from here on nobody takes its layers away
            async with still:
                blob, left_out = await self._capture.capture(wanted.rootfs)
            diff_ids = wanted.parent.config.rootfs.diff_ids
            diff_ids += () if blob == EMPTY_LAYER else (blob,)
            data = config_bytes(wanted, diff_ids, created=now())
            size = await self._capture.stack(diff_ids, blob, label="the container's changes")
            config = decode(data, ImageConfig, what="image config")
            manifest = await off_loop_to_end(self._documents, data, diff_ids)
            names = (wanted.target,) if wanted.target else ()
            ident = Digest.of(data)
            room.store.register([NewImage(ident, manifest, config, size, names)])
            return room.image(ident), left_out

    def changes(self, rootfs: Mapping[str, Any]) -> AsyncGenerator[tuple[str, bytes], None]:
        """What the snapshot `rootfs` has changed: `A`, `C` or `D`, and a path. Raises SyscallFailed."""
        return self._capture.changes(rootfs)

    def _documents(self, config: bytes, diff_ids: tuple[Digest, ...]) -> Descriptor:
        self._room.content.put(config)
        return store_manifest(self._room.content, self._room.layers, config, diff_ids)


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
