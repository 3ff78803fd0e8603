"""What Docker's classic builder calls copied files in an image's history: `file:HASH`, `dir:HASH`, `multi:HASH`.

moby: pkg/tarsum (version 1), builder/remotecontext, builder/dockerfile/copy.go. A hash is of a tar header without
times and of the contents; of a folder, of the hashes of all it holds. What the header says of the same file differs
between versions, so there is a sum for each of some dialects. Runs in a child of the zygote. Stdlib, `core.linux`.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidArgument, SyscallFailed
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS
from core.linux.syscalls import openat2
from core.storage.sources import ENTRY_LIMIT, Source, find, open_tree_of

_CHUNK = 1 << 18
_HEX = re.compile(r"[0-9a-f]{64}")
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_CAPABILITY = "security.capability"  # the one attribute that goes along
_TYPES = {
    stat.S_IFREG: "0",
    stat.S_IFCHR: "3",
    stat.S_IFBLK: "4",
    stat.S_IFDIR: "5",
    stat.S_IFIFO: "6",
    stat.S_IFLNK: "2",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """`kinds` = modes tell the kind of file, too; `names` = the names of owners are in the header."""

    kinds: bool
    names: bool


_SENT = (Dialect(kinds=False, names=False), Dialect(kinds=True, names=False))  # a context, by its client
_FOUND = (*_SENT, Dialect(kinds=True, names=True), Dialect(kinds=False, names=True))  # another image's files


def run_sums(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `sum-sources`: what `sources` of a tree may be called. Arguments as of `look-at-sources`.

    Answers `{"sums"}`, a list. Raises NoSuchPath, InvalidArgument, SyscallFailed.
    """
    try:
        root = open_tree_of(args, fds)
        found = find(root, [str(source) for source in args["sources"]])
        summer = Summer(root, image=bool(args.get("rootfs")))
        return {"sums": list(dict.fromkeys(summer.sums(found)))}
    except OSError as error:
        raise SyscallFailed.of("read build context", error) from error


class Summer:
    """Reads the tree `root`, a context or an image's, in several dialects at once."""

    def __init__(self, root: int, *, image: bool) -> None:
        self._root = root
        self._image = image
        self._dialects = _FOUND if image else _SENT
        self._top = os.readlink(f"/proc/self/fd/{root}").rstrip("/") + "/"
        self._left = ENTRY_LIMIT

    def sums(self, sources: Sequence[Source]) -> list[str]:
        """What all of them together are called, in each dialect; nothing where one has no name."""
        each = [self._source(source) for source in sources]
        if not all(each):
            return []
        if len(each) == 1:
            return each[0]
        return [f"multi:{_joined(parts)}" for parts in zip(*each, strict=True)]

    def _source(self, source: Source) -> list[str]:
        if not source.is_directory:
            return [f"file:{digest}" for digest in self._entry(source.path) if _HEX.fullmatch(digest)]
        columns = list(zip(*filter(None, map(self._entry, self._below(source.path))), strict=True))
        return [f"dir:{_joined(sorted(column))}" for column in columns] or [
            f"dir:{_joined(())}" for _ in self._dialects
        ]

    def _below(self, path: bytes) -> Iterator[bytes]:
        """A folder, unless it is the whole tree, and all it holds."""
        if path != b".":
            yield path
        waiting = [path]
        while waiting:
            above = waiting.pop()
            folder = openat2(
                self._root, os.fsdecode(above), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE
            )
            try:
                for leaf in os.listdir(folder):
                    self._left -= 1
                    if self._left < 0:
                        raise InvalidArgument(f"source holds more than {ENTRY_LIMIT} files")
                    name = os.fsencode(leaf) if above == b"." else above + b"/" + os.fsencode(leaf)
                    yield name
                    if stat.S_ISDIR(os.stat(leaf, dir_fd=folder, follow_symlinks=False).st_mode):
                        waiting.append(name)
            finally:
                os.close(folder)

    def _entry(self, path: bytes) -> list[str]:
        """Of what a path leads to, by its real name; a link to nothing is a path, one in a circle is left out."""
        try:
            place = openat2(self._root, os.fsdecode(path), os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE)
        except FileNotFoundError:
            return [self._nowhere(path)] * len(self._dialects)
        except OSError:
            return []
        try:
            found = os.fstat(place)
            real = os.readlink(f"/proc/self/fd/{place}")
            if not real.startswith(self._top) or stat.S_IFMT(found.st_mode) not in _TYPES:
                return []
            name = os.fsencode(real.removeprefix(self._top))
            if not stat.S_ISREG(found.st_mode):
                return [self._head(dialect, name, found, b"").hexdigest() for dialect in self._dialects]
            file = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.close(place)
        try:
            return self._file(file, name, found)
        finally:
            os.close(file)

    def _nowhere(self, path: bytes) -> str:
        """What stands for the hash of a link to nothing: of a context its path, of an image the path in it."""
        if not self._image:
            return os.fsdecode(path)
        link = openat2(self._root, os.fsdecode(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE)
        try:
            target = posixpath.join(b"/", posixpath.dirname(path), os.readlink(b"", dir_fd=link))
            return os.fsdecode(posixpath.normpath(target).lstrip(b"/"))
        finally:
            os.close(link)

    def _file(self, file: int, name: bytes, found: os.stat_result) -> list[str]:
        try:
            capability = os.getxattr(file, _CAPABILITY)
        except OSError:
            capability = b""  # it has none
        digests = [self._head(dialect, name, found, capability) for dialect in self._dialects]
        while piece := os.read(file, _CHUNK):
            for digest in digests:
                digest.update(piece)
        return [digest.hexdigest() for digest in digests]

    def _head(self, dialect: Dialect, name: bytes, found: os.stat_result, capability: bytes) -> hashlib._Hash:
        kind = stat.S_IFMT(found.st_mode)
        mode = found.st_mode if dialect.kinds else stat.S_IMODE(found.st_mode)
        device = found.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
        fields: list[tuple[str, object]] = [
            ("mode", mode), ("uid", found.st_uid), ("gid", found.st_gid),
            ("size", found.st_size if kind == stat.S_IFREG else 0), ("typeflag", _TYPES[kind]), ("linkname", ""),
            ("uname", "root" if dialect.names and not found.st_uid else ""),
            ("gname", "root" if dialect.names and not found.st_gid else ""),
            ("devmajor", os.major(device)), ("devminor", os.minor(device)),
        ]  # fmt: skip
        shown = name + b"/" if kind == stat.S_IFDIR else name
        digest = hashlib.sha256(b"name" + shown + "".join(f"{key}{value}" for key, value in fields).encode())
        if capability:
            digest.update(_CAPABILITY.encode() + capability)
        return digest


def _joined(parts: Sequence[str]) -> str:
    return hashlib.sha256(os.fsencode(",".join(parts))).hexdigest()
