"""What `rmi` and prune took away and may still be had back: names go, bytes stay for a while.

An entry holds the images as they were before. Its blobs and layers are no garbage until it expires, or until
the disk is short; then it goes, oldest first, and the collector takes the bytes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec

from core.errors import CorruptStore, DataLoss, NotFound
from core.images.store import ImageStore, NewImage
from core.model.image import Image
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
)
KEPT = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Removal:
    """One entry. `images` as they were, with only the names that went; `size` = bytes that go when it expires.

    `at` and `expires` in seconds since the epoch.
    """

    id: int
    command: str
    at: float
    expires: float
    size: int
    images: tuple[Image, ...]

    @property
    def what(self) -> str:
        """One line of what went."""
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
        self.size = 0


_batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)


class Journal:
    """The entries of one ROOT, kept in memory. `kept` = seconds that one lasts; 0 keeps none."""

    def __init__(self, db: Database, content: ContentStore, *, kept: float) -> None:
        self._db = db
        self._kept = kept
        self._pending: list[_Batch] = []
        db.migrate("undo", SCHEMA)
        self._entries = [
            entry
            for row in db.query("SELECT id, command, at, expires, size, images FROM undo ORDER BY id")
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
            if batch.images:
                self._write(command, tuple(batch.images), batch.size)

    def note(self, command: str, images: Sequence[Image], size: int) -> None:
        """Keep `images`, which have just gone with the names they carry here; `size` bytes are theirs alone."""
        if not self._kept:
            return
        batch = _batch.get()
        if batch is None:
            self._write(command, tuple(images), size)
        else:
            batch.images += images
            batch.size += size

    def _write(self, command: str, images: tuple[Image, ...], size: int) -> None:
        now = time.time()
        self._db.execute(
            "INSERT INTO undo (command, at, expires, size, images) VALUES (?, ?, ?, ?, ?)",
            (command, now, now + self._kept, size, encode([_row(image) for image in images])),
            durable=False,  # without it the garbage is only collected earlier
        )
        ident = int(self._db.query("SELECT MAX(id) FROM undo")[0][0])
        self._entries.append(Removal(ident, command, now, now + self._kept, size, images))

    def find(self, ident: int | None) -> Removal:
        """The entry with this id, or the newest. Raises NotFound."""
        for entry in self.all():
            if ident is None or entry.id == ident:
                return entry
        raise NotFound("nothing to undo" if ident is None else f"no such removal to undo: {ident}")

    def drop(self, entry: Removal) -> None:
        """Forget an entry; what only it kept is garbage from here on."""
        self._db.execute("DELETE FROM undo WHERE id = ?", (entry.id,), durable=False)
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
    return Restored(entry, tuple(image.id for image in back), tuple(names), tuple(taken))


def _row(image: Image) -> _Row:
    return _Row(image.id, image.manifest, image.size, image.references, image.repo_digests)


def _read(
    content: ContentStore, ident: int, command: str, at: float, expires: float, size: int, rows: bytes
) -> Removal | None:
    try:
        found = decode(bytes(rows), tuple[_Row, ...], what=f"removal {ident}", error=CorruptStore)
        return Removal(ident, command, at, expires, size, tuple(_image(content, row) for row in found))
    except DataLoss as error:
        log.error("removal %s cannot be undone: %s", ident, error)
        return None


def _image(content: ContentStore, row: _Row) -> Image:
    config = decode(content.read(row.id), ImageConfig, what=f"config of {row.id}", error=CorruptStore)
    return Image(row.id, row.manifest, config, row.size, row.references, row.repo_digests)
