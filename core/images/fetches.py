"""One fetch for a blob, however many want it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.errors import EngineError
from core.oci.digest import Digest

Advance = Callable[[int], None]
Work = Callable[[Advance], Awaitable[None]]


@dataclass(eq=False)
class _Fetch:
    task: asyncio.Task[None]
    listeners: list[Advance] = field(default_factory=list)
    ending: bool = False


class Fetches:
    """What is being fetched. A fetch ends early when the last who waits for it has gone."""

    def __init__(self, has: Callable[[Digest], bool]) -> None:
        self._has = has
        self._running: dict[Digest, _Fetch] = {}

    async def get(self, digest: Digest, work: Work, advance: Advance) -> bool:
        """Have the blob in the store; whether anything had to be fetched. `advance` hears the bytes so far.

        `work` is done unless somebody else's is under way; when that fails, ours is tried. Raises what `work` does.
        """
        fetched = False
        while not self._has(digest):
            fetched = True
            fetch = self._running.get(digest)
            if fetch is not None and fetch.ending:
                await asyncio.wait([fetch.task])
                continue
            ours = fetch is None
            if fetch is None:
                fetch = self._begin(digest, work)
            try:
                await self._wait(fetch, advance)
            except EngineError:
                if ours:
                    raise
        return fetched

    def _begin(self, digest: Digest, work: Work) -> _Fetch:
        listeners: list[Advance] = []

        def tell(current: int) -> None:
            for listener in listeners:
                listener(current)

        async def run() -> None:
            try:
                await work(tell)
            finally:
                self._running.pop(digest, None)

        fetch = _Fetch(asyncio.create_task(run()), listeners)
        self._running[digest] = fetch
        return fetch

    @staticmethod
    async def _wait(fetch: _Fetch, advance: Advance) -> None:
        fetch.listeners.append(advance)
        try:
            await asyncio.shield(fetch.task)
        finally:
            fetch.listeners.remove(advance)
            if not fetch.listeners and not fetch.task.done():
                fetch.ending = True
                fetch.task.cancel()
                await asyncio.wait([fetch.task])
