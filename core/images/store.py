"""Names to images. The tables hold names and descriptors; the documents themselves are blobs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from core.errors import CorruptStore, DataLoss, InvalidArgument, NoSuchImage
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode, encode
from core.oci.image import Descriptor, ImageConfig
from core.oci.reference import Reference
from core.storage.content import ContentStore
from core.storage.db import Database

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE image (
        id TEXT PRIMARY KEY, manifest BLOB NOT NULL, size INTEGER NOT NULL, created_at REAL NOT NULL)""",
    "CREATE TABLE tag (reference TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE)",
    """CREATE TABLE repo_digest (
        reference TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE)""",
)
_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image whose blobs and layers are all in place, ready to be named."""

    id: Digest
    manifest: Descriptor
    config: ImageConfig
    size: int  # bytes of its layers when unpacked
    references: tuple[Reference, ...] = ()
    repo_digests: tuple[str, ...] = ()  # `name@digest` that registries have it as


class ImageStore:
    """The images of one ROOT, kept in memory. Every change is one synced transaction."""

    def __init__(
        self, db: Database, content: ContentStore, *, meant: Callable[[Reference], Reference] = lambda named: named
    ) -> None:
        """`meant` tells what a short name stands for."""
        self._db = db
        self._meant = meant
        self._content = content
        self._images: dict[Digest, Image] = {}
        self._tags: dict[str, Digest] = {}
        self._repo_digests: dict[str, Digest] = {}
        self._broken: dict[Digest, str] = {}
        db.migrate("images", SCHEMA)
        for ident, manifest, size, created_at in db.query("SELECT id, manifest, size, created_at FROM image"):
            self._read(Digest(ident), bytes(manifest), size, created_at)
        for reference, ident in db.query("SELECT reference, image FROM tag"):
            if ident in self._images:
                self._tags[reference] = Digest(ident)
        for reference, ident in db.query("SELECT reference, image FROM repo_digest"):
            if ident in self._images:
                self._repo_digests[reference] = Digest(ident)
        self._refresh(self._images)

    def all(self) -> tuple[Image, ...]:
        """Every image, the most recently made first."""
        return tuple(
            sorted(self._images.values(), key=lambda image: (image.config.created, image.id), reverse=True)
        )

    def get(self, ident: Digest) -> Image | None:
        """The image with this id."""
        return self._images.get(ident)

    @property
    def broken(self) -> Mapping[Digest, str]:
        """The images that cannot be read, and why; what they consist of is not known."""
        return self._broken

    def manifest_of(self, ident: Digest) -> Descriptor:
        """The manifest of an image that cannot be read otherwise. Raises CorruptStore."""
        rows = self._db.query("SELECT manifest FROM image WHERE id = ?", (ident,))
        if not rows:
            raise CorruptStore(f"image {ident} is missing")
        return decode(bytes(rows[0][0]), Descriptor, what=f"manifest of {ident}", error=CorruptStore)

    def names_of(self, ident: Digest) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tags, and the `name@digest`s, that the tables give an image, readable or not."""
        tags = self._db.query("SELECT reference FROM tag WHERE image = ? ORDER BY reference", (ident,))
        digests = self._db.query("SELECT reference FROM repo_digest WHERE image = ? ORDER BY reference", (ident,))
        return tuple(row[0] for row in tags), tuple(row[0] for row in digests)

    def holder(self, reference: Reference) -> Image | None:
        """The image that carries the tag `reference`."""
        ident = self._tags.get(str(reference))
        return None if ident is None else self._images[ident]

    def find(self, text: str) -> Image:
        """The image of an id, a reference or the beginning of an id, looked up in this order.

        Raises NoSuchImage, BadReference, and InvalidArgument where the beginning fits several.
        """
        prefix = _PREFIX.fullmatch(text)
        if prefix and len(prefix[1]) == 64:
            image = self._images.get(Digest(f"sha256:{prefix[1]}"))
            if image is None:
                raise NoSuchImage(f"No such image: {text}")
            return image
        reference = self.named(text)
        found = self._by_reference(reference)
        if found is None and prefix:
            found = self._by_prefix(prefix[1])
        if found is None:
            raise NoSuchImage(f"No such image: {reference.familiar}")
        return found

    def named(self, text: str) -> Reference:
        """`text` with its tag; or what its short name stands for, where only that is here. Raises BadReference."""
        reference = Reference.parse(text).with_default_tag()
        if self._by_reference(reference) is None:
            meant = self._meant(reference)
            if meant != reference and self._by_reference(meant) is not None:
                return meant
        return reference

    def by_name(self, reference: Reference) -> tuple[tuple[Reference, Image], ...]:
        """All tags of the repository that `reference` names, in order."""
        name = reference.name
        parsed = ((Reference.parse(text), ident) for text, ident in sorted(self._tags.items()))
        return tuple((tag, self._images[ident]) for tag, ident in parsed if tag.name == name)

    def register(self, images: Sequence[NewImage]) -> None:
        """Name new images, all or none of them: the last step of whatever brings images in.

        A tag that another image had moves; an image that is here already only gains the names, and the manifest
        that a registry has for it.
        """
        now = time.time()
        with self._db.transaction():
            for image in images:
                self._db.execute(
                    "INSERT OR IGNORE INTO image VALUES (?, ?, ?, ?)",
                    (image.id, encode(image.manifest), image.size, now),
                )
                for reference in image.references:
                    self._db.execute("INSERT OR REPLACE INTO tag VALUES (?, ?)", (str(reference), image.id))
                if image.repo_digests:
                    self._db.execute(
                        "UPDATE image SET manifest = ? WHERE id = ?", (encode(image.manifest), image.id)
                    )
                for name in image.repo_digests:
                    self._db.execute("INSERT OR REPLACE INTO repo_digest VALUES (?, ?)", (name, image.id))
        for image in images:
            known = self._images.get(image.id)
            if known is not None and image.repo_digests:
                self._images[image.id] = msgspec.structs.replace(known, manifest=image.manifest)
            elif known is None:
                self._images[image.id] = Image(
                    id=image.id, manifest=image.manifest, config=image.config, size=image.size, created_at=now
                )
            if self._broken.pop(image.id, None) is not None:  # it is whole again, and has its names back
                tags, digests = self.names_of(image.id)
                self._tags |= dict.fromkeys(tags, image.id)
                self._repo_digests |= dict.fromkeys(digests, image.id)
            self._tags |= {str(reference): image.id for reference in image.references}
            self._repo_digests |= dict.fromkeys(image.repo_digests, image.id)
        self._refresh(self._images)

    def set_manifest(self, ident: Digest, manifest: Descriptor) -> None:
        """Give an image another manifest, whose blob is in place."""
        self._db.execute("UPDATE image SET manifest = ? WHERE id = ?", (encode(manifest), ident))
        self._images[ident] = msgspec.structs.replace(self._images[ident], manifest=manifest)

    def tag(self, image: Image, reference: Reference) -> None:
        """Give `image` the tag `reference`, taking it from any other."""
        self._db.execute("INSERT OR REPLACE INTO tag VALUES (?, ?)", (str(reference), image.id))
        self._tags[str(reference)] = image.id
        self._refresh(self._images)

    def add_repo_digest(self, image: Image, name: str) -> None:
        """A registry has `image` as `name` (`name@digest`)."""
        self._db.execute("INSERT OR REPLACE INTO repo_digest VALUES (?, ?)", (name, image.id))
        self._repo_digests[name] = image.id
        self._refresh([image.id])

    def untag(self, reference: str) -> tuple[str, ...]:
        """Drop a tag, given in full, and with the last of a repository what that has the image as: those names."""
        self._db.execute("DELETE FROM tag WHERE reference = ?", (reference,))
        holder = self._tags.pop(reference, None)
        if holder is None:
            return ()
        dropped = []
        name = Reference.parse(reference).name
        left = [tag for tag, ident in self._tags.items() if ident == holder]
        if not any(Reference.parse(tag).name == name for tag in left):
            for known in self._images[holder].repo_digests:
                if known.startswith(f"{name}@"):
                    self._db.execute("DELETE FROM repo_digest WHERE reference = ?", (known,))
                    self._repo_digests.pop(known, None)
                    dropped.append(known)
        self._refresh(self._images)
        return tuple(dropped)

    def delete(self, ident: Digest) -> None:
        """Forget an image with all its names; its blobs are garbage from here on."""
        self._db.execute("DELETE FROM image WHERE id = ?", (ident,))
        self._images.pop(ident, None)
        self._broken.pop(ident, None)
        self._tags = {reference: holder for reference, holder in self._tags.items() if holder != ident}
        self._repo_digests = {name: holder for name, holder in self._repo_digests.items() if holder != ident}

    def _by_reference(self, reference: Reference) -> Image | None:
        if reference.digest is None:
            return self.holder(reference)
        wanted = f"{reference.name}@{reference.digest}"
        return next((image for image in self._images.values() if wanted in image.repo_digests), None)

    def _by_prefix(self, prefix: str) -> Image | None:
        found = [image for ident, image in self._images.items() if ident.hex.startswith(prefix)]
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {prefix}")
        return found[0] if found else None

    def _read(self, ident: Digest, manifest: bytes, size: int, created_at: float) -> None:
        try:
            config = decode(self._content.read(ident), ImageConfig, what=f"config of {ident}", error=CorruptStore)
            descriptor = decode(manifest, Descriptor, what=f"manifest of {ident}", error=CorruptStore)
        except DataLoss as error:  # one damaged image must not keep the engine from its containers
            log.error("image %s is unusable: %s", ident, error)
            self._broken[ident] = error.message
            return
        self._images[ident] = Image(id=ident, manifest=descriptor, config=config, size=size, created_at=created_at)

    def _refresh(self, idents: Iterable[Digest]) -> None:
        """Bring the names that each image carries in line with the tables."""
        tags: dict[Digest, list[str]] = {}
        for reference, ident in self._tags.items():
            tags.setdefault(ident, []).append(reference)
        digests: dict[Digest, list[str]] = {}
        for name, ident in self._repo_digests.items():
            digests.setdefault(ident, []).append(name)
        for ident in list(idents):
            image = self._images[ident]
            references, names = tuple(sorted(tags.get(ident, ()))), tuple(sorted(digests.get(ident, ())))
            if (references, names) != (image.references, image.repo_digests):
                self._images[ident] = msgspec.structs.replace(image, references=references, repo_digests=names)
