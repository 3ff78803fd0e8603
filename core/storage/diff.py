"""What a container has changed, as a layer's tar (`commit`) or as a list (`diff`). image-spec layer.md.

Runs in a child of the zygote with bounded memory and a mount namespace of its own, in which it stacks the
layers below read-only; the upper directory is read as it lies there, so the container may go on running. Nothing of
overlayfs's own gets out: whiteouts and opaque directories become what every engine reads, and its extended
attributes are not among those that are kept. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.errors import SyscallFailed
from core.storage.adopt import Adopter, empty
from core.storage.copy import open_rootfs
from core.storage.tarwrite import END, Member, header
from core.storage.upper import Entry, Lower, Upper, capability, is_whiteout, owner_and_mode
from core.storage.walk import TreeWriter

MEMORY_LIMIT = 512 << 20  # bytes of address space; names and links of the largest trees fit
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_WHITEOUT_MODE = stat.S_IFREG | 0o600  # Docker's
_PIECE = 1 << 16

ADDED, CHANGED, DELETED = b"A", b"C", b"D"


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `diff-layer`: `rootfs` of an active snapshot, and a descriptor to write to.

    The layer's tar, or with `list` what has changed: `A`, `C` or `D`, a space, the path, a NUL each. `newest` = no
    time in the tar is later (seconds since the epoch). With `adopt` the upper directory, which nobody mounts any
    more, holds afterwards what the tar unpacks to. Answers `{"size", "left_out", "contents"}`: bytes written,
    entries that no layer can say, bytes of files. Raises SyscallFailed.
    """
    (output,) = fds
    rootfs = args["rootfs"]
    try:
        upper_fd = os.open(str(rootfs["upper"]), _DIRECTORY)  # before the mount covers its path
        work = os.open(str(rootfs["work"]), _DIRECTORY) if args.get("adopt") else -1
        lower = Lower(open_rootfs({"lower": rootfs["lower"]}, with_mounts=False))
        limit_memory()
        upper = Upper(upper_fd, lower)
        sink = _Sink(output)
        if args.get("list"):
            write_changes(upper, lower, sink.write)
            sink.flush()
            return {"size": sink.size}
        newest = None if args.get("newest") is None else int(args["newest"])
        adopter = Adopter(upper_fd, newest) if args.get("adopt") else None
        writer = LayerWriter(upper, upper_fd, sink.write, newest, adopter)
        left_out = writer.run()
        sink.flush()
        if work >= 0:
            empty(work)
    except OSError as error:
        raise SyscallFailed.of("read changes of container", error) from error
    return {"size": sink.size, "left_out": left_out, "contents": writer.contents}


def limit_memory() -> None:
    """Bound what a hostile tree can make this process take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > MEMORY_LIMIT:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, hard))


class _Sink:
    """Gathers small writes; a header each would cost a system call each."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = bytearray()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if len(data) < _PIECE:
            self._pending += data
            if len(self._pending) >= _PIECE:
                self.flush()
        else:
            self.flush()
            self._write(data)

    def flush(self) -> None:
        self._write(bytes(self._pending))
        self._pending.clear()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


def no_later_than(newest: int) -> Callable[[Member], Member]:
    """Times after `newest` become it. reproducible-builds.org/docs/source-date-epoch."""
    return lambda member: replace(member, mtime=min(member.mtime, newest))


class LayerWriter:
    """Writes the tar of a layer; the same bytes for the same upper directory. `adopter` follows behind it."""

    def __init__(
        self,
        upper: Upper,
        upper_fd: int,
        write: Callable[[bytes], None],
        newest: int | None = None,
        adopter: Adopter | None = None,
    ) -> None:
        self._upper = upper
        self._adopter = adopter
        self._tree = TreeWriter(upper_fd, write, dress=None if newest is None else no_later_than(newest))

    @property
    def contents(self) -> int:
        """Bytes of files."""
        return self._tree.contents

    def run(self) -> int:
        """Write all of it; the number of entries left out."""
        left_out = 0
        root = self._upper.root()
        if root.below is not None and owner_and_mode(root.found) != owner_and_mode(root.below):
            self._tree.entry(root.folder, root.leaf, b".", root.found)
        for entry in self._upper.entries():
            if entry.place:
                self._leave(entry)
            elif b"/" + _WHITEOUT in b"/" + entry.path:
                left_out += 1  # in a layer it, or the folder it lies in, would delete something
                self._leave(entry)
            else:
                self._write(entry)
        self._tree.emit(END)
        if self._adopter is not None:
            self._adopter.end()
        return left_out

    def _write(self, entry: Entry) -> None:
        if is_whiteout(entry.found):
            self._whiteout(entry)
        elif stat.S_ISSOCK(entry.found.st_mode):
            self._leave(entry)  # as in every tar
            return
        else:
            self._tree.entry(entry.folder, entry.leaf, entry.path, entry.found)
            if entry.opaque:
                self._mark_opaque(entry)
        if self._adopter is not None:
            self._adopter.keep(entry)

    def _leave(self, entry: Entry) -> None:
        if self._adopter is not None:
            self._adopter.drop(entry)

    def _whiteout(self, entry: Entry) -> None:
        # No owner and no time: the kernel links all whiteouts to one inode, which says nothing of this one.
        folder, slash, leaf = entry.path.rpartition(b"/")
        self._tree.emit(header(Member(folder + slash + _WHITEOUT + leaf, _WHITEOUT_MODE)))

    def _mark_opaque(self, entry: Entry) -> None:
        found = entry.found
        mode = stat.S_IFREG | (found.st_mode & 0o777)
        self._tree.emit(header(Member(entry.path + b"/" + _OPAQUE, mode, uid=found.st_uid, gid=found.st_gid)))


def write_changes(upper: Upper, lower: Lower, write: Callable[[bytes], None]) -> None:
    """Write the list, by Docker's rules (moby pkg/archive changes.go), each directory before what it holds.

    A directory in which something has changed is itself changed; one that is gone goes without its contents.
    """
    pending: list[bytes] = []  # directories that count as changed as soon as something inside does

    def tell(kind: bytes, path: bytes) -> None:
        for folder in pending:
            write(_line(CHANGED, folder))
        pending.clear()
        write(_line(kind, path))

    def leave(path: bytes) -> None:
        while pending and not path.startswith(pending[-1] + b"/"):
            pending.pop()

    for entry in upper:
        leave(entry.path)
        kind = kind_of(entry, lower)
        if kind:
            tell(kind, entry.path)
        if entry.is_directory:
            if not kind:
                pending.append(entry.path)
            for name in sorted(_hidden(entry, upper, lower)):
                tell(DELETED, entry.path + b"/" + name)


def _hidden(entry: Entry, upper: Upper, lower: Lower) -> set[bytes]:
    """What was in a directory below that this one replaces, and is not in this one."""
    if not entry.covers or entry.below is None or not stat.S_ISDIR(entry.below.st_mode):
        return set()
    return lower.names(entry.path) - set(upper.names(entry.path))


def kind_of(entry: Entry, lower: Lower) -> bytes:
    """ADDED, CHANGED, DELETED, or b"" where the container sees what the image has.

    Contents are not compared: a change of them changes the time of modification.
    """
    found, below = entry.found, entry.below
    if is_whiteout(found):
        return DELETED if below is not None else b""
    if below is None:
        return ADDED
    if owner_and_mode(found) != owner_and_mode(below) or found.st_rdev != below.st_rdev:
        return CHANGED
    if stat.S_ISDIR(found.st_mode):
        return b""  # neither its size nor its time says anything
    if found.st_size != below.st_size or not same_time(found.st_mtime_ns, below.st_mtime_ns):
        return CHANGED
    if stat.S_ISREG(found.st_mode) and _capability(entry) != lower.capability(entry.path):
        return CHANGED
    return b""


def same_time(one: int, other: int) -> bool:
    """Whether two times are the same, one of which may have gone through a tar that keeps whole seconds."""
    (seconds, part), (other_seconds, other_part) = divmod(one, 10**9), divmod(other, 10**9)
    return seconds == other_seconds and (part == other_part or not part or not other_part)


def _capability(entry: Entry) -> bytes:
    try:
        fd = os.open(entry.leaf, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=entry.folder)
    except OSError:
        return b""
    try:
        return capability(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _line(kind: bytes, path: bytes) -> bytes:
    return kind + b" /" + path + b"\0"
