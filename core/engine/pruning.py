"""Prune: first the exact plan of what would go, then that plan and nothing else.

A plan is data: a client may show it, ask its user, and send it back. What has changed meanwhile is kept, because
nobody agreed to its going: a container that was started, an image with another name, a volume with a user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.engine.filters import has_label
from core.engine.images import ImageActs
from core.engine.moments import moment
from core.engine.records import Records
from core.engine.volumes import VolumeActs
from core.errors import Conflict, ImageInUse, InvalidArgument, NotFound
from core.images.history import seconds
from core.images.room import ImageRoom
from core.model.container import ContainerRecord
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference
from core.wire.codec import parse_timestamp

Filters = Mapping[str, Sequence[str]]
Kept = list[tuple[str, str]]  # what stays after all, and why
_ALLOWED = {
    "containers": {"label", "label!", "until"},
    "images": {"dangling", "label", "label!", "until"},
    "volumes": {"all", "label", "label!"},
}


class Containers(Protocol):
    """Who removes containers."""

    async def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None: ...


class Sizes(Protocol):
    """Who knows how much a container has written."""

    async def size(self, record: ContainerRecord, image_size: int) -> tuple[int, int]: ...


class Folders(Protocol):
    """Who knows how much is in a folder."""

    async def folder_size(self, folder: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that goes. `names` of an image are its tags as people write them; `size` in bytes, of its own."""

    id: str
    names: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes. `reclaimed` = bytes that are free afterwards; layers that several images share count once."""

    containers: tuple[Item, ...] = ()
    images: tuple[Item, ...] = ()
    volumes: tuple[Item, ...] = ()
    reclaimed: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What went: ids of containers, `{"Untagged"|"Deleted"}` of images, names of volumes; why the rest stayed."""

    containers: tuple[str, ...]
    images: tuple[Mapping[str, Any], ...]
    volumes: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    reclaimed: int


class Pruning:
    """Plans and carries out."""

    def __init__(
        self,
        room: ImageRoom,
        records: Records,
        *,
        containers: Containers,
        images: ImageActs,
        volumes: VolumeActs,
        sizes: Sizes,
        folders: Folders,
    ) -> None:
        self._room = room
        self._records = records
        self._containers = containers
        self._images = images
        self._volumes = volumes
        self._sizes = sizes
        self._folders = folders

    async def plan(
        self, kinds: Collection[str], filters: Filters, *, all_images: bool = False, all_volumes: bool = False
    ) -> Plan:
        """What a prune of `kinds` (containers, images, volumes) would remove. Raises InvalidArgument.

        Images and volumes count as unused when only containers that go along use them. Without `all_images` only
        those without a name go, without `all_volumes` only anonymous ones.
        """
        for kind in kinds:
            check(kind, filters)
        chosen = Chosen(filters)
        containers = self._stopped(chosen) if "containers" in kinds else []
        going = {record.id for record in containers}
        images = self._unused(chosen, going, everything=all_images) if "images" in kinds else []
        sized = [Item(record.id, (record.name,), (await self._sizes.size(record, 0))[0]) for record in containers]
        volumes = await self._unmounted(chosen, going, everything=all_volumes) if "volumes" in kinds else []
        layers = self._room.collector.released(images, without=going)
        reclaimed = sum(item.size for item in (*sized, *volumes)) + self._layer_bytes(layers)
        return Plan(tuple(sized), tuple(self._item(image) for image in images), tuple(volumes), reclaimed)

    async def carry_out(self, plan: Plan, *, command: str) -> Done:
        """Remove what `plan` names and nothing else; it can be had back for a while."""
        kept: Kept = []
        gone: list[Mapping[str, Any]] = []
        with self._room.journal.batch(command):
            containers = [item for item in plan.containers if await self._remove_container(item, kept)]
            volumes = [item for item in plan.volumes if await self._remove_volume(item, kept)]
            freed = sum(item.size for item in (*containers, *volumes))
            for item in plan.images:
                lines, size = await self._remove_image(item, kept)
                gone += lines
                freed += size
        idents, names = tuple(item.id for item in containers), tuple(item.id for item in volumes)
        return Done(idents, tuple(gone), names, tuple(kept), freed)

    def _stopped(self, chosen: Chosen) -> list[ContainerRecord]:
        return [
            record
            for record in self._records.all()
            if not record.running and chosen.has(record.config.labels, parse_timestamp(record.created))
        ]

    def _unused(self, chosen: Chosen, going: Collection[str], *, everything: bool) -> list[Image]:
        return [
            image
            for image in self._room.store.all()
            if (everything or not image.references)
            and set(self._images.containers_of(image.id)) <= set(going)
            and chosen.has(image.config.config.labels, int(seconds(image.config.created) * 1e9))
        ]

    async def _unmounted(self, chosen: Chosen, going: Collection[str], *, everything: bool) -> list[Item]:
        return [
            Item(record.name, (), await self._folders.folder_size(record.mountpoint))
            for record in await self._volumes.all()
            if (everything or record.anonymous)
            and set(self._volumes.users(record.name)) <= set(going)
            and chosen.has(record.labels, 0)
        ]

    def _item(self, image: Image) -> Item:
        return Item(str(image.id), names(image), self._layer_bytes(self._room.collector.released([image])))

    def _layer_bytes(self, layers: Sequence[str]) -> int:
        return sum(self._room.snapshots.size(name) for name in layers)

    async def _remove_container(self, item: Item, kept: Kept) -> bool:
        record = self._records.find(item.id)
        if record is not None and record.running:
            kept.append((item.id, "it runs by now"))
            return False
        return await _tried(item, kept, lambda: self._containers.remove(item.id))

    async def _remove_volume(self, item: Item, kept: Kept) -> bool:
        return await _tried(item, kept, lambda: self._volumes.remove(item.id))

    async def _remove_image(self, item: Item, kept: Kept) -> tuple[Sequence[Mapping[str, Any]], int]:
        image = self._room.store.get(Digest(item.id))
        if image is None or names(image) != item.names or self._images.containers_of(image.id):
            kept.append((item.id, "it is gone already" if image is None else "it is used or named by now"))
            return (), 0
        sizes = {str(name): self._room.snapshots.size(name) for name in image.config.chain}
        try:
            lines = await self._images.remove(image.id, force=True)
        except (NotFound, ImageInUse) as error:
            kept.append((item.id, error.message))
            return (), 0
        return lines, sum(sizes.get(str(line.get("Deleted")), 0) for line in lines)


class Chosen:
    """What filters let through. Raises InvalidArgument for a moment that is none."""

    def __init__(self, filters: Filters) -> None:
        self._with, self._without = filters.get("label", ()), filters.get("label!", ())
        self._until = min((moment(text) for text in filters.get("until", ())), default=None)

    def has(self, labels: Mapping[str, str], created: int) -> bool:
        """Whether something with these labels, made at `created` (nanoseconds since the epoch), is meant."""
        if self._until is not None and created >= self._until:
            return False
        return all(has_label(labels, value) for value in self._with) and not any(
            has_label(labels, value) for value in self._without
        )


def check(kind: str, filters: Filters) -> None:
    """Raises InvalidArgument for a filter that a prune of `kind` does not have."""
    for name in filters:
        if name not in _ALLOWED[kind]:
            raise InvalidArgument(f"invalid filter '{name}'")


def is_true(filters: Filters, name: str, default: str = "false") -> bool:
    """A filter that is a switch."""
    return (*filters.get(name, ()), default)[0].lower() in ("true", "1")


def names(image: Image) -> tuple[str, ...]:
    """An image's tags as people write them."""
    return tuple(Reference.parse(name).familiar for name in image.references)


async def _tried(item: Item, kept: Kept, remove: Callable[[], Awaitable[None]]) -> bool:
    try:
        await remove()
    except (NotFound, Conflict) as error:
        kept.append((item.id, error.message))
        return False
    return True
