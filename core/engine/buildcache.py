"""What builds have left to be faster the next time: steps and cache mounts, and their prune by an exact plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.build.cache import Cache, Entry
from core.engine.buildcaches import Caches
from core.engine.moments import moment
from core.errors import InvalidArgument
from core.images.room import ImageRoom
from core.oci.digest import Digest, chain_ids

STEP, MOUNT = "regular", "exec.cachemount"  # BuildKit's words
Filters = Mapping[str, Sequence[str]]
_ALLOWED = frozenset({"until", "unused-for", "id", "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One step or one cache mount. Times are Unix times, `size` is of its own layer, in bytes.

    `in_use`: an image has the layer, or a step has the mount. `shared`: another step has made the same layer.
    """

    id: str
    kind: str
    description: str
    size: int
    created_at: float
    used_at: float
    uses: int = 0
    in_use: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What goes, and the bytes that are free afterwards."""

    going: tuple[Held, ...]
    reclaimed: int


class BuildCache:
    """The cache of one ROOT as people see it."""

    def __init__(self, room: ImageRoom, cache: Cache, mounts: Caches) -> None:
        self._room = room
        self._cache = cache
        self._mounts = mounts

    async def usage(self) -> tuple[Held, ...]:
        """All there is, the last used first."""
        entries, kept = self._cache.all(), self._kept()
        layers = Counter(_top(entry) for entry in entries if entry.made_layer)
        steps = [
            Held(
                id=entry.key, kind=STEP, description=entry.text, size=entry.size if entry.made_layer else 0,
                created_at=entry.created_at, used_at=entry.used_at, uses=entry.uses,
                in_use=entry.made_layer and _top(entry) in kept, shared=layers[_top(entry)] > 1,
            )
            for entry in entries
        ]  # fmt: skip
        mounts = [
            Held(
                id=mount.name, kind=MOUNT, description=f"cache mount {mount.ident}", size=mount.size,
                created_at=mount.created_at, used_at=mount.used_at, in_use=mount.in_use,
            )
            for mount in await self._mounts.all()
        ]  # fmt: skip
        return tuple(sorted((*steps, *mounts), key=lambda held: held.used_at, reverse=True))

    async def plan(self, filters: Filters, *, everything: bool = False, keep: int = 0) -> CachePlan:
        """What a prune would remove. Raises InvalidArgument.

        Without `everything` only what no image has. With `keep` (bytes) what was not used for longest, until no
        more than that is left.
        """
        held = await self.usage()
        chosen = [one for one in held if self._goes(one, filters, everything=everything)]
        if keep:
            chosen = _beyond(held, chosen, keep)
        return CachePlan(tuple(chosen), self._freed({one.id for one in chosen}, chosen))

    async def carry_out(self, plan: Iterable[str]) -> CachePlan:
        """Remove these ids and nothing else; what has come into use meanwhile stays. What went."""
        wanted = set(plan)
        going = [one for one in await self.usage() if one.id in wanted]
        steps = [one for one in going if one.kind == STEP]
        freed = self._freed({one.id for one in steps}, steps)
        self._cache.delete([one.id for one in steps])
        gone = [*steps]
        for mount in (one for one in going if one.kind == MOUNT):
            if await self._mounts.remove(mount.id):
                gone.append(mount)
                freed += mount.size
        await self._room.collector.collect()
        return CachePlan(tuple(gone), freed)

    def _goes(self, one: Held, filters: Filters, *, everything: bool) -> bool:
        for name in filters:
            if name not in _ALLOWED:
                raise InvalidArgument(f"invalid filter '{name}'")
        if one.in_use and (one.kind == MOUNT or not everything):
            return False
        until = [moment(text) for name in ("until", "unused-for") for text in filters.get(name, ())]
        if until and one.used_at * 1e9 >= min(until):
            return False
        idents, kinds = filters.get("id", ()), filters.get("type", ())
        return (not idents or any(one.id.startswith(text) for text in idents)) and (not kinds or one.kind in kinds)

    def _kept(self) -> set[str]:
        """The layers that are there without any cache: of images, and below containers."""
        images = [*self._room.store.all(), *self._room.journal.images()]
        kept = {str(name) for image in images for name in image.config.chain}
        for snapshot in self._room.snapshots.all():
            if not snapshot.committed:
                kept.update(self._room.snapshots.parents(snapshot.parent))
        return kept

    def _freed(self, going: Collection[str], held: Sequence[Held]) -> int:
        gone: set[str] = set()
        stay = self._kept()
        for entry in self._cache.all():
            chain = {str(name) for name in chain_ids(entry.diff_ids)}
            if entry.key in going:
                gone |= chain
            else:
                stay |= chain
        size = self._room.snapshots.size
        layers = sum(size(name) for name in gone - stay if self._room.snapshots.exists(name))
        return layers + sum(one.size for one in held if one.kind == MOUNT)


def _top(entry: Entry) -> str:
    diff_ids: tuple[Digest, ...] = entry.diff_ids
    return str(chain_ids(diff_ids)[-1]) if diff_ids else ""


def _beyond(held: Sequence[Held], chosen: Sequence[Held], keep: int) -> list[Held]:
    """Of `chosen` those that have to go so that all that is held is at most `keep` bytes."""
    total, going = sum(one.size for one in held), []
    for one in sorted(chosen, key=lambda one: one.used_at):
        if total <= keep:
            break
        going.append(one)
        total -= one.size
    return going
