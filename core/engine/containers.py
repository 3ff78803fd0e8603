"""What can be done to a container once it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol

import msgspec

from core.engine import validate
from core.engine.announce import announce
from core.engine.events import Events
from core.engine.locks import Locks
from core.engine.parking import Parking
from core.engine.records import Records, replace_state
from core.engine.removal import Removal
from core.engine.starting import Starter
from core.engine.tasks import Tasks
from core.engine.waiters import Condition, Waiters
from core.errors import Conflict, EngineError, InvalidArgument, NotModified, ShimGone, WrongState
from core.model.container import NEVER, ContainerRecord, Status
from core.model.signals import parse_signal
from core.wire.codec import timestamp

STOP_TIMEOUT = 10  # seconds, Docker's default
KILL_PATIENCE = 10.0  # seconds until a killed process must be gone; longer is a kernel that does not let it go
SIGKILL = 9


class Freezer(Protocol):
    """Stops and continues every process of a container at once."""

    async def freeze(self, ident: str) -> None: ...
    async def thaw(self, ident: str) -> None: ...


class Containers:
    """Start, stop, kill, restart, pause, rename, wait for and remove containers."""

    def __init__(
        self,
        records: Records,
        events: Events,
        waiters: Waiters,
        locks: Locks,
        tasks: Tasks,
        parking: Parking,
        *,
        starter: Starter,
        removal: Removal,
        freezer: Freezer,
    ) -> None:
        self._records = records
        self._events = events
        self._waiters = waiters
        self._locks = locks
        self._tasks = tasks
        self._parking = parking
        self._starter = starter
        self._removal = removal
        self._freezer = freezer

    async def start(self, reference: str) -> None:
        """Start a container. Raises NotModified when it runs already."""
        await self._starter.start(self._records.get(reference).id)

    def wait(self, reference: str, condition: Condition) -> asyncio.Future[int]:
        """A future with the exit code of a container, settled once `condition` holds."""
        gone = self._waiters.gone(reference)
        return gone if gone is not None else self._waiters.wait(self._records.get(reference), condition)

    async def kill(self, reference: str, signal: str) -> None:
        """Send a signal. Raises WrongState when the container does not run."""
        number = parse_signal(signal or "SIGKILL")
        record = self._records.get(reference)
        if not record.running:
            raise WrongState(f"Cannot kill container: {reference}: container {record.id} is not running")
        await self._signal(record, number, final=number in (SIGKILL, _stop_signal(record)))

    async def _signal(self, record: ContainerRecord, number: int, *, final: bool) -> None:
        if final:
            self._records.change(record.id, lambda old: msgspec.structs.replace(old, manually_stopped=True))
        task = self._tasks.get(record)
        if record.state.status is Status.PAUSED and number == SIGKILL:
            await self._freezer.thaw(record.id)
        await task.shim.signal(number, final=final)
        announce(self._events, record, "kill", signal=str(number))

    async def stop(self, reference: str, *, patience: int | None = None, signal: str = "") -> None:
        """Ask a container to end, and end it after `patience` seconds; -1 = wait without end.

        Raises NotModified when it does not run.
        """
        record = self._records.get(reference)
        number = parse_signal(signal) if signal else _stop_signal(record)
        if not record.running:
            raise NotModified(f"container {record.id} is not running")
        if patience is None:
            patience = record.config.stop_timeout if record.config.stop_timeout is not None else STOP_TIMEOUT
        if record.state.status is Status.PAUSED:
            await self.unpause(record.id)
        await self._end(record, number, patience)
        record = self._records.find(record.id) or record
        announce(self._events, record, "stop")

    async def _end(self, record: ContainerRecord, number: int, patience: float) -> None:
        ended = self._waiters.wait(record, Condition.NOT_RUNNING)
        try:
            await self._try_signal(record, number)
            if await _within(ended, patience if patience >= 0 else None):
                return
            await self._try_signal(record, SIGKILL)
            if not await _within(ended, KILL_PATIENCE):
                raise EngineError(f"cannot stop container {record.id}: its process does not end")
        finally:
            ended.cancel()

    async def _try_signal(self, record: ContainerRecord, number: int) -> None:
        """Signal a container that may be ending by itself at this moment."""
        current = self._records.find(record.id)
        if current is None or not current.running:
            return
        try:
            await self._signal(current, number, final=True)
        except (WrongState, ShimGone):
            pass  # its last event is on the way

    async def restart(self, reference: str, *, patience: int | None = None, signal: str = "") -> None:
        """Stop a container if it runs, and start it."""
        record = self._records.get(reference)
        auto_remove = record.host_config.auto_remove
        if record.running and auto_remove:
            raise Conflict(f"container {record.id} removes itself when it stops and cannot be restarted")
        try:
            await self.stop(record.id, patience=patience, signal=signal)
        except NotModified:
            pass
        await self._starter.start(record.id)
        announce(self._events, self._records.get(record.id), "restart")

    async def pause(self, reference: str) -> None:
        """Freeze a running container. Raises WrongState."""
        record = self._records.get(reference)
        if record.state.status is Status.PAUSED:
            raise WrongState(f"Container {record.id} is already paused")
        if record.state.status is Status.RESTARTING:
            raise WrongState(f"Container {record.id} is restarting, wait until the container is running")
        if not record.running:
            raise WrongState(f"Container {record.id} is not running")
        await self._freezer.freeze(record.id)
        self._set_status(record, Status.PAUSED)
        announce(self._events, record, "pause")

    async def unpause(self, reference: str) -> None:
        """Let a frozen container go on. Raises WrongState."""
        record = self._records.get(reference)
        if record.state.status is not Status.PAUSED:
            raise WrongState(f"Container {record.id} is not paused")
        await self._freezer.thaw(record.id)
        self._set_status(record, Status.RUNNING)
        announce(self._events, record, "unpause")

    def _set_status(self, record: ContainerRecord, status: Status) -> None:
        since = timestamp(time.time_ns()) if status is Status.PAUSED else NEVER
        self._records.change(
            record.id, lambda old: replace_state(old, status=status, paused_at=since) if old.running else old
        )

    async def rename(self, reference: str, name: str) -> None:
        """Give a container another name. Raises NameInUse, InvalidArgument."""
        record = self._records.get(reference)
        if not name:
            raise InvalidArgument("Neither old nor new names may be empty")
        wanted = validate.check_name(name)
        async with self._locks.of(record.id):
            old = record.name
            if wanted == old:
                raise InvalidArgument("Renaming a container with the same name as its current name")
            record = self._records.change(
                record.id, lambda before: msgspec.structs.replace(before, name=wanted), durable=True
            )
        announce(self._events, record, "rename", oldName=f"/{old}")

    async def resize(self, reference: str, *, height: int, width: int) -> None:
        """Change the size of a container's terminal, in rows and columns."""
        record = self._records.get(reference)
        await self._tasks.get(record).shim.resize(height, width)
        announce(self._events, record, "resize", height=str(height), width=str(width))

    async def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container; `force` ends it first. Raises Conflict when it runs."""
        record = self._records.get(reference)
        if record.running:
            if not force:
                raise Conflict(_cannot_remove(record))
            await self._end(record, SIGKILL, KILL_PATIENCE)
        await self._tasks.drained(record.id)
        self._parking.dismiss(record.id)
        await self._removal.remove(record.id, volumes=volumes)


def _stop_signal(record: ContainerRecord) -> int:
    return parse_signal(record.config.stop_signal or "SIGTERM")


def _cannot_remove(record: ContainerRecord) -> str:
    status = record.state.status
    if status is Status.PAUSED:
        return (
            f"You cannot remove a paused container {record.id}. "
            "Unpause and then stop the container before attempting removal or force remove"
        )
    return (
        f"You cannot remove a {status} container {record.id}. "
        "Stop the container before attempting removal or force remove"
    )


async def _within(future: Awaitable[int], seconds: float | None) -> bool:
    """Whether `future` is settled within `seconds`; None = however long it takes."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(asyncio.ensure_future(future))
    except TimeoutError:
        return False
    return True
