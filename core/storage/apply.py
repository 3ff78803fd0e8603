"""A layer's tar becomes a directory: image-spec layer.md, "Applying Changesets".

Runs in a child of the zygote that has one thread, changes its root to the target and has bounded memory.
Every path is resolved by the kernel inside that root (openat2 with RESOLVE_IN_ROOT), links are made and
never followed for what they name, and only known extended attributes are kept. Whiteouts become what
overlayfs understands: a character device 0:0, and `trusted.overlay.opaque` on directories.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
import zlib
from typing import Any

from core.errors import BadArchive, SyscallFailed
from core.linux.syscalls import syncfs
from core.storage.assembly import Assembly
from core.storage.compression import Stream, get_ready
from core.storage.holes import write_sparse
from core.storage.recording import Recording
from core.storage.roots import Root
from core.storage.tarball import Entries, Entry, Kind, TarReader, components, shown

MEMORY_LIMIT = 512 << 20  # bytes of address space; the working set is a few MiB
_ID_LIMIT = (1 << 32) - 1
_WHITEOUT = b".wh."
_WHITEOUT_META = b".wh..wh."
_TELL = 1 << 18  # bytes between two times that it is told how far a layer is
_OPAQUE = b".wh..wh..opq"
_OVERLAY_OPAQUE = "trusted.overlay.opaque"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Only a path that cannot be made, a loop of links or a broken attribute end like this.
_ARCHIVES_FAULT = (
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EXDEV,
    errno.ENOENT,
    errno.EEXIST,
    errno.EINVAL,
)
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP)


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `apply-layer`: blob descriptor, target directory descriptor, and one more perhaps.

    `offset` and `size` say which part of the blob's file is the layer. With `tell` the very last descriptor is a
    file whose first 8 bytes (little-endian) say how many bytes of the source have been read. With `recipe` the last
    before it is a file that gets the recipe of a plain tar (`core.storage.recipe`); with `assembled` the blob is a
    recipe itself, and the third descriptor the directory that it belongs to. `limit_bytes` bounds the uncompressed
    tar, `plain_digest` is its digest where the blob is known to be it, `sync` off leaves syncing the disk to the
    caller.

    Answers `{"diff_id", "size", "unpacked", "own_root", "recipe"}`: digest and bytes of the uncompressed tar, bytes
    of its files, whether it says what its root is like, whether there is a recipe. Raises BadArchive,
    SyscallFailed.
    """
    blob, target, *more = fds
    told = more.pop() if args.get("tell") else -1
    limit = args.get("limit_bytes")
    source: Part | Assembly
    if args.get("assembled"):
        source = Assembly(blob, more[0])
    else:
        source = Part(blob, int(args.get("offset") or 0), args.get("size"))
        get_ready(blob, int(args.get("offset") or 0))
    enter(target)
    try:
        return apply(
            source if told < 0 else Told(source, told),
            target,
            limit=None if limit is None else int(limit),
            known=str(args.get("plain_digest") or ""),
            sync=bool(args.get("sync", True)),
            recipe=more[-1] if args.get("recipe") else -1,
        )
    except OSError as error:
        failure = SyscallFailed.of("apply layer: make", error)
        raise (BadArchive(failure.message) if error.errno in _ARCHIVES_FAULT else failure) from error
    except MemoryError as error:
        raise BadArchive("layer needs more memory than a layer may") from error


class Told:
    """A source that tells how far it has been read, in a file that somebody else looks at."""

    def __init__(self, source: Part | Assembly, fd: int) -> None:
        self.source = source
        self._fd = fd
        self._read = self._said = 0

    def read_some(self, limit: int) -> bytes:
        """As the source's own."""
        data = self.source.read_some(limit)
        self._read += len(data)
        if self._read - self._said >= _TELL or not data:
            os.pwrite(self._fd, self._read.to_bytes(8, "little"), 0)
            self._said = self._read
        return data


class Part:
    """`size` bytes (None = all) of a file from `offset` on, in order; and any of them again."""

    def __init__(self, fd: int, offset: int, size: int | None) -> None:
        self._fd = fd
        self._offset = offset
        self._position = 0
        self._size = max(0, os.fstat(fd).st_size - offset) if size is None else int(size)
        self.crc = 0  # crc32 of what has been read in order

    def read_some(self, limit: int) -> bytes:
        data = self.read_at(limit, self._position)
        self._position += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return data

    def read_at(self, count: int, position: int) -> bytes:
        return os.pread(self._fd, max(0, min(count, self._size - position)), self._offset + position)


def enter(target: int) -> None:
    """Make `target` the root of this process and bound what it may take. There is no way back.

    Modules are not imported any more afterwards: the root is the image's from here on.
    """
    os.umask(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > MEMORY_LIMIT:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, hard))
    os.fchdir(target)
    os.chroot(".")
    os.chdir("/")


def apply(
    given: Part | Assembly | Told,
    target: int,
    *,
    limit: int | None = None,
    known: str = "",
    sync: bool = True,
    recipe: int = -1,
) -> dict[str, Any]:
    """Unpack the tar that `given` reads into directory `target`, at most `limit` bytes of it; see `run_job`."""
    stream = Stream(given.read_some, limit=limit, hashed=not known)
    source = given.source if isinstance(given, Told) else given
    recording = None
    if isinstance(source, Part) and recipe >= 0 and not stream.compression:
        recording = Recording()
    with Root(target) as root:
        layer = Layer(root, TarReader(stream), recording=recording)
        unpacked = layer.unpack()
        while stream.read_some(1 << 20):
            pass  # what follows the end mark belongs to the digest
        if not stream.size:
            raise BadArchive("layer is empty, not a tar archive")
        has_recipe = False
        if recording is not None and isinstance(source, Part):
            has_recipe = recording.write(source.read_at, stream.size, source.crc, root.fd, recipe)
        if sync:
            syncfs(root.fd)
    return {
        "diff_id": stream.digest if stream.compression or not known else known,
        "size": stream.size,
        "unpacked": unpacked,
        "own_root": layer.own_root,
        "recipe": has_recipe,
    }


class Layer:
    """One pass over one tar. `whiteouts` off takes names as they are: a plain copy of a tree.

    `recording` hears which files were written.
    """

    def __init__(
        self, root: Root, reader: Entries, *, whiteouts: bool = True, recording: Recording | None = None
    ) -> None:
        self._root = root
        self._reader = reader
        self._whiteouts = whiteouts
        self._recording = recording
        self._times: dict[tuple[bytes, ...], int] = {}  # of directories, which change while they are filled
        self._ours = (os.geteuid(), os.getegid())
        self._groups_pass_on = not whiteouts  # whether some directory may have set-group-ID; of a copy, the target
        self.own_root = False  # whether the tar says what the root is like

    def unpack(self) -> int:
        """Bytes written to files."""
        unpacked = 0
        for entry in self._reader:
            try:
                self._one(entry, components(entry.name))
            except OSError as error:
                error.filename = shown(entry.name)
                raise
            unpacked += entry.size
        for path, mtime in self._times.items():
            self._set_directory_time(path, mtime)
        return unpacked

    def _one(self, entry: Entry, path: tuple[bytes, ...]) -> None:
        if not path:
            self._root_entry(entry)
        elif not self._whiteouts:
            self._make(entry, path)
        elif any(part.startswith(_WHITEOUT_META) for part in path[:-1]):
            pass  # aufs' own book-keeping in very old layers
        elif any(part.startswith(_WHITEOUT) for part in path[:-1]):
            raise BadArchive(f"layer has an entry below a whiteout: {shown(entry.name)}")
        elif path[-1].startswith(_WHITEOUT):
            self._whiteout(path)
        else:
            self._make(entry, path)

    def _root_entry(self, entry: Entry) -> None:
        if entry.kind is not Kind.DIRECTORY:
            raise BadArchive(f"layer replaces its root by a {entry.kind.value}")
        self._dress(self._root.fd_for_reading(()), entry)
        self._times[()] = entry.mtime_ns
        self.own_root = True

    def _whiteout(self, path: tuple[bytes, ...]) -> None:
        name = path[-1]
        if name == _OPAQUE:
            self._make_opaque(path[:-1])
            return
        if name.startswith(_WHITEOUT_META):
            return
        hidden = name[len(_WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise BadArchive(f"layer has a whiteout of nothing: {shown(name)}")
        parent = self._root.parent(path)
        found = self._root.kind_of(parent, hidden)
        if found is None:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        elif stat.S_ISDIR(found):  # whiteouts hide what is below only: this layer's own directory stays
            self._make_opaque((*path[:-1], hidden))

    def _make_opaque(self, path: tuple[bytes, ...]) -> None:
        self._root.make_directories(path)
        fd = self._root.fd_for_reading(path)
        try:
            os.setxattr(fd, _OVERLAY_OPAQUE, b"y")
        finally:
            os.close(fd)

    def _make(self, entry: Entry, path: tuple[bytes, ...]) -> None:
        parent, name = self._root.parent(path), path[-1]
        if max(entry.uid, entry.gid) >= _ID_LIMIT:
            raise BadArchive(f"layer has an owner out of range: {shown(entry.name)}")
        if entry.kind is Kind.FILE and self._new_file(entry, parent, path):
            return
        found = self._root.kind_of(parent, name)
        if entry.kind is Kind.DIRECTORY:
            self._directory(entry, path, found)
            return
        if entry.kind is Kind.LINK:
            self._link(entry, path, found)
            return
        if found is not None:
            self._remove(parent, name)
        if entry.kind is Kind.FILE:
            self._new_file(entry, parent, path)
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.link, name, dir_fd=parent)
            self._own(entry, parent, name)
        else:
            self._node(entry, parent, name)

    def _directory(self, entry: Entry, path: tuple[bytes, ...], found: int | None) -> None:
        parent, name = self._root.parent(path), path[-1]
        replaces_whiteout = found is not None and self._root.is_whiteout(parent, name)
        if found is not None and not stat.S_ISDIR(found):
            self._remove(parent, name)
            found = None
        if found is None:
            os.mkdir(name, 0o700, dir_fd=parent)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        self._dress(fd, entry, opaque=replaces_whiteout)
        self._times[path] = entry.mtime_ns

    def _new_file(self, entry: Entry, parent: int, path: tuple[bytes, ...]) -> bool:
        """Make a file; False when something has its name, which is rare, so that nobody asks first."""
        try:
            fd = os.open(path[-1], _CREATE, entry.mode & 0o777, dir_fd=parent)
        except FileExistsError:
            return False
        try:
            write_sparse(fd, self._reader.body())
            if self._recording is not None:
                self._recording.placed(path, entry.offset, entry.size, os.fstat(fd).st_ino)
        except BaseException:
            os.close(fd)
            raise
        self._dress(fd, entry)
        return True

    def _remove(self, parent: int, name: bytes) -> None:
        self._root.remove(parent, name)
        if self._recording is not None:
            self._recording.replaced = True

    def _link(self, entry: Entry, path: tuple[bytes, ...], found: int | None) -> None:
        target = components(entry.link)
        if target == path:
            return
        if not target:
            raise BadArchive(f"layer links to its root: {shown(entry.name)}")
        # Modes and owners of the entry are not applied: they would change the target's.
        source = self._root.open_parent(target)
        try:
            if found is not None:
                self._remove(self._root.parent(path), path[-1])
            os.link(
                target[-1], path[-1], src_dir_fd=source, dst_dir_fd=self._root.parent(path), follow_symlinks=False
            )
        except FileNotFoundError as error:
            raise BadArchive(f"layer links to what it does not have: {shown(entry.link)}") from error
        except PermissionError as error:
            raise BadArchive(f"layer links to a directory: {shown(entry.link)}") from error
        finally:
            os.close(source)

    def _node(self, entry: Entry, parent: int, name: bytes) -> None:
        kind = {Kind.CHARACTER: stat.S_IFCHR, Kind.BLOCK_DEVICE: stat.S_IFBLK, Kind.FIFO: stat.S_IFIFO}[entry.kind]
        if entry.major >= 1 << 12 or entry.minor >= 1 << 20:  # what the kernel's dev_t holds
            raise BadArchive(f"layer has a device number out of range: {shown(entry.name)}")
        os.mknod(name, kind | entry.mode, os.makedev(entry.major, entry.minor), dir_fd=parent)
        self._own(entry, parent, name)

    def _own(self, entry: Entry, parent: int, name: bytes) -> None:
        """Owner and time of what cannot be opened; umask is 0, so the mode is right already."""
        os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _dress(self, fd: int, entry: Entry, *, opaque: bool = False) -> None:
        """Everything but the contents; closes `fd`. chown(2) clears set-id bits and capabilities: it is first."""
        try:
            if max(entry.uid, entry.gid) >= _ID_LIMIT:
                raise BadArchive(f"layer has an owner out of range: {shown(entry.name)}")
            # umask is 0, so a new file has its mode already, and it is ours unless its folder passes a group on.
            as_made = entry.kind is Kind.FILE and not entry.mode & 0o7000
            if not as_made or self._groups_pass_on or (entry.uid, entry.gid) != self._ours:
                os.fchown(fd, entry.uid, entry.gid)
                os.fchmod(fd, entry.mode)
            self._groups_pass_on |= entry.kind is Kind.DIRECTORY and bool(entry.mode & stat.S_ISGID)
            if opaque:
                os.setxattr(fd, _OVERLAY_OPAQUE, b"y")
            for name, value in entry.xattrs.items():
                _set_xattr(fd, name, value)
            if entry.kind is Kind.FILE:
                os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _set_directory_time(self, path: tuple[bytes, ...], mtime: int) -> None:
        try:
            fd = self._root.fd_for_reading(path)
        except OSError:
            return  # a later entry has replaced it
        try:
            os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)


def keeps_xattr(name: str) -> bool:
    """Whether an image may set this extended attribute: never what overlayfs would take for its own."""
    if name == "security.capability":
        return True
    return name.startswith("user.") and not name.startswith("user.overlay.")


def _set_xattr(fd: int, name: str, value: bytes) -> None:
    if not keeps_xattr(name):
        return
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return  # the file system keeps none; the files are still right
        raise
