"""Live shims: making one, finding it again after an engine restart, and passing on what it tells.

A task is a container's running shim. What its events mean is decided by the observer, never here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop
from core.errors import EngineError, ShimGone, WrongState
from core.model.container import ContainerRecord
from core.packets import Message
from core.paths import Paths
from core.shim import client
from core.shim.client import Shim
from core.shim.journal import settle

log = logging.getLogger(__name__)

DRAIN_PATIENCE = 10.0  # seconds a stopped container's clients have for what is left


class Spawner(Protocol):
    """The part of the zygote's client that makes shims."""

    async def spawn_shim(self, config: Message) -> Any: ...


class Observer(Protocol):
    """Who is told what happened to a container's processes, one after the other for each container."""

    async def happened(self, ident: str, event: Message) -> None: ...
    async def gone(self, ident: str) -> None: ...
    async def lost(self, ident: str) -> None: ...


class Task:
    """One shim and what is known of it."""

    def __init__(self, ident: str, shim: Shim) -> None:
        self.ident = ident
        self.shim = shim
        self.final = False  # it has told its last event: EOF is expected
        self.closing = False  # this engine ends; the shim stays
        loop = asyncio.get_running_loop()
        self.launched: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self.followers = 0
        self._grew = asyncio.Condition()
        self._growth = 0

    @property
    def growth(self) -> int:
        """Counts the shim's words that the log has grown."""
        return self._growth

    async def note_growth(self) -> None:
        """The log has grown, or will not grow any more."""
        async with self._grew:
            self._growth += 1
            self._grew.notify_all()

    async def more_log(self, seen: int) -> None:
        """Wait until the log has grown since `growth` was `seen`, or will not any more."""
        async with self._grew:
            await self._grew.wait_for(lambda: self._growth != seen or self.final or self.drained.done())


class Tasks:
    """All live shims by container id."""

    def __init__(self, paths: Paths, zygote: Spawner, observer: Observer) -> None:
        self._paths = paths
        self._zygote = zygote
        self._observer = observer
        self._tasks: dict[str, Task] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    def get(self, record: ContainerRecord) -> Task:
        """The task of a running container. Raises WrongState with Docker's words."""
        task = self._tasks.get(record.id)
        if task is None or task.final:
            raise WrongState(f"container {record.id} is not running")
        return task

    def find(self, ident: str) -> Task | None:
        """The task of a container, if it has one; it may be ending."""
        return self._tasks.get(ident)

    async def spawn(self, ident: str, config: Message) -> Task:
        """Fork a shim; it waits for `start`. Raises what the zygote raises."""
        link = await self._zygote.spawn_shim(config)
        return self._keep(Task(ident, Shim(link)))

    async def adopt(self, record: ContainerRecord) -> Message | None:
        """Find the shim of a container that ran under the engine before; None when there is none.

        Returns the state that the shim tells; the events we missed follow through the observer.
        """
        try:
            shim = await client.connect(str(self._paths.shim_socket(record.id)))
        except (OSError, EngineError):
            return None
        task = Task(record.id, shim)
        try:
            state = await shim.hello()
        except (OSError, EngineError) as error:
            log.warning("greet the shim of container %s: %s", record.short_id, error)
            shim.close()
            return None
        if state.get("status") == "created":
            shim.close()  # it was never told to start, and ends with its link
            return None
        task.launched.set_result(None)
        self._keep(task)
        return state

    def _keep(self, task: Task) -> Task:
        self._tasks[task.ident] = task
        pump = asyncio.create_task(self._pump(task))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        return task

    async def dismiss(self, task: Task) -> None:
        """End a shim that will not get to start anything, and wait until it has put its things away."""
        task.final = True
        task.shim.hang_up()
        await self.drained(task.ident)

    async def launch(self, task: Task, netns: int | None) -> None:
        """Let the shim start its process, in `netns`, and wait for it. Raises InitFailed and its like."""
        try:
            await task.shim.start(netns)
        except ShimGone:
            raise
        except EngineError:
            task.final = True  # the event that says the same is on its way, and it is the last
            raise
        await task.launched

    async def drained(self, ident: str) -> None:
        """Wait until a shim that has told its last event is gone, with its mounts and cgroup."""
        task = self._tasks.get(ident)
        if task is None or not task.final:
            return
        try:
            async with asyncio.timeout(DRAIN_PATIENCE):
                await asyncio.shield(task.drained)
        except TimeoutError:
            # A client that does not read its last bytes must not keep the container from its next life.
            log.warning("container %s: its shim still serves a client: ended", ident[:12])
            await off_loop(_kill_shim, self._paths.task(ident) / "pid")
            await asyncio.shield(task.drained)

    async def _pump(self, task: Task) -> None:
        try:
            async for event in task.shim.events():
                await self._take(task, event)
        except OSError as error:
            log.warning("shim of container %s: %s", task.ident[:12], error)
        except Exception:
            log.exception(
                "shim of container %s", task.ident[:12]
            )  # who waits for it must hear its end all the same
        finally:
            task.shim.close()
        if task.closing:
            return
        if not task.launched.done():
            task.launched.set_exception(ShimGone("the container's shim ended before it started anything"))
            task.launched.exception()  # the one who waits hears of it; nobody waiting is no error
        # A killed shim has not heard every ack. Before it is told: what follows may start the next shim at once.
        await off_loop(settle, str(self._paths.journal(task.ident)))
        await self._tell(task, None)
        if self._tasks.get(task.ident) is task:
            del self._tasks[task.ident]
        task.drained.set_result(None)
        await task.note_growth()

    async def _take(self, task: Task, event: Message) -> None:
        name = event.get("event")
        if name == "log":
            await task.note_growth()
            return
        if name == "failed" or (name == "exited" and event.get("restarting_in") is None):
            task.final = True
        await self._tell(task, event)
        if name == "started" and not task.launched.done():
            task.launched.set_result(None)
        if task.final:
            await task.note_growth()
        if "seq" in event:
            task.shim.ack(int(event["seq"]))

    async def _tell(self, task: Task, event: Message | None) -> None:
        try:
            if event is not None:
                await self._observer.happened(task.ident, event)
            elif task.final:
                await self._observer.gone(task.ident)
            else:
                await self._observer.lost(task.ident)
        except Exception:
            log.exception("container %s: %s", task.ident[:12], event or "its shim is gone")

    def close(self) -> None:
        """Let go of the shims; they live on."""
        for task in list(self._tasks.values()):
            task.closing = True
            task.shim.close()
        for pump in list(self._pumps):
            pump.cancel()


def _kill_shim(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        pass
