"""Blobs by digest: ROOT/content/blobs/sha256/HEX. Written beside, verified, renamed; what is there is whole.

A blob may stay beside for a while: many are synced at less cost together than one by one. It is found by its
digest meanwhile, and only `settle` puts it where it outlives the engine.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from core.errors import CorruptStore, DigestMismatch
from core.linux.syscalls import syncfs
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT
from core.paths import Paths
from core.storage.partial import KEPT, PREFIX, PartialBlob

RESERVE = 64 << 20  # bytes
SHORT_BYTES = 1 << 30  # a disk with less room than both of these is short
SHORT_SHARE = 0.05


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


class ContentStore:
    """The blobs of one ROOT."""

    def __init__(self, paths: Paths) -> None:
        self._blobs = paths.content / "blobs" / "sha256"
        self._ingest = paths.content / "ingest"
        self._beside: dict[Digest, Path] = {}
        self._arriving: set[str] = set()
        for folder in (self._blobs, self._ingest):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

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
        """It is whole: it waits beside its place for `settle`. Raises DigestMismatch."""
        blob.check()
        whole = self._ingest / secrets.token_hex(16)
        blob.path.rename(whole)
        if self.has(digest):
            whole.unlink()
        else:
            self._beside[digest] = whole

    def left(self, blob: PartialBlob) -> None:
        """Close it; what has not arrived whole stays for another time."""
        self._arriving.discard(blob.path.name)
        blob.close()

    def drop_partials(self, older: float = KEPT) -> None:
        """Remove parts that nothing has been added to for `older` seconds."""
        for entry in os.scandir(self._ingest):
            idle = entry.name.startswith(PREFIX) and entry.name not in self._arriving
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
                path.rename(self._blobs / digest.hex)
                self._beside.pop(digest, None)
        sync_directory(self._blobs)

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return self.path(digest).is_file()

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._beside.get(digest) or self._blobs / digest.hex

    def size(self, digest: Digest) -> int:
        """Its bytes. Raises CorruptStore when it is missing."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise CorruptStore(f"blob {digest} is missing") from error

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

    def open(self, digest: Digest) -> int:
        """A descriptor for reading, the caller's to close. Raises CorruptStore when it is missing."""
        for _ in range(2):  # it may be settled this moment
            try:
                return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                missing = error
        raise CorruptStore(f"blob {digest} is missing") from missing

    def delete(self, digest: Digest) -> None:
        """Remove a blob; a missing one is fine."""
        beside = self._beside.pop(digest, None)
        if beside is not None:
            beside.unlink(missing_ok=True)
        (self._blobs / digest.hex).unlink(missing_ok=True)

    def walk(self) -> Iterator[Digest]:
        """Every blob that is there."""
        yield from list(self._beside)
        for entry in os.scandir(self._blobs):
            if len(entry.name) == 64:
                yield Digest(f"sha256:{entry.name}")

    def sweep(self) -> None:
        """Remove what was half-written when an engine ended. Only when nothing is being written.

        Parts of blobs stay for a while: a pull goes on with them.
        """
        self._beside.clear()
        for entry in os.scandir(self._ingest):
            if not entry.name.startswith(PREFIX):
                os.unlink(entry.path)
        self.drop_partials(0.0 if self.is_short() else KEPT)

    def room(self) -> int:
        """Bytes that may still be written to the store's disk."""
        return free_bytes(self._blobs)

    def is_short(self) -> bool:
        """Whether the store's disk has so little room left that nothing should be kept without need."""
        disk = os.statvfs(self._blobs)
        return disk.f_bavail * disk.f_frsize < min(SHORT_BYTES, int(SHORT_SHARE * disk.f_blocks * disk.f_frsize))

    def scratch(self) -> int:
        """A nameless temporary file on the store's disk, open for reading and writing. open(2), O_TMPFILE."""
        return os.open(self._ingest, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
