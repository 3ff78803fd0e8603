"""Volumes as clients see them: with their events, and kept while a container needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from core.engine.events import Events
from core.engine.records import Records
from core.errors import InvalidArgument, NoSuchVolume, VolumeInUse
from core.model.network import VolumeRecord
from core.model.undo import KeptVolume


class Store(Protocol):
    """The volumes themselves."""

    async def create(self, name: str | None, labels: Mapping[str, str]) -> VolumeRecord: ...
    async def get(self, name: str) -> VolumeRecord: ...
    async def list(self) -> tuple[VolumeRecord, ...]: ...
    async def remove(self, name: str, *, check: Callable[[], None] = ...) -> None: ...
    async def set_aside(self, name: str, *, check: Callable[[], None] = ...) -> KeptVolume: ...


class Keeping(Protocol):
    """Who gives removed volumes back."""

    def seconds(self) -> float: ...
    def keep_volume(self, kept: KeptVolume) -> None: ...


class VolumeActs:
    """Make, list and remove volumes."""

    def __init__(self, store: Store, records: Records, events: Events, keeping: Keeping) -> None:
        self._store = store
        self._records = records
        self._events = events
        self._keeping = keeping

    async def create(self, name: str, *, driver: str, labels: Mapping[str, str]) -> VolumeRecord:
        """Make a volume; one that is there already is returned as it is. Raises InvalidArgument."""
        if driver not in ("", "local"):
            raise InvalidArgument(f'error looking up volume plugin {driver}: plugin "{driver}" not found')
        known = {record.name for record in await self._store.list()}
        record = await self._store.create(name or None, labels)
        if record.name not in known:
            self._events.publish("volume", "create", record.name, {"driver": "local"})
        return record

    async def get(self, name: str) -> VolumeRecord:
        """Raises NoSuchVolume."""
        return await self._store.get(name)

    async def all(self) -> tuple[VolumeRecord, ...]:
        """Every volume, by name."""
        return tuple(sorted(await self._store.list(), key=lambda record: record.name))

    def users(self, name: str) -> tuple[str, ...]:
        """The ids of the containers that mount a volume."""
        return self._records.users(name)

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume and what it holds; both can be had back for a while.

        Raises VolumeInUse, and NoSuchVolume unless forced.
        """
        try:
            await self._store.get(name)
        except NoSuchVolume:
            if force:
                return
            raise

        def check() -> None:
            users = self.users(name)
            if users:
                raise VolumeInUse(f"remove {name}: volume is in use - [{', '.join(users)}]")

        check()
        # And again when it is its turn: a container may have been made meanwhile.
        if self._keeping.seconds():
            self._keeping.keep_volume(await self._store.set_aside(name, check=check))
        else:
            await self._store.remove(name, check=check)
        self._events.publish("volume", "destroy", name, {"driver": "local"})
