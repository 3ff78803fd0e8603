"""Where a step may come from: this store's own cache, then the caches that the client has named.

What is found elsewhere has its layers elsewhere; they come when a step, a copy or the image needs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from core.build.ancestry import Past
from core.build.cache import Cache, Entry
from core.build.cachedoc import Trodden
from core.build.state import State
from core.build.work import Layering
from core.errors import CorruptStore, EngineError
from core.oci.digest import Digest, chain_ids

Told = Callable[[str], Awaitable[bool]]  # whether a line of an image's history is of a step
Tell = Callable[[str, str, int, int], None]  # which layer, what happens, bytes so far, of how many


class ImportFailed(EngineError):
    """A cache from elsewhere turned out to be of no use: the build has to do without `name`."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class Imported(Protocol):
    """A cache from elsewhere. One that `leads` is asked for its history before anything else is looked for."""

    @property
    def name(self) -> str: ...
    @property
    def leads(self) -> bool: ...
    def find(self, key: str) -> Entry | None: ...
    def short(self, key: str) -> tuple[str, str] | None: ...
    def after(self, state: State) -> Past | None: ...
    def holds(self, diff_id: Digest) -> bool: ...
    async def bring(self, diff_ids: Sequence[Digest], tell: Tell) -> None:
        """Have these layers in the store, unpacked. Raises ImportFailed."""
        ...


class Hits:
    """For one build. `trail` is every step it has been through."""

    def __init__(self, cache: Cache, layering: Layering, imports: Sequence[Imported]) -> None:
        self._cache = cache
        self._layering = layering
        self._imports = imports
        self._bringing = asyncio.Lock()
        self._chains: dict[str, tuple[Digest, ...]] = {}
        self.trail: list[Trodden] = []

    def find(self, key: str, under: tuple[Digest, ...]) -> Entry | None:
        """The step with this key on the layers `under`; its own are here or can be brought."""
        entry = self._cache.find(key)
        if entry is not None and _stands_on(entry, under) and self._layering.has(entry.diff_ids):
            return entry
        for imported in self._imports:
            entry = imported.find(key)
            if entry is not None and _stands_on(entry, under) and self._can_be_had(entry.diff_ids, imported):
                return entry
        return None

    async def find_past(self, state: State, told: Told, *, leading: bool) -> Past | None:
        """The step in the history of an image that was once where `state` is, of those that lead or the others."""
        for imported in self._imports:
            past = imported.after(state) if imported.leads is leading else None
            if past is not None and self._can_be_had(past.diff_ids, imported) and await told(past.line.created_by):
                return past
        return None

    def by_short(self, short: str, under: tuple[Digest, ...]) -> tuple[Entry, str] | None:
        """The step with this second key, and what its history says."""
        finders = [self._cache.short, *(imported.short for imported in self._imports)]
        for find in finders:
            found = find(short)
            entry = self.find(found[0], under) if found is not None else None
            if found is not None and entry is not None:
                return entry, found[1]
        return None

    def done(self, entry: Entry, short: str, created_by: str, *, cached: bool) -> None:
        """A step is behind us. What was done here is remembered here; what came from elsewhere only used."""
        if not cached:
            self._cache.add(
                entry.key, entry.diff_ids, made_layer=entry.made_layer, text=entry.text, size=entry.size,
                created_at=entry.created_at,
            )  # fmt: skip
        if short and not cached:
            self._cache.add_short(short, entry.key, created_by)
        self.trail.append(Trodden(entry=entry, short=short, created_by=created_by if short else ""))

    def snapshot(self, diff_ids: tuple[Digest, ...]) -> str:
        """The name of the snapshot of these layers, which may have to be brought yet."""
        name = str(chain_ids(diff_ids)[-1]) if diff_ids else ""
        self._chains[name] = diff_ids
        return name

    async def ensure_snapshot(self, name: str, tell: Tell) -> None:
        """`ensure` for a name that `snapshot` gave."""
        await self.ensure(self._chains.get(name, ()), tell)

    async def ensure(self, diff_ids: tuple[Digest, ...], tell: Tell) -> None:
        """Have these layers here. Raises ImportFailed."""
        if not diff_ids or self._layering.has(diff_ids):
            return
        async with self._bringing:  # two steps may stand on the same layers
            for imported in self._imports:
                if not self._layering.has(diff_ids) and self._can_be_had(diff_ids, imported):
                    await imported.bring(diff_ids, tell)
        if not self._layering.has(diff_ids):
            raise CorruptStore(f"layer {diff_ids[-1]} is missing from the store")

    def _can_be_had(self, diff_ids: Sequence[Digest], imported: Imported) -> bool:
        return all(imported.holds(diff_id) or self._layering.has_layer(diff_id) for diff_id in diff_ids)


def _stands_on(entry: Entry, under: tuple[Digest, ...]) -> bool:
    """A step may have been done twice: layers of the one time do not lie on those of the other."""
    return (entry.diff_ids[:-1] if entry.made_layer else entry.diff_ids) == under
