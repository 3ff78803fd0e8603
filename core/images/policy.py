"""Cleaning up by itself: what goes by age, by number and by a full disk. Pure but for two small tables.

Off until somebody asks for it. An image that a container was made from, running or not, never goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from core.errors import CorruptStore, InvalidArgument
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode, encode
from core.oci.reference import Reference
from core.storage.db import Database

SCHEMA = (
    "CREATE TABLE image_use (image TEXT PRIMARY KEY, used REAL NOT NULL)",
    "CREATE TABLE policy (id INTEGER PRIMARY KEY CHECK (id = 1), document BLOB NOT NULL)",
)


class Policy(msgspec.Struct, frozen=True):
    """What to do; 0 = not that.

    `unused_for` seconds without a container made from it send an image away; `keep` images of a repository stay,
    those used last; above `high_water` percent of the disk images go, longest unused first, down to `low_water`.
    """

    unused_for: float = 0.0
    keep: int = 0
    high_water: float = 0.0
    low_water: float = 0.0

    @property
    def active(self) -> bool:
        """Whether it does anything at all."""
        return bool(self.unused_for or self.keep or self.high_water)

    def checked(self) -> Policy:
        """Itself. Raises InvalidArgument for numbers that make no sense."""
        if self.unused_for < 0 or self.keep < 0:
            raise InvalidArgument("invalid policy: neither an age nor a number can be negative")
        if not 0 <= self.low_water <= self.high_water <= 100:
            raise InvalidArgument("invalid policy: need 0 <= low water <= high water <= 100 percent")
        if 0 < self.unused_for < 60:
            raise InvalidArgument("invalid policy: an image must be left alone for a minute at least")
        return self


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk's bytes."""

    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """An image that goes, and why in one line."""

    image: Image
    why: str
    by_disk: bool = False


class Uses:
    """When images were used last, and the policy; kept in memory."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.migrate("policy", SCHEMA)
        self._used: dict[str, float] = dict(db.query("SELECT image, used FROM image_use"))
        rows = db.query("SELECT document FROM policy")
        self._policy = (
            decode(bytes(rows[0][0]), Policy, what="clean-up policy", error=CorruptStore) if rows else Policy()
        )

    def note(self, ident: Digest) -> None:
        """A container is being made from the image now."""
        self._used[ident] = now = time.time()
        # Not synced: a power loss makes an image look unused since the time before, no more.
        self._db.execute("INSERT OR REPLACE INTO image_use VALUES (?, ?)", (ident, now), durable=False)

    def last(self, image: Image) -> float:
        """Seconds since the epoch when it was used last; 0 = never."""
        return self._used.get(image.id, 0.0)

    def forget_all_but(self, idents: Collection[str]) -> None:
        """Forget images that are gone."""
        for ident in [ident for ident in self._used if ident not in idents]:
            self._db.execute("DELETE FROM image_use WHERE image = ?", (ident,), durable=False)
            del self._used[ident]

    @property
    def policy(self) -> Policy:
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._db.execute("INSERT OR REPLACE INTO policy VALUES (1, ?)", (encode(policy),))
        self._policy = policy


def leaving(
    policy: Policy,
    images: Sequence[Image],
    *,
    uses: Uses,
    in_use: Collection[str],
    disk: Disk,
    sizes: dict[str, int],
    now: float,
) -> list[Leaving]:
    """Which images go under `policy`, longest unused first.

    `in_use` = ids of images with containers, `sizes` = bytes that each would free by itself, `now` in seconds.
    """

    def touched(image: Image) -> float:
        return max(uses.last(image), image.created_at)

    free = sorted((image for image in images if image.id not in in_use), key=touched)
    going: dict[str, Leaving] = {}
    if policy.unused_for:
        for image in free:
            idle = now - touched(image)
            if idle > policy.unused_for:
                going[image.id] = Leaving(image, f"not used for {_days(idle)}")
    for image in _beyond(images, policy.keep, key=touched):
        if image.id not in in_use:
            going.setdefault(image.id, Leaving(image, f"more than {policy.keep} of its repository are newer"))
    if policy.high_water and disk.used > disk.total * policy.high_water / 100:
        excess = disk.used - disk.total * policy.low_water / 100 - sum(sizes.get(ident, 0) for ident in going)
        for image in free:
            if excess <= 0:
                break
            if image.id not in going:
                going[image.id] = Leaving(image, f"the disk is {disk.used * 100 // disk.total}% full", by_disk=True)
                excess -= sizes.get(image.id, 0)
    return [going[image.id] for image in free if image.id in going]


def _beyond(images: Iterable[Image], keep: int, *, key: Callable[[Image], float]) -> list[Image]:
    """The images of which every name is beyond the `keep` last of its repository."""
    if not keep:
        return []
    of_repository: dict[str, list[Image]] = {}
    for image in images:
        for name in {Reference.parse(text).name for text in image.references}:
            of_repository.setdefault(name, []).append(image)
    kept: set[str] = set()
    for found in of_repository.values():
        kept.update(image.id for image in sorted(found, key=key, reverse=True)[:keep])
    return [image for image in images if image.references and image.id not in kept]


def _days(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{int(seconds // 86400)} days"
    if seconds >= 2 * 3600:
        return f"{int(seconds // 3600)} hours"
    return f"{int(seconds // 60)} minutes"
