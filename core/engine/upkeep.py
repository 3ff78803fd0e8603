"""The store behind the images, for those who look into it or change their mind: layers, files, undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.engine.events import Events
from core.engine.keeping import Back, Keeping
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


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo brought back."""

    images: Restored
    rest: Back


class Upkeep:
    """What Docker's API has no words for."""

    def __init__(self, room: ImageRoom, records: Records, events: Events, remote: Remote, keeping: Keeping) -> None:
        self._room = room
        self._records = records
        self._events = events
        self._keeping = keeping
        self._verifier = Verifier(room, in_use=self._in_use, puller=Registries(remote))
        self.views = LayerViews(room)

    async def verify(self, references: Sequence[str], *, repair: bool, report: Report) -> Verdict:
        """Read all that images, or those named, stand on again. Raises NoSuchImage."""
        return await self._verifier.verify(references, repair=repair, report=report)

    def _in_use(self, layer: str) -> bool:
        """Whether a container that runs stands on a layer."""
        running = (record.id for record in self._records.all() if record.running)
        return any(layer in self._room.snapshots.parents(ident) for ident in running)

    async def removals(self) -> list[tuple[Removal, int]]:
        """What `rm`, `rmi` and prune took away and can be had back, newest first; with the bytes kept for each."""
        return [(entry, entry.size + await self._keeping.size(entry)) for entry in self._room.journal.all()]

    def undo_seconds(self) -> float:
        """How long what is removed now can be had back; 0 = not at all."""
        return self._keeping.seconds()

    async def undo(self, ident: int | None) -> Undone:
        """Bring back what removal `ident`, or the last one, took away. Raises NotFound."""
        async with self._room.collector.holding():
            entry = self._room.journal.find(ident)
            rest = await self._keeping.restore(entry)
            done = restore(entry, self._room.store)
            self._room.journal.drop(entry)
        for image in done.images:
            self._publish("load", image, str(image))
        for name in done.names:
            reference = Reference.parse(name)
            holder = self._room.store.holder(reference)
            if holder is not None:
                self._publish("tag", holder.id, reference.familiar)
        return Undone(done, rest)

    async def forget(self, ident: int | None) -> int:
        """Give up what is kept for removal `ident`, or for all; the bytes that are free now. Raises NotFound."""
        journal = self._room.journal
        freed = 0
        for entry in journal.all() if ident is None else (journal.find(ident),):
            freed += entry.size + await self._keeping.size(entry)
            journal.drop(entry)
        await self._room.collector.collect()
        return freed

    def _publish(self, action: str, ident: str, name: str) -> None:
        self._events.publish("image", action, ident, {"name": name})
