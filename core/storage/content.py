"""Blobs by digest: ROOT/content/blobs/sha256/HEX. Written beside, verified, renamed; what is there is whole.

Of a plain layer only the recipe is kept (`core.storage.recipes`): with the unpacked layer it gives the blob back.

A blob may stay beside for a while: many are synced at less cost together than one by one. It is found by its
digest meanwhile, and only `settle` puts it where it outlives the engine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from core.errors import CorruptStore, DigestMismatch, DiskFull
from core.linux.syscalls import syncfs
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT
from core.paths import Paths
from core.storage.partial import KEPT, PREFIX, PartialBlob
from core.storage.recipes import AssembledTar, Recipes

RESERVE = 64 << 20  # bytes
SHORT_BYTES = 1 << 30  # a disk with less room than both of these is short
SHORT_SHARE = 0.05
_CHUNK = 1 << 18

Bound = Literal["", "at least", "more than"]


def sync_directory(path: Path) -> None:
    """Make renames and removals in `path` last through a power loss."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_disks(*folders: Path) -> None:
    """Have all that was written to the disks of `folders` on them. syncfs(2), once a disk."""
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(fd)
        finally:
            os.close(fd)


def free_bytes(place: Path | int) -> int:
    """Bytes that may still be written to the disk of `place`, a reserve for everybody else left aside."""
    disk = os.statvfs(place)
    return max(0, disk.f_bavail * disk.f_frsize - RESERVE)


def shortage(what: str, needed: int, place: Path, *, bound: Bound = "") -> DiskFull:
    """The error of `what`, which needs `needed` bytes (or more, as `bound` says) where `place` has less room."""
    needs = f"{bound} {_amount(needed)}".strip()
    room = f"has {_amount(free_bytes(place))} to give, beside {_amount(RESERVE)} kept back for what runs"
    return DiskFull(f"no space left to {what}: it needs {needs}, and the disk of {place} {room}")


def _amount(size: float) -> str:
    """`12.3MB`"""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f}B" if unit == "B" else f"{size:.1f}{unit}"
        size /= 1000
    return f"{size:.1f}TB"


class BlobWriter:
    """A blob that is being written. As a context manager it is thrown away unless committed."""

    def __init__(self, ingest: Path, blobs: Path, beside: dict[Digest, Path]) -> None:
        self._path = ingest / secrets.token_hex(16)
        self._blobs = blobs
        self._beside = beside
        self._file = self._path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append `data`. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._hash.update(data)
        self.size += len(data)

    def reader(self) -> int:
        """A descriptor for reading what has been written so far, the caller's to close. Raises OSError."""
        return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def digest(self) -> Digest:
        """The digest of what has been written so far."""
        return Digest(f"sha256:{self._hash.hexdigest()}")

    def commit(self, expected: Digest | None = None, *, settled: bool = True) -> tuple[Digest, int]:
        """Put the blob in its place: digest and size in bytes. Raises DigestMismatch, and keeps nothing then.

        With `settled` off it is not synced, and waits beside its place for `ContentStore.settle`.
        """
        digest = self.digest
        if expected is not None and digest != expected:
            self.abort()
            raise DigestMismatch(expected, digest)
        os.fchmod(self._file.fileno(), 0o444)
        if not settled:
            self._file.close()
            if (self._blobs / digest.hex).is_file() or self._beside.setdefault(digest, self._path) != self._path:
                self._path.unlink()  # the same blob came twice
            return digest, self.size
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.rename(self._blobs / digest.hex)
        sync_directory(self._blobs)
        return digest, self.size

    def abort(self) -> None:
        """Throw it away; no harm after `commit`."""
        self._file.close()
        if self._path not in self._beside.values():
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class BlobFile:
    """The bytes of a blob that has a file of its own, in order."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read_some(self, limit: int) -> bytes:
        """At most `limit` bytes; b"" at the end."""
        return os.read(self._fd, limit)

    def close(self) -> None:
        """Free the descriptor."""
        os.close(self._fd)


class ContentStore:
    """The blobs of one ROOT."""

    def __init__(self, paths: Paths) -> None:
        self._root = paths.root
        self._blobs = paths.content / "blobs" / "sha256"
        self._ingest = paths.content / "ingest"
        self._beside: dict[Digest, Path] = {}
        self._arriving: set[str] = set()
        for folder in (self._blobs, self._ingest):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.recipes = Recipes(paths.content / "recipes", self._ingest)

    @property
    def folder(self) -> Path:
        """Where the blobs are."""
        return self._blobs

    def writer(self) -> BlobWriter:
        """Begin a new blob."""
        return BlobWriter(self._ingest, self._blobs, self._beside)

    def partial(self, digest: Digest) -> PartialBlob:
        """Go on with a blob that comes in parts. Blocks while what is here is hashed. See `arrived`, `left`."""
        blob = PartialBlob(self._ingest, digest)
        self._arriving.add(blob.path.name)
        return blob

    def arrived(self, blob: PartialBlob, digest: Digest) -> None:
        """It is whole: it waits beside its place for `settle`. Raises DigestMismatch.

        It waits under the name of a part: should the engine end first, all of it is there for the next pull.
        """
        blob.check()
        if self.has(digest):
            blob.path.unlink()
        else:
            self._beside[digest] = blob.path

    def left(self, blob: PartialBlob) -> None:
        """Close it; what has not arrived whole stays for another time."""
        self._arriving.discard(blob.path.name)
        blob.close()

    def drop_partials(self, older: float = KEPT) -> None:
        """Remove parts that nothing has been added to for `older` seconds."""
        used = self._arriving | {path.name for path in self._beside.values()}
        for entry in os.scandir(self._ingest):
            idle = entry.name.startswith(PREFIX) and entry.name not in used
            if idle and time.time() - entry.stat().st_mtime >= older:
                os.unlink(entry.path)

    def put(self, data: bytes, *, settled: bool = True) -> tuple[Digest, int]:
        """Store a small blob: digest and size. See `BlobWriter.commit`."""
        digest = Digest.of(data)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest, settled=settled)
        return digest, len(data)

    def unsettled(self) -> Mapping[Digest, Path]:
        """The blobs that wait beside their places."""
        return dict(self._beside)

    def settle(self, waiting: Mapping[Digest, Path]) -> None:
        """Put what `unsettled` told, and was synced since then, in its place. Blocks."""
        if not waiting:
            return
        for digest, path in waiting.items():
            if self._beside.get(digest) == path:
                try:
                    path.chmod(0o444)
                    path.rename(self._blobs / digest.hex)
                except FileNotFoundError:
                    if self._beside.get(digest) == path:  # else nobody wants it any more
                        raise
                self._beside.pop(digest, None)
        sync_directory(self._blobs)

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there, or can be put together."""
        return any(place.is_file() for place in self._places(digest)) or self.recipes.has(digest)

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be, as a file of its own."""
        return self._beside.get(digest) or self._blobs / digest.hex

    def _places(self, digest: Digest) -> list[Path]:
        """Where its file may be, in the order in which it moves: who looks there in turn finds it also while a
        thread settles it. Behind them it may be exchanged for a recipe.
        """
        beside = self._beside.get(digest)
        return [*([beside] if beside else ()), self._blobs / digest.hex]

    def size(self, digest: Digest) -> int:
        """Its bytes. Raises CorruptStore when it is missing."""
        for place in self._places(digest):
            with suppress(FileNotFoundError):
                return place.stat().st_size
        if (size := self.recipes.size(digest)) is not None:
            return size
        raise CorruptStore(f"blob {digest} is missing")

    def read(self, digest: Digest, limit: int = DOCUMENT_LIMIT) -> bytes:
        """A small document, checked against its digest. Raises CorruptStore, DigestMismatch."""
        fd = self.open(digest)
        with open(fd, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CorruptStore(f"blob {digest} is larger than {limit} bytes")
        if Digest.of(data) != digest:
            raise DigestMismatch(digest, Digest.of(data))
        return data

    def descriptors(self, digest: Digest) -> tuple[int, ...]:
        """What a blob is read from, the caller's to close: its file, or a recipe and the directory of the layer.

        Raises CorruptStore when it is missing.
        """
        for place in self._places(digest):
            with suppress(FileNotFoundError):
                return (os.open(place, os.O_RDONLY | os.O_CLOEXEC),)
        if (parts := self.recipes.open(digest)) is not None:
            return parts
        raise CorruptStore(f"blob {digest} is missing")

    def source(self, digest: Digest) -> BlobFile | AssembledTar:
        """A blob's bytes in order, which nobody has checked; the caller's to close. Raises CorruptStore."""
        fds = self.descriptors(digest)
        return AssembledTar(*fds) if len(fds) == 2 else BlobFile(fds[0])

    def open(self, digest: Digest) -> int:
        """A descriptor for reading anywhere, the caller's to close. Raises CorruptStore when it is missing.

        What has to be put together is written to a temporary file, and checked, first. Raises DigestMismatch.
        """
        fds = self.descriptors(digest)
        if len(fds) == 1:
            return fds[0]
        source, copy = AssembledTar(*fds), self.scratch()
        try:
            hashed = hashlib.sha256()
            while piece := source.read_some(_CHUNK):
                hashed.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(copy, view) :]
            if (found := f"sha256:{hashed.hexdigest()}") != digest:
                raise DigestMismatch(digest, found)
            os.lseek(copy, 0, os.SEEK_SET)
        except BaseException:
            os.close(copy)
            raise
        finally:
            source.close()
        return copy

    def exchange(self, digest: Digest) -> bool:
        """Remove the file of a blob, once its recipe gives back the same; else the recipe. Blocks."""
        if not (self._blobs / digest.hex).is_file() or not self.recipes.is_settled(digest):
            return False
        parts = self.recipes.open(digest)
        if parts is None:
            return False
        source, hashed = AssembledTar(*parts), hashlib.sha256()
        try:
            while piece := source.read_some(_CHUNK):
                hashed.update(piece)
            same = f"sha256:{hashed.hexdigest()}" == digest
        except CorruptStore:
            same = False
        finally:
            source.close()
        if same:
            self.drop_file(digest)
        else:
            self.recipes.delete(digest)
        return same

    def drop_file(self, digest: Digest) -> None:
        """Remove the file of a blob that can be put together as well."""
        beside = self._beside.pop(digest, None)
        if beside is not None:
            beside.unlink(missing_ok=True)
        (self._blobs / digest.hex).unlink(missing_ok=True)

    def set_aside(self, digest: Digest) -> None:
        """Remove a blob that nobody wants; what a pull has fetched that did not end well stays as a part."""
        beside = self._beside.get(digest)
        if beside is not None and beside.name.startswith(PREFIX) and beside.stat().st_size:
            del self._beside[digest]
        else:
            self.delete(digest)

    def delete(self, digest: Digest) -> None:
        """Remove a blob; a missing one is fine."""
        self.drop_file(digest)
        self.recipes.delete(digest)

    def walk(self) -> Iterator[Digest]:
        """Every blob that is there, in one form or the other."""
        yield from list(self._beside)
        yield from self.recipes.walk()
        for entry in os.scandir(self._blobs):
            if len(entry.name) == 64:
                yield Digest(f"sha256:{entry.name}")

    def sweep(self) -> None:
        """Remove what was half-written when an engine ended. Only when nothing is being written.

        Parts of blobs stay for a while: a pull goes on with them.
        """
        self._beside.clear()
        self.recipes.forget()
        for entry in os.scandir(self._ingest):
            if not entry.name.startswith(PREFIX):
                os.unlink(entry.path)
        self.drop_partials(0.0 if self.is_short() else KEPT)

    def room(self) -> int:
        """Bytes that may still be written to the store's disk."""
        return free_bytes(self._blobs)

    def shortage(self, what: str, needed: int, bound: Bound = "") -> DiskFull:
        """See `shortage`: of the store's disk."""
        return shortage(what, needed, self._root, bound=bound)

    def is_short(self) -> bool:
        """Whether the store's disk has so little room left that nothing should be kept without need."""
        disk = os.statvfs(self._blobs)
        return disk.f_bavail * disk.f_frsize < min(SHORT_BYTES, int(SHORT_SHARE * disk.f_blocks * disk.f_frsize))

    def scratch(self) -> int:
        """A nameless temporary file on the store's disk, open for reading and writing. open(2), O_TMPFILE."""
        return os.open(self._ingest, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
