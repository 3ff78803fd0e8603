"""Images as clients act on them: with their events, and kept while a container needs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol

import msgspec

from core.engine.events import Events
from core.engine.filters import has_label
from core.engine.moments import moment
from core.engine.records import Records
from core.errors import InvalidArgument, NoSuchImage
from core.images.history import seconds
from core.model.events import Progress
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference

Report = Callable[[Progress], None]
InUse = Callable[[Digest], Sequence[str]]
Lines = list[dict[str, Any]]
FILTERS = frozenset({"before", "dangling", "label", "reference", "since", "until"})


class Service(Protocol):
    """The image store."""

    async def resolve(self, reference: str) -> Image: ...
    async def load(self, fd: int, *, progress: Report) -> tuple[str, ...]: ...
    async def saved_size(self, references: Sequence[str]) -> int: ...
    async def save(self, references: Sequence[str], write: Callable[[bytes], Awaitable[None]]) -> None: ...
    async def import_(
        self, fd: int, *, reference: str, message: str, changes: Sequence[str], progress: Report
    ) -> Image: ...
    async def tag(self, source: str, target: str) -> Image: ...
    async def remove(
        self, reference: str, *, force: bool, in_use: InUse, running: Callable[[str], bool]
    ) -> Lines: ...
    async def starter(self, progress: Report) -> Image: ...
    async def history(self, reference: str) -> Lines: ...
    def chosen(self, references: Sequence[str]) -> tuple[Image, ...]: ...
    def last_used(self, image: Image) -> float: ...
    def shared_sizes(self) -> dict[Digest, int]: ...
    async def list(self) -> tuple[Image, ...]: ...


class ImageActs:
    """Load, save, import, tag, list and remove images."""

    def __init__(self, service: Service, records: Records, events: Events) -> None:
        self._service = service
        self._records = records
        self._events = events

    async def get(self, reference: str) -> Image:
        """Raises NoSuchImage."""
        return await self._service.resolve(reference)

    async def select(self, filters: Mapping[str, Sequence[str]]) -> list[Image]:
        """The images that pass `filters`, newest first. Raises InvalidArgument."""
        for name in filters:
            if name not in FILTERS:
                raise InvalidArgument(f"invalid filter '{name}'")
        images = await self._service.list()
        bounds = {name: [await self.get(value) for value in filters.get(name, ())] for name in ("before", "since")}
        until = min((moment(text) for text in filters.get("until", ())), default=None)
        found = [
            image
            for image in images
            if _matches(image, filters)
            and (until is None or seconds(image.config.created) * 1e9 < until)
            and all(image.config.created < bound.config.created for bound in bounds["before"])
            and all(image.config.created > bound.config.created for bound in bounds["since"])
        ]
        if patterns := filters.get("reference", ()):
            found = [named for image in found if (named := _named(image, patterns))]
        return sorted(found, key=lambda image: image.config.created, reverse=True)

    def containers_of(self, image: Digest) -> tuple[str, ...]:
        """The ids of the containers made from an image."""
        return tuple(record.id for record in self._records.all() if record.image_id == image)

    def last_used(self, image: Image) -> float:
        """When a container was made from an image last, seconds since the epoch; 0 = never."""
        return self._service.last_used(image)

    def shared_sizes(self) -> Mapping[Digest, int]:
        """Bytes of the layers that an image has and others have too, by image id."""
        return self._service.shared_sizes()

    async def shown_name(self, asked: str, image_id: str) -> str:
        """What the IMAGE column shows: the name asked for while it still means that image, else the id."""
        try:
            image = await self._service.resolve(asked)
        except (NoSuchImage, InvalidArgument):
            return image_id
        return asked if image.id == image_id else image_id

    async def load(self, fd: int, progress: Report) -> tuple[str, ...]:
        """Load an archive; the lines that say what came in."""
        before = {image.id for image in await self._service.list()}
        lines = await self._service.load(fd, progress=progress)
        for image in await self._service.list():
            if image.id not in before:
                self._publish("load", image.id, image.id)
        return lines

    def check_saved(self, references: Sequence[str]) -> None:
        """Raises NoSuchImage for what `save` could not write: a name without a tag means all its tags."""
        self._service.chosen(references)

    async def saved_size(self, references: Sequence[str]) -> int:
        """Bytes of the archive that `save` writes. Raises NoSuchImage."""
        return await self._service.saved_size(references)

    async def save(self, references: Sequence[str], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write an archive of images."""
        images = self._service.chosen(references)
        await self._service.save(references, write)
        for image in images:
            self._publish("save", image.id, image.id)

    async def import_(
        self, fd: int, *, reference: str, message: str, changes: Sequence[str], progress: Report
    ) -> Image:
        """Make an image of a root file system."""
        image = await self._service.import_(
            fd, reference=reference, message=message, changes=changes, progress=progress
        )
        self._publish("import", image.id, reference or image.id)
        return image

    async def starter(self, progress: Report) -> Image:
        """Make an image of what this machine has."""
        image = await self._service.starter(progress)
        self._publish("import", image.id, next(iter(image.references), image.id))
        return image

    async def tag(self, source: str, repository: str, tag: str) -> None:
        """Give an image one more name."""
        target = f"{repository}:{tag}" if tag else repository
        image = await self._service.tag(source, target)
        self._publish("tag", image.id, Reference.parse(target).with_default_tag().familiar)

    async def remove(self, reference: str, *, force: bool) -> Lines:
        """Take a name from an image, and the image itself with its last name."""
        image = await self._service.resolve(reference)
        gone = await self._service.remove(reference, force=force, in_use=self.containers_of, running=self._running)
        for line in gone:
            if "Untagged" in line:
                self._publish("untag", image.id, image.id)
            elif line.get("Deleted") == image.id:  # its layers are listed as deleted too
                self._publish("delete", image.id, image.id)
        return gone

    async def history(self, reference: str) -> Lines:
        """What made an image, newest first."""
        return await self._service.history(reference)

    def _running(self, container_id: str) -> bool:
        record = self._records.find(container_id)
        return record is not None and record.running

    def _publish(self, action: str, ident: str, name: str) -> None:
        self._events.publish("image", action, ident, {"name": name})


def _matches(image: Image, filters: Mapping[str, Sequence[str]]) -> bool:
    dangling = filters.get("dangling", ())
    if dangling and (not image.references) is not (dangling[0].lower() in ("true", "1")):
        return False
    return all(has_label(image.config.config.labels, value) for value in filters.get("label", ()))


def _named(image: Image, patterns: Sequence[str]) -> Image | None:
    """`image` with the names and digests that match one of `patterns`, and no others; None when none does."""
    names, digests = (
        tuple(name for name in known if _matches_any(Reference.parse(name), patterns))
        for known in (image.references, image.repo_digests)
    )
    return msgspec.structs.replace(image, references=names, repo_digests=digests) if names or digests else None


def _matches_any(reference: Reference, patterns: Sequence[str]) -> bool:
    names = (reference.familiar, reference.familiar_name)
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
