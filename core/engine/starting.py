"""Starting a container: network, bundle, shim, waiting clients, process; undone in reverse when a step fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import msgspec

from core.engine.announce import announce_network, announce_volumes
from core.engine.bundle import Bundles
from core.engine.events import Events
from core.engine.handing import attach_client
from core.engine.locks import Locks
from core.engine.parking import Parking
from core.engine.ports import Ports, published
from core.engine.records import Records
from core.engine.removal import Removal
from core.engine.shimconfig import shim_config
from core.engine.tasks import Task, Tasks
from core.errors import Conflict, EngineError, InitFailed, NotModified
from core.model.container import ContainerRecord, Endpoint, Status
from core.paths import Paths

_BREATH = 0.05  # seconds after a start until the next one is made ready for: the container comes first


class Attached(Protocol):
    """A place on a network; `netns_fd` is None where no namespace is to be joined. `connected` = packets go."""

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def netns_fd(self) -> int | None: ...
    async def connected(self) -> None: ...


class Networks(Protocol):
    """The part of the networks that a start needs."""

    async def attach(self, container_id: str, *, mode: str, ports: Ports, hostname: str, name: str) -> Attached: ...
    async def detach(self, container_id: str) -> None: ...
    def make_ahead(self) -> None: ...


class Snapshots(Protocol):
    """Where a container's root file system is."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


class Starter:
    """Starts containers; `start` is also what a restart policy and the engine's own start call."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        events: Events,
        locks: Locks,
        tasks: Tasks,
        parking: Parking,
        *,
        bundles: Bundles,
        snapshots: Snapshots,
        networks: Networks,
        removal: Removal,
    ) -> None:
        self._paths = paths
        self._records = records
        self._events = events
        self._locks = locks
        self._tasks = tasks
        self._parking = parking
        self._bundles = bundles
        self._snapshots = snapshots
        self._networks = networks
        self._removal = removal

    async def start(self, ident: str, *, restart_count: int = 0) -> None:
        """Start the container with this id. Raises NotModified when it runs, InitFailed and its like."""
        try:
            async with self._locks.of(ident):
                await self._tasks.drained(ident)
                record = self._check(self._records.get(ident))
                await self._start(record, restart_count)
            asyncio.get_running_loop().call_later(_BREATH, self._networks.make_ahead)
        except NotModified:
            raise
        except EngineError as error:
            await self._failed(ident, error)
            raise

    @staticmethod
    def _check(record: ContainerRecord) -> ContainerRecord:
        status = record.state.status
        if status is Status.PAUSED:
            raise Conflict("cannot start a paused container, try unpause instead")
        if record.running:
            raise NotModified(f"container {record.id} is already running")
        if status in (Status.REMOVING, Status.DEAD):
            raise Conflict("container is marked for removal and cannot be started")
        return record

    async def _start(self, record: ContainerRecord, restart_count: int) -> None:
        async with AsyncExitStack() as held, AsyncExitStack() as undo:
            undo.push_async_callback(self._networks.detach, record.id)
            # First, so that the shim is up when the rest is ready.
            task = await self._spawn(record, restart_count)
            async with AsyncExitStack() as unborn:
                unborn.push_async_callback(self._tasks.dismiss, task)
                attached = await self._attach(record)
                if attached.netns_fd is not None:
                    held.callback(os.close, attached.netns_fd)
                await self._bundles.write(self._records.get(record.id))  # while its cable is laid
                await self._hand_over(task, record)
                await attached.connected()
                unborn.pop_all()  # from here on the shim's last event does it
            await self._tasks.launch(task, attached.netns_fd)
            undo.pop_all()

    async def _spawn(self, record: ContainerRecord, restart_count: int) -> Task:
        self._bundles.make_folder(record.id)
        rootfs = dict(self._snapshots.rootfs(record.id))
        return await self._tasks.spawn(
            record.id, shim_config(record, self._paths, rootfs, restart_count=restart_count)
        )

    async def _attach(self, record: ContainerRecord) -> Attached:
        """Give it its place on its network; the namespace to join is the caller's to close."""
        attached = await self._networks.attach(
            record.id,
            mode="bridge" if record.host_config.network_mode == "default" else record.host_config.network_mode,
            ports=published(record.host_config, record.config.exposed_ports),
            hostname=record.config.hostname,
            name=record.name,
        )
        record = self._records.change(
            record.id,
            lambda old: msgspec.structs.replace(old, endpoint=attached.endpoint, manually_stopped=False),
        )
        announce_network(self._events, record, "connect")
        announce_volumes(self._events, record, "mount")
        return attached

    async def _hand_over(self, task: Task, record: ContainerRecord) -> None:
        for client in self._parking.take(record.id):
            await attach_client(task, client)

    async def _failed(self, ident: str, error: EngineError) -> None:
        """What a failed start leaves: the reason in the record, no waiting client, with `--rm` nothing at all."""
        self._parking.dismiss(ident)
        record = self._records.find(ident)
        if record is None or record.running:
            return
        code = error.exit_code if isinstance(error, InitFailed) else 128
        self._records.set_state(ident, error=error.message, exit_code=code)
        await self._tasks.drained(ident)
        if record.host_config.auto_remove:
            await self._removal.remove(ident, volumes=True)
