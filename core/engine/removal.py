"""Taking a stopped container away, in an order that leaves garbage rather than lies when interrupted."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from core.aio import off_loop
from core.engine.announce import announce
from core.engine.events import Events
from core.engine.locks import Locks
from core.engine.records import Records
from core.engine.waiters import Waiters
from core.errors import Conflict, EngineError, VolumeInUse
from core.model.container import ContainerRecord, Status
from core.model.network import VolumeRecord
from core.model.undo import KeptVolume
from core.paths import Paths

log = logging.getLogger(__name__)


class Snapshots(Protocol):
    """The part of the snapshots that removal needs."""

    async def remove(self, key: str) -> None: ...


class Volumes(Protocol):
    """The part of the volumes that removal needs."""

    async def remove(self, name: str, *, check: Callable[[], None] = ...) -> None: ...
    async def set_aside(self, name: str, *, check: Callable[[], None] = ...) -> KeptVolume: ...
    async def get(self, name: str) -> VolumeRecord: ...


class Keeping(Protocol):
    """Who gives removed containers back."""

    def wants(self, record: ContainerRecord) -> bool: ...
    def holds(self, ident: str) -> bool: ...
    def keep(self, record: ContainerRecord, volumes: Sequence[KeptVolume]) -> None: ...


class Networks(Protocol):
    """The part of the networks that removal needs."""

    async def detach(self, container_id: str) -> None: ...


class Removal:
    """Removes containers that do not run."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        events: Events,
        waiters: Waiters,
        locks: Locks,
        *,
        snapshots: Snapshots,
        volumes: Volumes,
        networks: Networks,
        keeping: Keeping,
        discard: Callable[[Path], None],
        forget: Callable[[str], None],
    ) -> None:
        """`discard` takes a directory away at once (blocking); `forget` is told of each container that is gone."""
        self._paths = paths
        self._records = records
        self._events = events
        self._waiters = waiters
        self._locks = locks
        self._snapshots = snapshots
        self._volumes = volumes
        self._networks = networks
        self._keeping = keeping
        self._discard = discard
        self._forget = forget

    async def remove(self, ident: str, *, volumes: bool) -> None:
        """Remove a container and with `volumes` its anonymous ones; both can be had back for a while.

        Raises Conflict. Where its record has gone already, what is left of it is removed, unless it is kept.
        """
        async with self._locks.of(ident):
            record = self._records.find(ident)
            if record is None:
                if self._keeping.holds(ident):  # somebody was quicker
                    return
                await self._snapshots.remove(ident)
                await off_loop(self._remove_folders, ident)
                await self._networks.detach(ident)  # its cable has been on its way out since the exit
                return
            if record.running:  # somebody was quicker and started it
                raise Conflict(f"container {ident} was started while it was to be removed")
            kept = self._keeping.wants(record)
            self._records.set_state(ident, status=Status.REMOVING)
            try:
                if kept:
                    await off_loop(self._remove_task, ident)
                else:
                    await self._snapshots.remove(ident)
                    await off_loop(self._remove_folders, ident)
                # Last, because its cable has been on its way out since the exit: what is left to wait is little.
                await self._networks.detach(ident)
            except BaseException:
                self._records.set_state(ident, status=Status.DEAD)
                raise
            await self._strike(record, volumes=volumes, kept=kept)

    async def vanish(self, ident: str) -> None:
        """Let a container that removes itself be gone for everyone, while its shim still puts its things away.

        It must have left its network. `remove` takes what is left, once the shim has ended.
        """
        async with self._locks.of(ident):
            record = self._records.find(ident)
            if record is None or record.running:
                return
            # Begun before anybody hears of it: its image must be free for the next command.
            layers = asyncio.ensure_future(self._snapshots.remove(ident))
            try:
                await self._strike(record, volumes=True, kept=False)
            finally:
                await layers

    async def sweep(self) -> None:
        """At start: remove the folders of containers whose records have gone."""
        await off_loop(self._sweep)

    def _sweep(self) -> None:
        for folder in (self._paths.bundle(""), self._paths.task("")):
            for entry in folder.iterdir() if folder.is_dir() else ():
                if self._keeping.holds(entry.name):
                    self._remove_task(entry.name)
                elif self._records.find(entry.name) is None:
                    self._remove_folders(entry.name)

    async def _strike(self, record: ContainerRecord, *, volumes: bool, kept: bool) -> None:
        """Take a container off the books and tell those who wait for that."""
        self._records.delete(record.id)
        self._forget(record.id)
        announce(self._events, record, "destroy")
        aside = await self._remove_anonymous(record, kept=kept) if volumes else []
        if kept:
            self._keeping.keep(record, aside)
        self._waiters.removed(record.id, record.state.exit_code)

    def _remove_task(self, ident: str) -> None:
        # Only our own files lie here, none of the container's: its root is a mount of the shim's namespace.
        shutil.rmtree(self._paths.task(ident), ignore_errors=True)

    def _remove_folders(self, ident: str) -> None:
        self._remove_task(ident)
        self._discard(self._paths.bundle(ident))

    async def _remove_anonymous(self, record: ContainerRecord, *, kept: bool) -> list[KeptVolume]:
        """Remove them, or set them `kept` aside; those that are aside."""
        aside: list[KeptVolume] = []
        for name in anonymous_volumes(record):
            try:
                if (await self._volumes.get(name)).anonymous:
                    check = partial(self._check_unused, name)
                    if kept:
                        aside.append(await self._volumes.set_aside(name, check=check))
                    else:
                        await self._volumes.remove(name, check=check)
                    self._events.publish("volume", "destroy", name, {"driver": "local"})
            except VolumeInUse:
                continue  # another container mounts it by its name
            except EngineError as error:
                log.warning("remove volume %s: %s", name, error)
        return aside

    def _check_unused(self, name: str) -> None:
        if self._records.users(name):
            raise VolumeInUse(f"volume {name} is in use")


def anonymous_volumes(record: ContainerRecord) -> tuple[str, ...]:
    """The volumes of a container whose names look as if nobody gave them."""
    return tuple(point.name for point in record.mounts if point.type == "volume" and len(point.name) == 64)
