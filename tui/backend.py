"""The one who watches the engine: lists once, then follows its events, and tells the app what changed.

Nothing is polled but the figures of the rows that are shown. When the engine goes away, the last known world
stays on the screen and the connection is tried again until it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from textual.message import Message

from core.client.address import Value
from core.errors import EngineError, NotFound
from tui import state
from tui.calls import Client
from tui.messages import EngineDown, EngineStarting, EngineUp, Happened, UsageChanged, WorldChanged
from tui.state import Json, Usage, World

_SETTLE: Final = 0.03  # seconds to gather events, so that a burst costs one look a container
_FIRST_WAIT: Final = 0.4  # an engine that died is there again within 0.2 s
_MOST_WAIT: Final = 10.0
_AT_ONCE: Final = 8
_SHARED: Final[dict[str, Value]] = {"shared-size": 1}  # what a removal would free
_QUIET: Final = frozenset({"exec_create", "exec_start", "exec_die", "attach", "detach", "resize", "top", "export"})


class Backend:
    """Keeps a World true and posts it. `post` must be callable from the loop; `ensure` starts an engine."""

    def __init__(
        self,
        client: Client,
        post: Callable[[Message], object],
        ensure: Callable[[], Awaitable[bool]],
        host: str,
        *,
        stats_every: float = 2.0,
    ) -> None:
        self.world = World()
        self._client = client
        self._post = post
        self._ensure = ensure
        self._host = host
        self._stats_every = stats_every
        self._again = asyncio.Event()
        self._visible: tuple[str, ...] = ()
        self._samples: dict[str, Json] = {}
        self._dirty: set[str] = set()
        self._lists: set[str] = set()
        self._woken = asyncio.Event()
        self._rows_changed = asyncio.Event()
        self._down_since = 0.0

    def retry(self) -> None:
        """Try the engine now instead of at the next time."""
        self._again.set()

    def look_again(self, container_id: str) -> None:
        """Something became of a container that no event tells of: it did not start."""
        self._dirty.add(container_id)
        self._woken.set()

    def watch_rows(self, container_ids: Iterable[str]) -> None:
        """Only these containers' figures are asked for."""
        self._visible = tuple(container_ids)
        self._rows_changed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        wait = _FIRST_WAIT
        while True:
            try:
                await self._connect_and_follow()
                reason = "the engine closed the connection"
                wait = _FIRST_WAIT
            except (EngineError, OSError) as error:
                reason = str(error) or type(error).__name__
            now = time.time()
            self._down_since = self._down_since or now
            self._post(EngineDown(reason, self._down_since, now + wait))
            self._again.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), wait)
            wait = min(wait * 2, _MOST_WAIT)

    async def _connect_and_follow(self) -> None:
        self._post(EngineStarting())
        started = await self._ensure()
        facts = await self._own_facts()
        first = asyncio.Event()
        follower = asyncio.create_task(self._follow(first))
        tasks = [follower]
        try:
            await first.wait()
            if not follower.done():
                await self._load()
                self._down_since = 0.0
                self._post(EngineUp(self._host, bool(facts), started, float(facts.get("undo_seconds") or 0)))
                tasks += [asyncio.create_task(self._refresher()), asyncio.create_task(self._sampler())]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _own_facts(self) -> Json:
        """What the engine says of itself beside Docker's API; nothing where it speaks only that."""
        try:
            found: Json = await self._client.get("/onggi/v1/host")
        except NotFound:
            return {}
        return found

    async def _follow(self, first: asyncio.Event) -> None:
        """Read events until the engine closes the stream; `first` is set once it is open, or has failed to."""
        try:
            events = self._client.stream("/events")
            opening = asyncio.ensure_future(anext(events, None))
            await asyncio.wait([opening], timeout=0.1)  # an idle engine sends nothing: the list may begin
            first.set()
            event = await opening
            while event is not None:
                self._on_event(event)
                event = await anext(events, None)
        finally:
            first.set()

    async def _load(self) -> None:
        """The one list at the start; details follow row by row."""
        containers, images, volumes, networks = await asyncio.gather(
            self._client.get("/containers/json", all=1),
            self._client.get("/images/json", **_SHARED),
            self._client.get("/volumes"),
            self._client.get("/networks"),
        )
        found = [state.container_of_list(entry) for entry in containers]
        self.world = World(
            containers={one.id: one for one in found},
            images=state.images_of_list(images),
            volumes=state.volumes_of_list(volumes),
            networks=state.networks_of_list(networks),
            usage=self.world.usage,
            loaded=True,
        )
        self._tell()
        self._dirty |= self.world.containers.keys()
        self._woken.set()

    def _on_event(self, event: Json) -> None:
        kind, action = str(event.get("Type", "")), str(event.get("Action") or event.get("status") or "")
        actor = event.get("Actor") or {}
        found = str(actor.get("ID") or event.get("id") or "")
        verb = action.partition(":")[0]
        self._post(Happened(kind, action, found, actor.get("Attributes") or {}))
        if kind == "container":
            if verb == "destroy":
                self._dirty.discard(found)
                self._drop(found)
            elif verb not in _QUIET:
                self._dirty.add(found)
        elif kind in ("image", "volume", "network"):
            self._lists.add(kind)
        self._woken.set()

    async def _refresher(self) -> None:
        """Look again at what events named, a burst at a time."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(_SETTLE)
            self._woken.clear()
            dirty, self._dirty = self._dirty, set()
            lists, self._lists = self._lists, set()
            limit = asyncio.Semaphore(_AT_ONCE)
            looks = [self._look(one, limit) for one in dirty] + [self._relist(kind) for kind in lists]
            await asyncio.gather(*looks)
            self._tell()

    async def _look(self, container_id: str, limit: asyncio.Semaphore) -> None:
        async with limit:
            try:
                entry = await self._client.get(f"/containers/{container_id}/json")
            except NotFound:
                self._drop(container_id)
                return
        self.world = self.world.with_container(state.container_of_inspect(entry))

    async def _relist(self, kind: str) -> None:
        if kind == "image":
            images = state.images_of_list(await self._client.get("/images/json", **_SHARED))
            self.world = replace(self.world, images=images)
        elif kind == "volume":
            volumes = state.volumes_of_list(await self._client.get("/volumes"))
            self.world = replace(self.world, volumes=volumes)
        else:
            networks = state.networks_of_list(await self._client.get("/networks"))
            self.world = replace(self.world, networks=networks)

    def _drop(self, container_id: str) -> None:
        self._samples.pop(container_id, None)
        if container_id in self.world.containers:
            self.world = self.world.without_container(container_id)

    def _tell(self) -> None:
        self._post(WorldChanged(self.world))
        self._rows_changed.set()

    async def _sampler(self) -> None:
        """Figures of the running rows that are shown, and of no others."""
        while True:
            known = self.world.containers
            running = [one for one in self._visible if one in known and known[one].status == "running"]
            if not running:
                self._rows_changed.clear()
                await self._rows_changed.wait()
                continue
            found = await asyncio.gather(*map(self._sample, running))
            usage = {key: value for key, value in found if value is not None}
            self.world = replace(self.world, usage={**self.world.usage, **usage})
            self._post(UsageChanged(usage))
            await asyncio.sleep(self._stats_every)

    async def _sample(self, container_id: str) -> tuple[str, Usage | None]:
        query: dict[str, Value] = {"stream": False, "one-shot": True}
        try:
            sample = await self._client.get(f"/containers/{container_id}/stats", **query)
        except EngineError:
            return container_id, None  # it may have ended meanwhile; the event says so
        before = self._samples.get(container_id)
        self._samples[container_id] = sample
        return container_id, state.usage_of(sample, before)
