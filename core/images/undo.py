"""What `rmi`, `rm` and prune took away and may still be had back: names go, bytes stay for a while.

An entry holds images, containers and volumes as they were before. Their bytes are no garbage until it expires,
or until the disk is short; then it goes, oldest first, and the collector takes the bytes. Where those of
containers and volumes lie is the engine's to know.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import msgspec

from core.errors import CorruptStore, DataLoss, DiskFull, NotFound
from core.images.store import ImageStore, NewImage
from core.model.container import ContainerRecord
from core.model.image import Image
from core.model.undo import KeptVolume
from core.oci.digest import Digest
from core.oci.document import decode, encode
from core.oci.image import Descriptor, ImageConfig
from core.oci.reference import Reference
from core.storage.content import ContentStore
from core.storage.db import Database

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE undo (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        command TEXT NOT NULL,
        at REAL NOT NULL,
        expires REAL NOT NULL,
        size INTEGER NOT NULL,
        images BLOB NOT NULL)""",
    "ALTER TABLE undo ADD COLUMN containers BLOB NOT NULL DEFAULT '[]'",
    "ALTER TABLE undo ADD COLUMN volumes BLOB NOT NULL DEFAULT '[]'",
)
KEPT = 3600.0  # seconds
MOST = 200  # entries; whoever removes a container a second is not to fill the disk with an hour of them


@dataclass(frozen=True, slots=True)
class Removal:
    """One entry. `images` as they were, with only the names that went; `size` = bytes of theirs that go when it
    expires.

    `at` and `expires` in seconds since the epoch.
    """

    id: int
    command: str
    at: float
    expires: float
    size: int
    images: tuple[Image, ...]
    containers: tuple[ContainerRecord, ...] = ()
    volumes: tuple[KeptVolume, ...] = ()

    @property
    def what(self) -> str:
        """One line of what went; anonymous volumes go unmentioned where a container went too."""
        volumes = [kept.record.name for kept in self.volumes if not (self.containers and kept.record.anonymous)]
        parts = (
            _some("container", [record.name for record in self.containers]),
            _some("volume", [name[:12] if len(name) == 64 else name for name in volumes]),
            self._images(),
        )
        return " and ".join(filter(None, parts))

    def _images(self) -> str:
        names = [Reference.parse(text).familiar for image in self.images for text in image.references]
        nameless = sum(not image.references for image in self.images)
        shown = [", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")] if names else []
        shown += [f"{nameless} untagged image{'s' if nameless != 1 else ''}"] if nameless else []
        return " and ".join(shown)


@dataclass(frozen=True, slots=True)
class Restored:
    """What an undo brought back: images by id, names in full; and the names that others carry by now."""

    entry: Removal
    images: tuple[Digest, ...]
    names: tuple[str, ...]
    taken: tuple[str, ...]


class _Row(msgspec.Struct, frozen=True):
    """An image as an entry holds it; its config is a blob, which is kept."""

    id: Digest
    manifest: Descriptor
    size: int
    references: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()


class _Batch:
    """What several removals of one command take, until it is written as one entry."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.containers: list[ContainerRecord] = []
        self.volumes: list[KeptVolume] = []
        self.size = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Requests of one command of a client: `token` is the same in all of them, `command` what its user gave."""

    token: str
    command: str


_batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)
_group: ContextVar[Group | None] = ContextVar("group", default=None)


def join_group(group: Group | None) -> None:
    """What this task removes from now on is one entry with all else of the same group; None = each its own."""
    _group.set(group)


class Journal:
    """The entries of one ROOT, kept in memory. `kept` = seconds that one lasts; 0 keeps none."""

    def __init__(self, db: Database, content: ContentStore, *, kept: float) -> None:
        self._db = db
        self._kept = kept
        self._pending: list[_Batch] = []
        self._groups: dict[str, int] = {}
        db.migrate("undo", SCHEMA)
        self._entries = [
            entry
            for row in db.query(
                "SELECT id, command, at, expires, size, images, containers, volumes FROM undo ORDER BY id"
            )
            if (entry := _read(content, *row)) is not None
        ]

    def all(self) -> tuple[Removal, ...]:
        """Every entry that can still be undone, newest first."""
        now = time.time()
        return tuple(entry for entry in reversed(self._entries) if entry.expires > now)

    def images(self) -> list[Image]:
        """The images whose bytes are no garbage yet."""
        kept = [image for entry in self._entries for image in entry.images]
        return kept + [image for batch in self._pending for image in batch.images]

    def containers(self) -> list[ContainerRecord]:
        """The containers that can still be had back."""
        kept = [one for entry in self._entries for one in entry.containers]
        return kept + [one for batch in self._pending for one in batch.containers]

    def volumes(self) -> list[KeptVolume]:
        """The volumes that can still be had back."""
        kept = [one for entry in self._entries for one in entry.volumes]
        return kept + [one for batch in self._pending for one in batch.volumes]

    @property
    def kept(self) -> float:
        """Seconds that a removal can be undone; 0 = never."""
        return self._kept

    @contextmanager
    def batch(self, command: str) -> Iterator[None]:
        """Everything removed inside, by this task, is one entry."""
        batch = _Batch()
        self._pending.append(batch)
        token = _batch.set(batch)
        try:
            yield
        finally:
            _batch.reset(token)
            self._pending.remove(batch)
            if batch.images or batch.containers or batch.volumes:
                self._write(command, batch)

    def note(
        self,
        command: str,
        images: Sequence[Image] = (),
        size: int = 0,
        *,
        containers: Sequence[ContainerRecord] = (),
        volumes: Sequence[KeptVolume] = (),
    ) -> None:
        """Keep what has just gone: `images` with the names they carry here, `size` bytes being theirs alone."""
        if not self._kept:
            return
        batch = _batch.get()
        into = batch or _Batch()
        into.images += images
        into.containers += containers
        into.volumes += volumes
        into.size += size
        if batch is None:
            self._write(command, into)

    def _write(self, command: str, batch: _Batch) -> None:
        now = time.time()
        group = _group.get()
        entry = Removal(
            0, group.command if group else command, now, now + self._kept, batch.size,
            tuple(batch.images), tuple(batch.containers), tuple(batch.volumes),
        )  # fmt: skip
        before = self._of_group(group)
        if before is None:
            self._db.execute(
                "INSERT INTO undo (command, at, expires, size, images, containers, volumes)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                _columns(entry),
                durable=False,  # without it the garbage is only collected earlier
            )
            entry = replace(entry, id=int(self._db.query("SELECT MAX(id) FROM undo")[0][0]))
            self._entries.append(entry)
            while len(self._entries) > MOST:
                self.drop_oldest()
        else:
            entry = _joined(before, entry)
            self._db.execute(
                "UPDATE undo SET command = ?, at = ?, expires = ?, size = ?, images = ?, containers = ?,"
                " volumes = ? WHERE id = ?",
                (*_columns(entry), entry.id),
                durable=False,
            )
            self._entries = [entry if other.id == entry.id else other for other in self._entries]
        if group is not None:
            self._groups[group.token] = entry.id

    def _of_group(self, group: Group | None) -> Removal | None:
        """The entry that the same command has begun."""
        known = {entry.id: entry for entry in self._entries}
        self._groups = {token: ident for token, ident in self._groups.items() if ident in known}
        return None if group is None else known.get(self._groups.get(group.token, 0))

    def find(self, ident: int | None) -> Removal:
        """The entry with this id, or the newest. Raises NotFound."""
        for entry in self.all():
            if ident is None or entry.id == ident:
                return entry
        raise NotFound("nothing to undo" if ident is None else f"no such removal to undo: {ident}")

    def drop(self, entry: Removal) -> None:
        """Forget an entry; what only it kept is garbage from here on."""
        try:
            self._db.execute("DELETE FROM undo WHERE id = ?", (entry.id,), durable=False)
        except DiskFull as error:  # which is why it has to go; the next engine drops it, if nothing else does
            log.warning("removal %s: %s", entry.id, error)
        self._entries = [other for other in self._entries if other.id != entry.id]

    def expire(self) -> bool:
        """Forget what is too old; whether there was something."""
        now = time.time()
        old = [entry for entry in self._entries if entry.expires <= now]
        for entry in old:
            self.drop(entry)
        return bool(old)

    def drop_oldest(self) -> bool:
        """Forget the oldest entry; False when there is none."""
        if not self._entries:
            return False
        self.drop(self._entries[0])
        return True

    def next_expiry(self) -> float | None:
        """When the next entry expires, seconds since the epoch."""
        return min((entry.expires for entry in self._entries), default=None)


def restore(entry: Removal, store: ImageStore) -> Restored:
    """Bring the images of `entry` back with their names, but for names that other images carry by now."""
    names: list[str] = []
    taken: list[str] = []
    back: list[NewImage] = []
    for image in entry.images:
        free = []
        for text in image.references:
            holder = store.holder(Reference.parse(text))
            if holder is None:
                free.append(text)
            elif holder.id != image.id:
                taken.append(text)
        names += free
        if free or store.get(image.id) is None:
            references = tuple(Reference.parse(text) for text in free)
            back.append(
                NewImage(image.id, image.manifest, image.config, image.size, references, image.repo_digests)
            )
    store.register(back)
    ids = dict.fromkeys(image.id for image in back)  # one command may have taken several names of an image
    return Restored(entry, tuple(ids), tuple(names), tuple(taken))


def _some(kind: str, names: Sequence[str]) -> str:
    """`container a`, `containers a, b, c and 2 more`, or nothing."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}" if names else ""


def _columns(entry: Removal) -> tuple[str, float, float, int, bytes, bytes, bytes]:
    images = encode([_row(image) for image in entry.images])
    kept = encode(entry.containers), encode(entry.volumes)
    return entry.command, entry.at, entry.expires, entry.size, images, *kept


def _joined(before: Removal, more: Removal) -> Removal:
    return replace(
        before,
        expires=more.expires,
        size=before.size + more.size,
        images=before.images + more.images,
        containers=before.containers + more.containers,
        volumes=before.volumes + more.volumes,
    )


def _row(image: Image) -> _Row:
    return _Row(image.id, image.manifest, image.size, image.references, image.repo_digests)


def _read(
    content: ContentStore, ident: int, command: str, at: float, expires: float, size: int, *lists: bytes | str
) -> Removal | None:
    what = f"removal {ident}"
    images, containers, volumes = (part.encode() if isinstance(part, str) else bytes(part) for part in lists)
    try:
        return Removal(
            ident, command, at, expires, size,
            tuple(_image(content, row) for row in decode(images, tuple[_Row, ...], what=what, error=CorruptStore)),
            decode(containers, tuple[ContainerRecord, ...], what=what, error=CorruptStore),
            decode(volumes, tuple[KeptVolume, ...], what=what, error=CorruptStore),
        )  # fmt: skip
    except DataLoss as error:
        log.error("removal %s cannot be undone: %s", ident, error)
        return None


def _image(content: ContentStore, row: _Row) -> Image:
    config = decode(content.read(row.id), ImageConfig, what=f"config of {row.id}", error=CorruptStore)
    return Image(row.id, row.manifest, config, row.size, row.references, row.repo_digests)
