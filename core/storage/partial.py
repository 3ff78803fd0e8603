"""A blob that comes in parts: ROOT/content/ingest/partial-HEX outlives a crash and a cut line, and is gone on with.

What it holds is believed only as far as its hash: all of it is hashed again when it is opened.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from core.errors import DigestMismatch
from core.oci.digest import Digest

PREFIX = "partial-"
KEPT = 24 * 3600.0  # seconds after its last byte
_CHUNK = 1 << 20


class PartialBlob:
    """The part of `digest` that is here. Blocks; one at a time for a digest, which is the caller's to see to."""

    def __init__(self, ingest: Path, digest: Digest) -> None:
        self.path = ingest / f"{PREFIX}{digest.hex}"
        self._digest = digest
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._hash = hashlib.sha256()
        self._whole = False
        self.size = 0
        try:
            while piece := os.read(self._fd, _CHUNK):
                self._hash.update(piece)
                self.size += len(piece)
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Append `data`. Raises OSError, and holds then what it held before."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.pwrite(self._fd, view, self.size + len(data) - len(view)) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self._hash.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Begin again with nothing."""
        os.ftruncate(self._fd, 0)
        self._hash = hashlib.sha256()
        self.size = 0

    def check(self) -> None:
        """Whether it is whole. Raises DigestMismatch, and begins again with nothing then."""
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._digest:
            self.restart()
            raise DigestMismatch(self._digest, found)
        self._whole = True

    def discard(self) -> None:
        """Throw it away."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep it for later; an empty part is not worth it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if not self.size and not self._whole:
                self.path.unlink(missing_ok=True)
