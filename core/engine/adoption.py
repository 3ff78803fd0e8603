"""A new engine takes up what the one before left: live shims, exits nobody saw, removals half done."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from core.aio import off_loop
from core.engine.instances import Instances
from core.engine.lifecycle import Lifecycle
from core.engine.records import Records
from core.engine.removal import Removal
from core.engine.tasks import Tasks
from core.errors import EngineError, NotModified
from core.model.container import ContainerRecord, Status
from core.packets import Message
from core.paths import Paths
from core.shim.journal import settle, unacknowledged

log = logging.getLogger(__name__)


class Networks(Protocol):
    """The part of the networks that adoption needs."""

    async def readopt(self, records: Sequence[ContainerRecord]) -> None: ...


class Adoption:
    """Runs once, when the engine starts."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        tasks: Tasks,
        lifecycle: Lifecycle,
        execs: Instances,
        *,
        networks: Networks,
        removal: Removal,
        start: Callable[[str], Awaitable[None]],
    ) -> None:
        self._paths = paths
        self._records = records
        self._tasks = tasks
        self._lifecycle = lifecycle
        self._execs = execs
        self._networks = networks
        self._removal = removal
        self._start = start

    async def adopt(self) -> None:
        """Find the shims that are there; account for those that are gone.

        The record alone does not tell which to look for: a shim may have started its process, or ended, after the
        engine before us had stored its last word of it.
        """
        ended = []
        for record in self._records.all():
            if not record.running and not self._paths.task(record.id).exists():
                if await off_loop(unacknowledged, str(self._paths.journal(record.id))):
                    ended.append(record)
                continue
            state = await self._tasks.adopt(record)
            if state is None:
                ended.append(record)
            else:
                self._take(record, state)
        await self._networks.readopt([record for record in self._records.all() if self._tasks.find(record.id)])
        for record in ended:
            await self._account(record)

    def _take(self, record: ContainerRecord, state: Message) -> None:
        """What the shim says now; how it came to it follows as events."""
        self._execs.adopt(record.id, state.get("execs") or {}, state.get("exec_details") or {})
        if state.get("status") == "running":
            paused = record.state.status is Status.PAUSED
            self._records.set_state(
                record.id,
                status=Status.PAUSED if paused else Status.RUNNING,
                pid=int(state["pid"]),
                restart_count=int(state.get("restart_count", 0)),
            )

    async def _account(self, record: ContainerRecord) -> None:
        """The shim is gone: its journal says how it went, or nobody does."""
        final = False
        ran = record.running
        for event in await off_loop(unacknowledged, str(self._paths.journal(record.id))):
            try:
                await self._lifecycle.happened(record.id, event)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("container %s: damaged journal: %s: %r", record.short_id, event, error)
                continue
            final = event.get("event") == "failed" or (
                event.get("event") == "exited" and event.get("restarting_in") is None
            )
            ran = True
        # Before anything that may start the next shim, which has the same files.
        await off_loop(settle, str(self._paths.journal(record.id)))
        await off_loop(shutil.rmtree, self._paths.task(record.id), True)
        if final:
            await self._lifecycle.gone(record.id)
        elif ran:
            await self._lifecycle.lost(record.id)
        else:
            await self._lifecycle.clear(record.id)

    async def finish(self) -> None:
        """Remove what was being removed, and what should have been with its exit."""
        for record in self._records.all():
            state = record.state.status
            half_done = state in (Status.REMOVING, Status.DEAD)
            if half_done or (state is Status.EXITED and record.host_config.auto_remove):
                await self._try(self._removal.remove(record.id, volumes=record.host_config.auto_remove))
        await self._removal.sweep()

    async def start_due(self, *, fresh: bool) -> None:
        """Start what a restart policy wants to run. `fresh` = the engine was down, not only its daemon:
        then `always` also starts what was stopped by hand."""
        for record in reversed(self._records.all()):
            policy = record.host_config.restart_policy.name
            wanted = policy == "unless-stopped" and not record.manually_stopped
            wanted = wanted or (policy == "always" and (fresh or not record.manually_stopped))
            if wanted and record.state.status is Status.EXITED:
                await self._try(self._start(record.id))

    @staticmethod
    async def _try(work: Awaitable[None]) -> None:
        try:
            await work
        except NotModified:
            pass
        except EngineError as error:
            log.warning("%s", error)
