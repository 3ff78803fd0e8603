"""The store behind the images, for those who look into it or change their mind: layers, files, undo."""

from __future__ import annotations

from core.engine.events import Events
from core.images.layerview import LayerViews
from core.images.room import ImageRoom
from core.images.undo import Removal, Restored, restore
from core.oci.reference import Reference


class Upkeep:
    """What Docker's API has no words for."""

    def __init__(self, room: ImageRoom, events: Events) -> None:
        self._room = room
        self._events = events
        self.views = LayerViews(room)

    def removals(self) -> tuple[Removal, ...]:
        """What `rmi` and prune took away and can be had back, newest first."""
        return self._room.journal.all()

    async def undo(self, ident: int | None) -> Restored:
        """Bring back what removal `ident`, or the last one, took away. Raises NotFound."""
        async with self._room.collector.working():
            entry = self._room.journal.find(ident)
            done = restore(entry, self._room.store)
            self._room.journal.drop(entry)
        for image in done.images:
            self._publish("load", image, str(image))
        for name in done.names:
            reference = Reference.parse(name)
            holder = self._room.store.holder(reference)
            if holder is not None:
                self._publish("tag", holder.id, reference.familiar)
        return done

    async def forget(self, ident: int | None) -> int:
        """Give up what is kept for removal `ident`, or for all; the bytes that are free now. Raises NotFound."""
        journal = self._room.journal
        freed = 0
        for entry in journal.all() if ident is None else (journal.find(ident),):
            freed += entry.size
            journal.drop(entry)
        await self._room.collector.collect()
        return freed

    def _publish(self, action: str, ident: str, name: str) -> None:
        self._events.publish("image", action, ident, {"name": name})
