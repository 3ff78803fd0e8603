"""An unpacked layer beside the tar that it came from: the zygote's job `compare-layer`.

Runs like `apply-layer`: in a child of the zygote with one thread, its root changed to the layer. Nothing of the
layer is written. What a later entry of the tar replaces is not looked for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Any

from core.errors import BadArchive, CorruptStore, SyscallFailed
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS
from core.linux.syscalls import openat2
from core.storage.apply import enter
from core.storage.assembly import Assembly, DamagedFile
from core.storage.compression import ReadSome, Stream, get_ready
from core.storage.roots import Root
from core.storage.tarball import Entry, Kind, TarReader, components, shown

NAMED = 20  # differences that are named; the rest is counted
_CHUNK = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_WHITEOUT, _WHITEOUT_META = b".wh.", b".wh..wh."
_TYPES = {
    Kind.FILE: stat.S_IFREG,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.CHARACTER: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.FIFO: stat.S_IFIFO,
}

Path = tuple[bytes, ...]


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """`compare-layer`: blob descriptor and the layer's directory descriptor, or the blob alone.

    With `assembled` the blob is a recipe, and the directory that it belongs to comes behind it.

    Answers `{"digest", "diff_id", "size", "count", "differences", "damage", "in_files"}`: digests of the blob's
    bytes and of its tar, bytes of the blob, how many paths differ, the first of them with what differs; why it
    cannot be put together, and whether that is because of the files. A blob whose tar cannot be read has the
    diffID "". Raises SyscallFailed.
    """
    blob, *target = fds
    source: Assembly | None = None
    if args.get("assembled"):
        try:
            source = Assembly(blob, target.pop(0))
        except CorruptStore as error:
            return _damaged(error, 0)
    else:
        get_ready(blob)
    if target:
        enter(target[0])
    raw = _Raw(source.read_some if source else lambda limit: os.read(blob, limit))
    wanted: dict[Path, _Wanted] = {}
    try:
        diff_id = _read_all(raw, wanted)
    except CorruptStore as error:
        return _damaged(error, raw.size)
    answer = {"digest": f"sha256:{raw.hash.hexdigest()}", "diff_id": diff_id, "size": raw.size}
    answer |= {"damage": "", "in_files": False}
    if not target or not diff_id:
        return {**answer, "count": 0, "differences": []}
    try:
        found = _Comparison(target[0], wanted).differences()
    except OSError as error:
        raise SyscallFailed.of("compare layer: read", error) from error
    return {**answer, "count": len(found), "differences": found[:NAMED]}


def _read_all(raw: _Raw, wanted: dict[Path, _Wanted]) -> str:
    """The digest of the tar; "" where it cannot be read."""
    try:
        stream = Stream(raw.read_some)
        _read(TarReader(stream), wanted)
        while stream.read_some(_CHUNK):
            pass
        diff_id = stream.digest
    except BadArchive:
        diff_id = ""
    raw.read_rest()
    return diff_id


def _damaged(error: CorruptStore, size: int) -> dict[str, Any]:
    nothing: dict[str, Any] = {"digest": "", "diff_id": "", "size": size, "count": 0, "differences": []}
    return {**nothing, "damage": error.message, "in_files": isinstance(error, DamagedFile)}


class _Raw:
    """The blob's bytes as they are, hashed on the way."""

    def __init__(self, read_some: ReadSome) -> None:
        self._source = read_some
        self.hash = hashlib.sha256()
        self.size = 0

    def read_some(self, limit: int) -> bytes:
        data = self._source(limit)
        self.hash.update(data)
        self.size += len(data)
        return data

    def read_rest(self) -> None:
        while self.read_some(_CHUNK):
            pass


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What should be at a path: the file type, and for those that have one an owner, a mode and contents."""

    kind: int
    mode: int = -1
    uid: int = -1
    gid: int = -1
    size: int = 0
    contents: bytes = b""  # the digest of a file, the target of a symbolic link
    device: int = 0

    @property
    def is_whiteout(self) -> bool:
        return self.kind == stat.S_IFCHR and self.mode < 0


def _read(reader: TarReader, wanted: dict[Path, _Wanted]) -> None:
    folders: set[Path] = set()  # those too that no entry makes
    for entry in reader:
        path = components(entry.name)
        if not path or any(part.startswith(_WHITEOUT) for part in path[:-1]):
            continue
        for depth in range(1, len(path)):
            folders.add(path[:depth])
            if (above := wanted.get(path[:depth])) is not None and above.is_whiteout:
                del wanted[path[:depth]]  # it became a folder that hides what is below
        if path[-1].startswith(_WHITEOUT):
            hidden = (*path[:-1], path[-1][len(_WHITEOUT) :])
            if not path[-1].startswith(_WHITEOUT_META) and hidden not in wanted and hidden not in folders:
                wanted[hidden] = _Wanted(stat.S_IFCHR)
        elif entry.kind is not Kind.LINK or components(entry.link) != path:  # a link to itself says nothing
            if path in folders and entry.kind is not Kind.DIRECTORY:
                folders.discard(path)
                for below in [other for other in wanted if other[: len(path)] == path]:
                    del wanted[below]
            wanted[path] = _expected(entry, reader)
            if entry.kind is Kind.DIRECTORY:
                folders.add(path)


def _expected(entry: Entry, reader: TarReader) -> _Wanted:
    if entry.kind is Kind.LINK:
        return _Wanted(0)  # anything: it is what its target is
    contents = entry.link if entry.kind is Kind.SYMLINK else b""
    if entry.kind is Kind.FILE:
        hashed = hashlib.sha256()
        for piece in reader.body():
            hashed.update(piece)
        contents = hashed.digest()
    device = os.makedev(entry.major, entry.minor) if "device" in entry.kind.value else 0
    # chown(2) takes the set-id bits from a device or a fifo, where they mean nothing.
    mode = entry.mode if entry.kind in (Kind.FILE, Kind.DIRECTORY) else entry.mode & 0o1777
    if entry.kind is Kind.SYMLINK:
        mode = -1
    return _Wanted(_TYPES[entry.kind], mode, entry.uid, entry.gid, entry.size, contents, device)


class _Comparison:
    """One directory against what should be in it."""

    def __init__(self, target: int, wanted: dict[Path, _Wanted]) -> None:
        self._target = target
        self._wanted = wanted
        self._seen: set[int] = set()  # inodes; a layer is on one file system

    def differences(self) -> list[list[str]]:
        """`[path, what]` of everything that is not as it should be."""
        found: list[list[str]] = []
        with Root(self._target) as root:
            for path, wanted in self._wanted.items():
                if what := self._one(root, path, wanted):
                    found.append([_shown(path), what])
        return found + [[_shown(path), "does not belong to the layer"] for path in self._strangers()]

    def _one(self, root: Root, path: Path, wanted: _Wanted) -> str:
        try:
            parent = root.open_parent(path)
        except OSError:
            return "is missing"
        try:
            status = os.stat(path[-1], dir_fd=parent, follow_symlinks=False)
            self._seen.add(status.st_ino)
            return self._differs(parent, path[-1], status, wanted)
        except FileNotFoundError:
            return "is missing"
        finally:
            os.close(parent)

    def _differs(self, parent: int, name: bytes, status: os.stat_result, wanted: _Wanted) -> str:
        if not wanted.kind:
            return ""
        if stat.S_IFMT(status.st_mode) != wanted.kind:
            return "is of another kind"
        if wanted.uid >= 0 and (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
            return "has another owner"
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            mode &= 0o1777
        if wanted.mode >= 0 and mode != wanted.mode:
            return "has another mode"
        if wanted.kind in (stat.S_IFCHR, stat.S_IFBLK) and status.st_rdev != wanted.device:
            return "is another device"
        if wanted.kind == stat.S_IFLNK and os.readlink(name, dir_fd=parent) != wanted.contents:
            return "leads elsewhere"
        if wanted.kind == stat.S_IFREG and _digest(parent, name) != wanted.contents:
            return "has other contents"
        return ""

    def _strangers(self) -> list[Path]:
        """What is there without an entry; folders need none."""
        found: list[Path] = []
        waiting: list[Path] = [()]
        while waiting:
            folder = waiting.pop()
            fd = openat2(self._target, os.fsdecode(b"/".join(folder)) or ".", _DIRECTORY, 0, _RESOLVE)
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        path = (*folder, os.fsencode(entry.name))
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
                        elif entry.inode() not in self._seen and path not in self._wanted:
                            found.append(path)
            finally:
                os.close(fd)
        return found


def _digest(parent: int, name: bytes) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        hashed = hashlib.sha256()
        while piece := os.read(fd, _CHUNK):
            hashed.update(piece)
        return hashed.digest()
    finally:
        os.close(fd)


def _shown(path: Path) -> str:
    return "/" + shown(b"/".join(path))
