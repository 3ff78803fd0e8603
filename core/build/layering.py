"""Snapshots of steps, and the layers that they become."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from core.errors import EngineError, NotFound
from core.images.capture import Capture, Released
from core.images.room import ImageRoom
from core.oci.digest import Digest, chain_ids

_PAUSE = 0.5  # seconds between two syncs of the disk: quick steps share one

log = logging.getLogger(__name__)


class StoreLayering:
    """On the store of one ROOT. For builds that are `working` at the collector. `epoch` is SOURCE_DATE_EPOCH.

    `released` waits until nobody has a snapshot mounted.
    """

    def __init__(self, room: ImageRoom, released: Released, epoch: int | None = None) -> None:
        self._released = released
        self._epoch = epoch
        self._room = room
        self._capture = Capture(room)
        self._settling: asyncio.Task[None] | None = None
        self._unsettled = False
        self._over = asyncio.Event()

    async def prepare(self, key: str, parent: str | None) -> None:
        """Make active snapshot `key` on top of `parent`. Raises NotFound."""
        await self._room.snapshots.prepare(key, parent)

    async def seal(self, key: str, diff_ids: Sequence[Digest]) -> tuple[Digest, int] | None:
        """The layer of what `key` has changed: its diffID, and bytes of its files; None for nothing."""
        layer = await self._capture.adopt(key, diff_ids, self._released, newest=self._epoch)
        if layer is None:
            return None
        self._settle_aside()
        return layer, self._room.snapshots.size(chain_ids((*diff_ids, layer))[-1])

    async def settle(self) -> None:
        """Have every layer on the disk: to be done before the image is named."""
        if self._settling is not None:
            self._over.set()
            await asyncio.wait([self._settling])
        await self._room.unpacker.settle()

    def _settle_aside(self) -> None:
        """While the next steps run: what is done outlives the engine, and no step waits for a disk."""
        self._unsettled = True
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_all())

    async def _settle_all(self) -> None:
        while self._unsettled and not self._over.is_set():
            self._unsettled = False
            try:
                await self._room.unpacker.settle()
            except (OSError, EngineError) as error:  # the one at the end tells the client
                log.warning("settle the layers of a build: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _PAUSE)

    async def discard(self, key: str) -> None:
        """Remove active snapshot `key`; a missing one is fine."""
        await self._released(key)
        try:
            await self._room.snapshots.remove(key)
        except NotFound:
            pass

    def has(self, diff_ids: Sequence[Digest]) -> bool:
        """Whether all these layers are in the store, unpacked and as blobs."""
        chain = chain_ids(tuple(diff_ids))
        return all(self._room.snapshots.exists(name) for name in chain) and all(
            self._room.unpacker.known(diff_id) is not None for diff_id in diff_ids
        )

    def has_layer(self, diff_id: Digest) -> bool:
        """Whether a layer's blob is in the store, whatever it lies on."""
        return self._room.unpacker.known(diff_id) is not None
