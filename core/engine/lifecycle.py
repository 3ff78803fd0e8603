"""What a shim tells becomes state, events and consequences: the observer of tasks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from core.engine.announce import announce, announce_network, announce_volumes
from core.engine.events import Events
from core.engine.records import Records
from core.engine.waiters import Waiters
from core.errors import EngineError
from core.model.container import NEVER, ContainerRecord, Status
from core.packets import Message
from core.wire.codec import parse_timestamp, timestamp

log = logging.getLogger(__name__)

LOST_EXIT_CODE = 137  # as if killed, which is what its cgroup then is


class Networks(Protocol):
    """The part of the networks that an exit needs."""

    async def detach(self, container_id: str) -> None: ...


class Remover(Protocol):
    """Removes a container that does not run; `vanish` does the part of it that others see."""

    async def remove(self, ident: str, *, volumes: bool) -> None: ...
    async def vanish(self, ident: str) -> None: ...


class ExecObserver(Protocol):
    """Who keeps the exec instances."""

    def exited(self, container_id: str, exec_id: str, exit_code: int) -> None: ...
    def all_exited(self, container_id: str) -> None: ...


class Lifecycle:
    """Turns shim events into records, bus events and clean-up."""

    def __init__(
        self,
        records: Records,
        events: Events,
        waiters: Waiters,
        networks: Networks,
        execs: ExecObserver,
        *,
        remover: Remover,
        kill_group: Callable[[str], Awaitable[None]],
        revive: Callable[[str, int], Awaitable[None]],
    ) -> None:
        """`kill_group` ends every process of a container; `revive` starts a container for the n-th time again."""
        self._records = records
        self._events = events
        self._waiters = waiters
        self._networks = networks
        self._execs = execs
        self._remover = remover
        self._kill_group = kill_group
        self._revive = revive
        self._background: set[asyncio.Task[None]] = set()

    async def happened(self, ident: str, event: Message) -> None:
        """One event of a shim, told in order."""
        record = self._records.find(ident)
        if record is None:
            return
        name = event.get("event")
        if name == "started":
            self._started(record, event)
        elif name == "failed":
            self._failed(record, event)
        elif name == "exited":
            self._exited(record, event)
        elif name == "oom":
            announce(self._events, record, "oom")
        elif name == "exec-exited":
            self._execs.exited(ident, str(event["exec"]), int(event["exit_code"]))
        elif name == "detached":
            announce(self._events, record, "detach")
        else:
            log.warning("container %s: unknown event of its shim: %s", record.short_id, name)

    def _started(self, record: ContainerRecord, event: Message) -> None:
        record = self._records.set_state(
            record.id,
            status=Status.RUNNING,
            pid=int(event["pid"]),
            started_at=_time(event.get("started_at")),
            restart_count=int(event.get("restart_count", 0)),
            error="",
            oom_killed=False,
        )
        announce(self._events, record, "start")

    def _failed(self, record: ContainerRecord, event: Message) -> None:
        error = event.get("error") or {}
        self._records.set_state(
            record.id,
            pid=0,
            exit_code=int(error.get("exit_code", 128)),
            error=str(error.get("message", "")),
        )

    def _exited(self, record: ContainerRecord, event: Message) -> None:
        again = event.get("restarting_in") is not None
        code, finished = int(event["exit_code"]), _time(event.get("finished_at"))
        record = self._records.set_state(
            record.id,
            status=Status.RESTARTING if again else Status.EXITED,
            pid=0,
            exit_code=code,
            oom_killed=bool(event.get("oom")),
            error=str(event.get("error") or ""),
            finished_at=finished,
            restarts_at=_after(finished, float(event["restarting_in"])) if again else NEVER,
        )
        self._execs.all_exited(record.id)
        announce(self._events, record, "die", exitCode=str(code), execDuration=_duration(record))
        self._waiters.exited(record.id, code, for_good=not again)
        if record.host_config.auto_remove and not again:
            self._later(self._vanish(record))

    async def _vanish(self, record: ContainerRecord) -> None:
        """What waits for `run --rm` need not wait for the shim, which takes milliseconds to put its things away."""
        await self.release(record)
        await self._remover.vanish(record.id)

    async def gone(self, ident: str) -> None:
        """The shim ended after its last event: its network goes, and with `--rm` what is left of the container."""
        record = self._records.find(ident)
        if record is not None:
            await self.release(record)
        if record is None or record.host_config.auto_remove:
            self._later(self._remover.remove(ident, volumes=True))

    async def release(self, record: ContainerRecord) -> None:
        """Give back what only a running container holds."""
        await self._networks.detach(record.id)
        current = self._records.find(record.id)
        if current is not None and current.endpoint is not None:
            announce_network(self._events, current, "disconnect")
            announce_volumes(self._events, current, "unmount")
            self._records.change(current.id, lambda old: msgspec.structs.replace(old, endpoint=None))

    async def lost(self, ident: str) -> None:
        """The shim ended without its last event: end the container, say so, and apply its restart policy."""
        await self._kill_group(ident)
        record = self._records.find(ident)
        if record is None:
            return
        log.error("container %s: shim lost", record.short_id)
        record = self._records.set_state(
            ident,
            status=Status.EXITED,
            pid=0,
            exit_code=LOST_EXIT_CODE,
            error="shim lost",
            finished_at=timestamp(time.time_ns()),
        )
        self._execs.all_exited(ident)
        announce(self._events, record, "die", exitCode=str(LOST_EXIT_CODE))
        again = self._restarts(record)
        self._waiters.exited(ident, LOST_EXIT_CODE, for_good=not again)
        await self.release(record)
        if again:
            self._later(self._restart(record))
        elif record.host_config.auto_remove:
            self._later(self._remover.remove(ident, volumes=True))

    async def clear(self, ident: str) -> None:
        """End what may be left of a shim that died before it told of any start."""
        await self._kill_group(ident)

    @staticmethod
    def _restarts(record: ContainerRecord) -> bool:
        policy = record.host_config.restart_policy
        if record.manually_stopped or policy.name in ("", "no"):
            return False
        retries = policy.maximum_retry_count
        return policy.name != "on-failure" or not retries or record.state.restart_count < retries

    async def _restart(self, record: ContainerRecord) -> None:
        await self._revive(record.id, record.state.restart_count + 1)

    def _later(self, work: Awaitable[None]) -> None:
        """Run `work` beside the shim's events, which must not wait for it (it takes the container's lock)."""

        async def run() -> None:
            try:
                await work
            except EngineError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("clean up after a container")

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _time(value: Any) -> str:
    """A time of a shim, in nanoseconds since the epoch or already as text; now where it gives none."""
    if isinstance(value, str) and value:
        return value
    return timestamp(int(value) if value else time.time_ns())


def _after(moment: str, seconds: float) -> str:
    """The time `seconds` after another one."""
    return timestamp(parse_timestamp(moment) + round(seconds * 1_000_000_000))


def _duration(record: ContainerRecord) -> str:
    started, finished = parse_timestamp(record.state.started_at), parse_timestamp(record.state.finished_at)
    return str(max(0, finished - started) // 1_000_000_000)
