"""Removed containers and volumes that can still be had back.

What one leaves stays where it is, so that removing costs nothing: the snapshot under the container's id, log and
bundle in ROOT/containers/ID; only volumes are moved aside, because a volume that is there is everybody's. The
journal of removals says for how long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from core.aio import off_loop, off_loop_to_end
from core.engine.announce import announce
from core.engine.events import Events
from core.engine.records import Records
from core.engine.waiters import Waiters
from core.errors import Conflict, CorruptStore, NotFound
from core.images.room import ImageRoom
from core.images.undo import Removal
from core.model.container import ContainerRecord, Status
from core.model.network import VolumeRecord
from core.model.undo import KeptVolume
from core.paths import Paths
from core.storage.usage import tree_size


class Volumes(Protocol):
    """The part of the volumes that coming back needs."""

    async def create(self, name: str | None, labels: Mapping[str, str]) -> VolumeRecord: ...
    async def list(self) -> tuple[VolumeRecord, ...]: ...
    async def bring_back(self, kept: KeptVolume) -> VolumeRecord: ...
    async def drop_aside(self, folder: str) -> None: ...
    async def sweep_aside(self, known: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Back:
    """What is there again: containers as they are now, names of volumes; a line for each thing that is not as it
    was."""

    containers: tuple[ContainerRecord, ...]
    volumes: tuple[str, ...]
    notes: tuple[str, ...]


class Keeping:
    """Knows what lies here of removed containers, gives it back, and takes it away when its time is over."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        events: Events,
        waiters: Waiters,
        *,
        room: ImageRoom,
        volumes: Volumes,
        discard: Callable[[Path], None],
    ) -> None:
        """`discard` takes a directory away at once (blocking)."""
        self._paths = paths
        self._records = records
        self._events = events
        self._waiters = waiters
        self._room = room
        self._volumes = volumes
        self._discard = discard
        journal = room.journal
        layers = {snapshot.name for snapshot in room.snapshots.all()}
        self._held = {
            record.id for record in journal.containers() if record.id in layers and not records.find(record.id)
        }
        self._aside = {kept.folder for kept in journal.volumes()}
        self._sizes: dict[str, int] = {}
        self._collecting: asyncio.Task[None] | None = None
        room.collector.also(self.collect)

    async def start(self) -> None:
        """Before the first client: take away what nobody knows of."""
        await self._volumes.sweep_aside(self._aside)

    def seconds(self) -> float:
        """How long what is removed now can be had back; a short disk keeps nothing."""
        return 0.0 if self._room.content.is_short() else self._room.journal.kept

    def holds(self, ident: str) -> bool:
        """Whether something of a removed container is kept."""
        return ident in self._held

    def ids(self) -> frozenset[str]:
        """The removed containers of which something is kept."""
        return frozenset(self._held)

    def wants(self, record: ContainerRecord) -> bool:
        """Whether a container that is about to go is to be kept: not what removes itself, nor half of one."""
        whole = record.state.status in (Status.EXITED, Status.CREATED)
        return whole and not record.host_config.auto_remove and self.seconds() > 0

    def keep(self, record: ContainerRecord, volumes: Sequence[KeptVolume]) -> None:
        """Note a container that has just gone, with the volumes that were set aside."""
        self._held.add(record.id)
        self._aside |= {kept.folder for kept in volumes}
        self._room.journal.note(f"rm {record.name}", containers=[record], volumes=volumes)
        self._tidy()

    def keep_volume(self, kept: KeptVolume) -> None:
        """Note a volume that was set aside."""
        self._aside.add(kept.folder)
        self._room.journal.note(f"volume rm {kept.record.name}", volumes=[kept])
        self._tidy()

    def _tidy(self) -> None:
        """The journal may have let go of its oldest."""
        if any(self._stale()) and self._collecting is None:
            self._collecting = asyncio.ensure_future(self.collect())
            self._collecting.add_done_callback(lambda _: setattr(self, "_collecting", None))

    def _stale(self) -> tuple[set[str], set[str]]:
        journal = self._room.journal
        containers = self._held - {record.id for record in journal.containers()}
        return containers, self._aside - {kept.folder for kept in journal.volumes()}

    async def collect(self) -> None:
        """Take away what cannot be had back any more."""
        containers, folders = self._stale()
        self._held -= containers
        self._aside -= folders
        for ident in containers:
            self._sizes.pop(ident, None)
            await self._room.snapshots.remove(ident)
            await off_loop_to_end(self._discard, self._paths.bundle(ident))
        for folder in folders:
            self._sizes.pop(folder, None)
            await self._volumes.drop_aside(folder)

    async def size(self, entry: Removal) -> int:
        """Bytes that are kept for the containers and volumes of a removal."""
        total = 0
        for record in entry.containers:
            if record.id not in self._sizes:
                self._sizes[record.id] = await self._container_size(record.id)
            total += self._sizes[record.id]
        for kept in entry.volumes:
            if kept.folder not in self._sizes:
                self._sizes[kept.folder] = await off_loop(tree_size, self._paths.removed_volumes / kept.folder)
            total += self._sizes[kept.folder]
        return total

    async def _container_size(self, ident: str) -> int:
        try:
            return await self._room.snapshots.usage(ident) + await off_loop(tree_size, self._paths.bundle(ident))
        except NotFound:
            return 0  # it is going

    async def restore(self, entry: Removal) -> Back:
        """Bring the containers of a removal back, stopped, and its volumes.

        Raises Conflict where another volume has the name of one of them, and brings nothing back then.
        """
        present = {record.name for record in await self._volumes.list()}
        for kept in entry.volumes:
            if kept.folder in self._aside and kept.record.name in present:
                raise Conflict(f"cannot bring back volume {kept.record.name}: there is one of that name by now")
        notes: list[str] = []
        volumes = [await self._volume_back(kept, entry) for kept in entry.volumes if kept.folder in self._aside]
        containers = [await self._container_back(record, notes) for record in entry.containers]
        return Back(tuple(containers), tuple(volumes), tuple(notes))

    async def _volume_back(self, kept: KeptVolume, entry: Removal) -> str:
        name = kept.record.name
        for record in entry.containers:
            if any(point.name == name for point in record.mounts):
                self._records.claim(record.id, name)  # or a prune takes it before the container is there
        self._aside.discard(kept.folder)
        try:
            await self._volumes.bring_back(kept)
        except BaseException:
            self._aside.add(kept.folder)
            raise
        self._events.publish("volume", "create", name, {"driver": "local"})
        return name

    async def _container_back(self, record: ContainerRecord, notes: list[str]) -> ContainerRecord:
        present = self._records.find(record.id)
        if present is not None:
            return present
        if record.id not in self._held:
            raise CorruptStore(f"cannot bring back container {record.name}: nothing is kept of it")
        self._held.discard(record.id)
        try:
            await self._mend_volumes(record, notes)
            name = self._free_name(record.name)
            self._records.add(msgspec.structs.replace(record, name=name))
        except BaseException:
            self._held.add(record.id)
            raise
        finally:
            self._records.unclaim(record.id)
        self._waiters.returned(record.id)
        back = self._records.get(record.id)
        announce(self._events, back, "create")
        if name != record.name:
            notes.append(f"{record.name} is another container's name by now: it is back as {name}")
        return back

    async def _mend_volumes(self, record: ContainerRecord, notes: list[str]) -> None:
        """Have every volume that a container mounts, be it an empty one."""
        present = {volume.name for volume in await self._volumes.list()}
        for point in record.mounts:
            if point.type != "volume":
                continue
            self._records.claim(record.id, point.name)
            if point.name not in present:
                await self._volumes.create(point.name, {})
                notes.append(f"volume {point.name} is gone: {record.name} has an empty one")

    def _free_name(self, name: str) -> str:
        number, found = 2, name
        while self._records.name_taken(found):
            found, number = f"{name}-{number}", number + 1
        return found
