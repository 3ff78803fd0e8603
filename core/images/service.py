"""The images of an engine: the one door for those who list, run, load, save, tag and remove them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from core.aio import off_loop_to_end
from core.images.archive_write import plan, size_of, write_archive
from core.images.choice import choices
from core.images.history import history
from core.images.importer import Importer, parse_target
from core.images.load import Loader
from core.images.removal import InUse, Remover, Running
from core.images.room import ImageRoom
from core.images.starter import make_starter
from core.model.events import Progress
from core.model.image import Image
from core.oci.digest import Digest

Report = Callable[[Progress], None]
Objects = list[dict[str, Any]]


class Images:
    """Every method that takes a name takes an id, the beginning of one, or a reference."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room
        self._content = room.content
        self._snapshots = room.snapshots
        self._store = room.store
        self._collector = room.collector
        self._loader = Loader(room.content, room.layers, room.store, room.unpacker)
        self._importer = Importer(room.content, room.layers, room.store, room.unpacker)

    async def start(self) -> None:
        """Take out what an earlier engine left half done. Before anything else, after the snapshots' sweep."""
        await off_loop_to_end(self._content.sweep)
        await self._collector.collect()

    async def resolve(self, reference: str) -> Image:
        """Raises NoSuchImage, BadReference."""
        return self._store.find(reference)

    async def list(self) -> tuple[Image, ...]:
        """Every image, newest first."""
        return self._store.all()

    def layer_sizes(self, image: Image) -> dict[str, int]:
        """Bytes of each layer of an image when unpacked, by chainID."""
        return {str(name): self._snapshots.size(name) for name in image.config.chain}

    def shared_sizes(self) -> dict[Digest, int]:
        """Bytes of the layers that an image has and others have too, by image id."""
        layers = {image.id: self.layer_sizes(image) for image in self._store.all()}
        users = Counter(name for sizes in layers.values() for name in sizes)
        return {
            ident: sum(size for name, size in sizes.items() if users[name] > 1) for ident, sizes in layers.items()
        }

    async def load(self, fd: int, *, progress: Report) -> tuple[str, ...]:
        """Take in an archive; the lines to print, one a name. Raises BadArchive with one line, keeping nothing."""
        async with self._collector.working():
            return await self._loader.load(fd, progress)

    def chosen(self, references: Sequence[str]) -> tuple[Image, ...]:
        """The images that `save` would write for `references`. Raises NoSuchImage."""
        return tuple(choice.image for choice in choices(self._store, references))

    async def saved_size(self, references: Sequence[str]) -> int:
        """Bytes that `save` would write. Raises NoSuchImage, CorruptStore."""
        chosen = choices(self._store, references)
        return size_of(await off_loop_to_end(plan, chosen, self._content, self._room.layers))

    async def save(self, references: Sequence[str], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Stream an archive of images through `write`. Raises NoSuchImage before the first byte."""
        async with self._collector.working():
            chosen = choices(self._store, references)
            archive = await off_loop_to_end(plan, chosen, self._content, self._room.layers)
            await write_archive(archive, self._content, write)

    async def import_(
        self, fd: int, *, reference: str | None, message: str, changes: Sequence[str], progress: Report
    ) -> Image:
        """Make an image of a root file system's tar. Raises BadArchive, BadReference, InvalidArgument."""
        async with self._collector.working():
            ident = await self._importer.import_(
                fd, reference=reference, message=message, changes=changes, report=progress
            )
            return self._room.image(ident)

    async def starter(self, progress: Report) -> Image:
        """Make, or make again, an image of what this machine has, without any network. Raises Unsupported."""
        async with self._collector.working():
            return self._room.image(await make_starter(self._importer, self._content, self._room.zygote, progress))

    async def tag(self, source: str, target: str) -> Image:
        """Give the image another name, which any other image loses. Raises NoSuchImage, BadReference."""
        image = self._store.find(source)
        await off_loop_to_end(self._store.tag, image, parse_target(target))
        return self._room.image(image.id)

    async def remove(
        self, reference: str, *, force: bool, in_use: InUse, running: Running = lambda ident: False
    ) -> Objects:
        """Take a name away, and the image with its last one: `{"Untagged"}` and `{"Deleted"}`, in order.

        `in_use` gives the ids of the containers of an image, `running` tells whether one of them runs.
        Raises NoSuchImage, ImageInUse.
        """
        image = self._store.find(reference)
        done = Remover(self._store, in_use=in_use, running=running).remove(reference, force=force)
        left = self._store.get(image.id)
        released = self._collector.released([image]) if left is None else ()
        names = tuple(name for name in image.references if left is None or name not in left.references)
        size = sum(self._snapshots.size(name) for name in released)
        self._room.journal.note(f"rmi {reference}", [msgspec.structs.replace(image, references=names)], size)
        await self._collector.collect()
        return done + [{"Deleted": layer} for layer in released]

    async def prepare(self, container_id: str, image: Image) -> None:
        """Make a container's root on top of the image's layers: snapshot `container_id`. Raises NotFound."""
        await self._snapshots.prepare(container_id, image.snapshot)
        self._room.uses.note(image.id)

    def last_used(self, image: Image) -> float:
        """When a container was made from it last, in seconds since the epoch; 0 = never."""
        return self._room.uses.last(image)

    async def history(self, reference: str) -> Objects:
        """The steps an image was made in, newest first, as Docker shows them. Raises NoSuchImage."""
        return history(self._store.find(reference), self._snapshots.size)
