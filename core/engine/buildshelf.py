"""What the steps of the last builds came to, for who wants a shell in it: also of the step that failed, as it fell.

The snapshots of the last four failed steps are kept, for half an hour; of other steps nothing but their state is,
for their layers are in the cache. Whoever asks gets an image without a name, so that all one can do with images can
be done with it; it goes when its time is over and no container needs it. A new engine keeps none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from core.build.finish import register
from core.build.state import State
from core.build.work import Inside
from core.errors import EngineError, NotFound
from core.images.capture import Capture, Released
from core.images.room import ImageRoom
from core.oci.digest import Digest

log = logging.getLogger(__name__)

KEPT = 1800.0  # seconds
BUILDS, BROKEN = 16, 4  # builds whose steps are known, failed steps that are kept
LABEL = "io.onggi.build.step"  # of an image that is a step: BUILD/STEP
Users = Callable[[Digest], Sequence[str]]  # the containers of an image


@dataclass(frozen=True, slots=True)
class _Fallen:
    """A failed step: active snapshot `key` on top of `state`, which says what its program was given."""

    key: str
    state: State
    timer: asyncio.TimerHandle


@dataclass(frozen=True, slots=True)
class Room:
    """An image that is a step. `broken` = with what the failed step has done."""

    image: Digest
    step: int
    broken: bool
    shell: tuple[str, ...]


class Shelf:
    """The steps of one engine's builds."""

    def __init__(self, room: ImageRoom, released: Released, users: Users) -> None:
        self._room = room
        self._released = released
        self._users = users
        self._builds: dict[str, dict[int, State]] = {}
        self._fallen: dict[tuple[str, int], _Fallen] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._making = asyncio.Lock()
        self._until: dict[Digest, float] = {}  # of the loop's clock

    def of(self, build: str) -> Inside:
        """Where a build puts its steps."""
        while len(self._builds) >= BUILDS:
            del self._builds[next(iter(self._builds))]
        return _Place(self, build, self._builds.setdefault(build, {}))

    def fell(self, build: str, step: int, state: State, key: str) -> None:
        """Take over active snapshot `key`, in which a step failed."""
        for oldest in list(self._fallen)[: max(len(self._fallen) - BROKEN + 1, 0)]:
            self._later(self._drop(oldest))
        timer = asyncio.get_running_loop().call_later(KEPT, lambda: self._later(self._drop((build, step))))
        self._fallen[build, step] = _Fallen(key, state, timer)

    async def image(self, build: str, step: int = 0) -> Room:
        """A step as an image; 0 = the one that failed, else the last. Raises NotFound, SyscallFailed."""
        states = self._builds.get(build, {})
        broken = [ident for owner, ident in self._fallen if owner == build]
        step = step or next(iter([*broken, *reversed(states)]), 0)
        async with self._making, self._room.collector.working():
            fallen = self._fallen.get((build, step))
            if fallen is not None:
                state = await self._adopted(build, step, fallen)
            elif step in states:
                state = states[step]
            else:
                raise NotFound(f"the file system of step {step} of build {build[:12]} is not here any more")
            return await self._named(build, step, state, broken=step in broken or _broke(state))

    async def _adopted(self, build: str, step: int, fallen: _Fallen) -> State:
        """The failed step's snapshot as a layer of its own."""
        state = fallen.state
        layer = await Capture(self._room).adopt(fallen.key, state.diff_ids, self._released)
        await self._room.unpacker.settle()
        text = state.history[-1].created if state.history else ""
        state = state.next(_BROKE + state.key, layer=layer, created_by="a step that failed", created=text)
        fallen.timer.cancel()
        self._fallen.pop((build, step), None)
        self._builds.setdefault(build, {})[step] = state
        return state

    async def _named(self, build: str, step: int, state: State, *, broken: bool) -> Room:
        labels = {**state.config.labels, LABEL: f"{build}/{step}"}
        image = await register(
            self._room, replace(state, config=msgspec.structs.replace(state.config, labels=labels)), ()
        )
        self._expire_later(image.id)
        return Room(image.id, step, broken, tuple(state.config.shell[:1]) or ("/bin/sh",))

    async def sweep(self) -> None:
        """At start: remove what an engine before has left and no container needs."""
        for image in self._room.store.all():
            if LABEL in image.config.config.labels and not image.references and not self._users(image.id):
                self._room.store.delete(image.id)

    async def close(self) -> None:
        """At the engine's end: remove the snapshots of failed steps."""
        for key in list(self._fallen):
            await self._drop(key)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _expire_later(self, image: Digest) -> None:
        loop = asyncio.get_running_loop()
        self._until[image] = loop.time() + KEPT
        loop.call_later(KEPT, lambda: self._later(self._expire(image)))

    async def _expire(self, image: Digest) -> None:
        """Its time is over; while a container needs it, it has a little more."""
        if asyncio.get_running_loop().time() < self._until.get(image, 0.0):
            return  # somebody has asked for it again
        found = self._room.store.get(image)
        if found is None or found.references:
            return
        if self._users(image):
            self._expire_later(image)
            return
        self._room.store.delete(image)
        await self._room.collector.collect()

    async def _drop(self, key: tuple[str, int]) -> None:
        fallen = self._fallen.pop(key, None)
        if fallen is None:
            return
        fallen.timer.cancel()
        await self._released(fallen.key)
        with contextlib.suppress(NotFound):
            await self._room.snapshots.remove(fallen.key)

    def _later(self, work: Awaitable[None]) -> None:
        async def carefully() -> None:
            try:
                await work
            except (EngineError, OSError) as error:
                log.warning("put away the step of a build: %s", error)

        task = asyncio.create_task(carefully())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_BROKE = "broken-"


def _broke(state: State) -> bool:
    return state.key.startswith(_BROKE)


class _Place:
    """One build's."""

    def __init__(self, shelf: Shelf, build: str, states: dict[int, State]) -> None:
        self._shelf = shelf
        self._build = build
        self._states = states

    def stands(self, step: int, state: State) -> None:
        self._states[step] = state

    def fell(self, step: int, state: State, key: str) -> None:
        self._shelf.fell(self._build, step, state, key)
