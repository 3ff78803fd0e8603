"""An image archive: a tar indexed once and read at random; nothing of it is ever unpacked by name.

Names are only looked up in the index, so none can reach outside. Symbolic and hard links are followed within
the index (skopeo's docker-archives have them).
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import BadArchive
from core.images.transfer import ReadSome
from core.oci.document import DOCUMENT_LIMIT
from core.storage.compression import CHUNK, MAGIC, Stream, detect
from core.storage.tarball import Kind, TarReader, components, shown

MEMBER_LIMIT = 200_000
NAMES_LIMIT = 16 << 20  # bytes of all names and link targets: the index is kept in memory
DOCUMENTS_LIMIT = 64 << 20  # bytes of all documents, each as often as it is read: so are they
_HOPS = 8
_ROOT_FILE_SYSTEM = frozenset({"bin", "etc", "usr", "lib", "sbin", "var", "proc", "dev", "home", "root", "tmp"})


class FileSource:
    """The bytes of a seekable descriptor from `offset` on, without moving its position."""

    def __init__(self, fd: int, offset: int = 0, size: int | None = None) -> None:
        self._fd = fd
        self._position = offset
        self._end = os.fstat(fd).st_size if size is None else offset + size

    def read_some(self, limit: int) -> bytes:
        """At most `limit` bytes; b"" at the end."""
        data = os.pread(self._fd, max(0, min(limit, self._end - self._position)), self._position)
        self._position += len(data)
        return data

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end; `count` is small."""
        return self.read_some(count)

    def skip(self, count: int) -> int:
        """Go on `count` bytes; how many of them there were."""
        moved = max(0, min(count, self._end - self._position))
        self._position += moved
        return moved


@dataclass(frozen=True, slots=True)
class _Member:
    """What is kept of an entry: an attacker decides how large the rest of it is."""

    kind: Kind
    size: int
    offset: int
    link: bytes


class Archive:
    """The index. `fd` is a seekable, uncompressed tar and stays the caller's. Raises BadArchive."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._members: dict[str, _Member] = {}
        self._documents = 0
        if not os.fstat(fd).st_size:
            raise BadArchive("archive is empty")
        names = 0
        for entry in TarReader(FileSource(fd)):
            names += len(entry.name) + len(entry.link)
            if names > NAMES_LIMIT:
                raise BadArchive(f"archive has names of more than {NAMES_LIMIT} bytes together")
            name = os.fsdecode(b"/".join(components(entry.name)))
            self._members[name] = _Member(entry.kind, entry.size, entry.offset, entry.link)
            if len(self._members) > MEMBER_LIMIT:
                raise BadArchive(f"archive has more than {MEMBER_LIMIT} entries")

    def has(self, name: str) -> bool:
        """Whether there is an entry `name`."""
        return name in self._members

    def looks_like_root(self) -> bool:
        """Whether this is a root file system: what `export` writes and `import` takes."""
        tops = {name.partition("/")[0] for name in self._members}
        return ".dockerenv" in tops or len(tops & _ROOT_FILE_SYSTEM) >= 2

    def document(self, name: str, *, what: str) -> bytes:
        """A small file. Raises BadArchive."""
        entry = self._file(name, what)
        if entry.size > DOCUMENT_LIMIT:
            raise BadArchive(f"{what} is larger than {DOCUMENT_LIMIT} bytes")
        self._documents += entry.size
        if self._documents > DOCUMENTS_LIMIT:
            raise BadArchive(f"archive has documents of more than {DOCUMENTS_LIMIT} bytes together")
        return os.pread(self._fd, entry.size, entry.offset)

    def size(self, name: str, *, what: str) -> int:
        """Bytes of a file. Raises BadArchive."""
        return self._file(name, what).size

    def reader(self, name: str, *, what: str) -> ReadSome:
        """A file's bytes, in order. Raises BadArchive."""
        entry = self._file(name, what)
        return FileSource(self._fd, entry.offset, entry.size).read_some

    def place(self, name: str, *, what: str) -> tuple[int, int, int]:
        """Where a file's bytes are: the archive's descriptor, offset, size. Raises BadArchive."""
        entry = self._file(name, what)
        return self._fd, entry.offset, entry.size

    def _file(self, name: str, what: str) -> _Member:
        name = posixpath.normpath(name)
        for _ in range(_HOPS):
            entry = self._members.get(name)
            if entry is None:
                raise BadArchive(f"archive lacks {what}: {shown(os.fsencode(name))}")
            if entry.kind is Kind.FILE:
                return entry
            if entry.kind not in (Kind.SYMLINK, Kind.LINK):
                break
            folder = posixpath.dirname(name) if entry.kind is Kind.SYMLINK else ""
            target = posixpath.join(folder, os.fsdecode(entry.link))
            if target.startswith("/"):
                break
            name = os.fsdecode(b"/".join(components(os.fsencode(target))))
        raise BadArchive(f"archive has no usable file for {what}: {shown(os.fsencode(name))}")


def seekable_tar(fd: int, scratch: Callable[[], int], *, limit: int | None = None) -> int:
    """A new descriptor of `fd`'s plain bytes that can be read at random: `fd` itself, or a temporary copy.

    `scratch` makes the temporary file. Blocks. Raises BadArchive, OSError.
    """
    if stat.S_ISREG(os.fstat(fd).st_mode) and not detect(os.pread(fd, MAGIC, 0)):
        return os.dup(fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        stream = Stream(FileSource(fd).read_some, limit=limit)
    else:
        stream = Stream(lambda count: os.read(fd, count), limit=limit)
    copy = scratch()
    try:
        while piece := stream.read_some(CHUNK):
            view = memoryview(piece)
            while view:
                view = view[os.write(copy, view) :]
    except BaseException:
        os.close(copy)
        raise
    return copy
