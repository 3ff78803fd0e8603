"""Blobs by digest: ROOT/content/blobs/sha256/HEX. Written beside, verified, renamed; what is there is whole."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from core.errors import CorruptStore, DigestMismatch
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT
from core.paths import Paths

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


def free_bytes(place: Path | int) -> int:
    """Bytes that may still be written to the disk of `place`, a reserve for everybody else left aside."""
    disk = os.statvfs(place)
    return max(0, disk.f_bavail * disk.f_frsize - RESERVE)


class BlobWriter:
    """A blob that is being written. As a context manager it is thrown away unless committed."""

    def __init__(self, ingest: Path, blobs: Path) -> None:
        self._path = ingest / secrets.token_hex(16)
        self._blobs = blobs
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

    def commit(self, expected: Digest | None = None) -> tuple[Digest, int]:
        """Put the blob in its place: digest and size in bytes. Raises DigestMismatch, and keeps nothing then."""
        digest = self.digest
        if expected is not None and digest != expected:
            self.abort()
            raise DigestMismatch(expected, digest)
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.chmod(0o444)
        self._path.rename(self._blobs / digest.hex)
        sync_directory(self._blobs)
        return digest, self.size

    def abort(self) -> None:
        """Throw it away; no harm after `commit`."""
        self._file.close()
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
        for folder in (self._blobs, self._ingest):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def writer(self) -> BlobWriter:
        """Begin a new blob."""
        return BlobWriter(self._ingest, self._blobs)

    def put(self, data: bytes) -> tuple[Digest, int]:
        """Store a small blob: digest and size."""
        digest = Digest.of(data)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest, len(data)

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return self.path(digest).is_file()

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._blobs / digest.hex

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
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise CorruptStore(f"blob {digest} is missing") from error

    def delete(self, digest: Digest) -> None:
        """Remove a blob; a missing one is fine."""
        self.path(digest).unlink(missing_ok=True)

    def walk(self) -> Iterator[Digest]:
        """Every blob that is there."""
        for entry in os.scandir(self._blobs):
            if len(entry.name) == 64:
                yield Digest(f"sha256:{entry.name}")

    def sweep(self) -> None:
        """Remove what was half-written when an engine ended. Only when nothing is being written."""
        for entry in os.scandir(self._ingest):
            os.unlink(entry.path)

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
