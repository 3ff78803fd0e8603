"""The store behind the images, for those who look into it or change their mind: layers, files, undo."""

from __future__ import annotations

from collections.abc import Sequence

from core.engine.events import Events
from core.engine.records import Records
from core.images.layerview import LayerViews
from core.images.remote import Remote
from core.images.room import ImageRoom
from core.images.undo import Removal, Restored, restore
from core.images.verify import Report, Verdict, Verifier
from core.oci.reference import Reference


class Registries:
    """Gets what a store has lost, from registries that give it to everybody: the engine keeps no credentials."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def pull(self, reference: str) -> None:
        """Bring in what is missing of an image."""
        await self._remote.pull(reference, credentials=None, progress=lambda _: None)


class Upkeep:
    """What Docker's API has no words for."""

    def __init__(self, room: ImageRoom, records: Records, events: Events, remote: Remote) -> None:
        self._room = room
        self._records = records
        self._events = events
        self._verifier = Verifier(room, in_use=self._in_use, puller=Registries(remote))
        self.views = LayerViews(room)

    async def verify(self, references: Sequence[str], *, repair: bool, report: Report) -> Verdict:
        """Read all that images, or those named, stand on again. Raises NoSuchImage."""
        return await self._verifier.verify(references, repair=repair, report=report)

    def _in_use(self, layer: str) -> bool:
        """Whether a container that runs stands on a layer."""
        running = (record.id for record in self._records.all() if record.running)
        return any(layer in self._room.snapshots.parents(ident) for ident in running)

    def removals(self) -> tuple[Removal, ...]:
        """What `rmi` and prune took away and can be had back, newest first."""
        return self._room.journal.all()

    async def undo(self, ident: int | None) -> Restored:
        """Bring back what removal `ident`, or the last one, took away. Raises NotFound."""
        async with self._room.collector.holding():
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
