"""Snapshots of steps, and the layers that they become."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import NotFound
from core.images.capture import EMPTY_LAYER, Capture
from core.images.room import ImageRoom
from core.oci.digest import Digest, chain_ids


class StoreLayering:
    """On the store of one ROOT. For builds that are `working` at the collector."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room
        self._capture = Capture(room)

    async def prepare(self, key: str, parent: str | None) -> None:
        """Make active snapshot `key` on top of `parent`. Raises NotFound."""
        await self._room.snapshots.prepare(key, parent)

    async def seal(self, key: str, diff_ids: Sequence[Digest]) -> tuple[Digest, int] | None:
        """The layer of what `key` has changed: its diffID, and bytes of its files; None for nothing."""
        layer, _ = await self._capture.capture(self._room.snapshots.rootfs(key))
        if layer == EMPTY_LAYER:
            return None
        chain = (*diff_ids, layer)
        await self._capture.stack(chain, layer, label="the step's layer")
        return layer, self._room.snapshots.size(chain_ids(chain)[-1])

    async def discard(self, key: str) -> None:
        """Remove active snapshot `key`; a missing one is fine."""
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
