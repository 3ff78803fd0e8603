"""`cp`: one path of a container's root file system, looked at, taken out as a tar, or filled from one.

Runs in a child of the zygote, in a mount namespace of its own: there the root of a running container is attached
once more, or a stopped one's layers are stacked, and its volumes are bound into it. What a container has mounted
itself is not seen, nor are /proc, /sys, /dev and tmpfs: as with Docker, there is nothing in them to copy.

Whatever the container does meanwhile, the kernel resolves every name inside its root, and no program, library or
file of it is ever used. moby daemon/archive.go, openat2(2). Stdlib and `core.linux` only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from core.errors import BadArchive, Forbidden, InvalidArgument, NoSuchPath, SyscallFailed
from core.linux import mounts
from core.linux.constants import (
    AT_FDCWD,
    CLONE_NEWNS,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    MS_REC,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
)
from core.linux.syscalls import mount, openat2, setns, unshare
from core.storage.apply import Layer
from core.storage.compression import stream_of
from core.storage.diff import limit_memory
from core.storage.roots import Root, inside
from core.storage.tarball import Entry, Kind, TarReader, components, shown
from core.storage.tarwrite import END, Member
from core.storage.walk import TreeWriter

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ITSELF = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 40  # that the kernel follows too
_TRIES = 100  # of a look-up that a rename has disturbed

Path = tuple[bytes, ...]
Owner = Callable[[int, str], tuple[int, int]]


def run_stat(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `stat-path`: what is at `path`, itself, unless it ends in a slash.

    Answers `{"name", "size", "mode", "mtime_ns", "link"}`; `link` = where a symbolic link leads in the end.
    Raises NoSuchPath, SyscallFailed.
    """
    path = str(args["path"])
    with _told(path):
        root = open_container(args)
        fd = _open(root, _meant(root, path), _ITSELF)
        found = os.fstat(fd)
        link = ""
        if stat.S_ISLNK(found.st_mode):
            link = "/" + os.fsdecode(b"/".join(follow(root, inside(path))))
        name = inside(path)[-1:] or (b"/",)
        return {
            "name": os.fsdecode(name[0]),
            "size": found.st_size,
            "mode": found.st_mode,
            "mtime_ns": found.st_mtime_ns,
            "link": link,
        }


def run_take(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `take-path`: `path` as a tar, under its last name, to the descriptor.

    Answers `{"size"}`, bytes written. Raises NoSuchPath, SyscallFailed.
    """
    path = str(args["path"])
    (output,) = fds
    with _told(path):
        root = open_container(args)
        limit_memory()
        writer = TreeWriter(root, lambda data: _write_all(output, data), cross_mounts=True, dress=_one_slash)
        writer.tree(os.fsencode(_meant(root, path)), _archive_name(path))
        writer.emit(END)
        return {"size": writer.size}


def run_put(args: dict[str, Any], fds: list[int], owner: Owner) -> dict[str, Any]:
    """The zygote's job `put-path`: unpack the tar that the descriptor reads into the directory `path`.

    `keep_kinds` = a directory is not replaced by something else, nor the reverse; `user` = whose everything is to
    be, "" = as the tar says. Answers `{"size"}`, bytes of files. Raises NoSuchPath, InvalidArgument, BadArchive,
    Forbidden, SyscallFailed.
    """
    path = str(args["path"])
    (tar,) = fds
    with _told(path):
        root_fd = open_container(args, writable=True)
        limit_memory()
        user = str(args.get("user") or "")
        owned = owner(root_fd, user) if user else None
        base = follow(root_fd, inside(path))
        try:
            os.close(_open(root_fd, os.fsdecode(b"/".join(base)) or ".", _DIRECTORY))
        except NotADirectoryError as error:
            raise InvalidArgument("extraction point is not a directory") from error
        os.umask(0)
        with Root(root_fd, cross_mounts=True) as root:
            stream = stream_of(tar, limit=args.get("limit"))
            reader = Arriving(TarReader(stream), root_fd, base, owned, keep_kinds=bool(args.get("keep_kinds")))
            return {"size": Layer(root, reader, whiteouts=False).unpack()}


def _archive_name(path: str) -> bytes:
    """What the tar calls it: Go's filepath.Base, by which Docker's client then renames it."""
    if path.endswith("/.") or path == ".":
        return b"."
    return (inside(path) or (b"/",))[-1]


def _one_slash(member: Member) -> Member:
    """`/bin` for the `//bin` that joining makes of the root."""
    if not member.name.startswith(b"//"):
        return member
    link = member.link[1:] if member.hard_link else member.link
    return replace(member, name=member.name[1:], link=link)


class Arriving:
    """A tar whose entries go below `base`; the directory itself stays as it is."""

    def __init__(
        self, reader: TarReader, root: int, base: Path, owner: tuple[int, int] | None, *, keep_kinds: bool
    ) -> None:
        self._reader = reader
        self._root = root
        self._base = base
        self._owner = owner
        self._keep_kinds = keep_kinds

    def __iter__(self) -> Iterator[Entry]:
        """The entries under their new names. Raises InvalidArgument where a kind would change."""
        for entry in self._reader:
            path = components(entry.name)
            if not path:
                continue
            if self._keep_kinds:
                self._check_kind(entry, (*self._base, *path))
            moved = replace(entry, name=self._below(path))
            if entry.kind is Kind.LINK:
                moved = replace(moved, link=self._below(components(entry.link)))
            if self._owner is not None:
                moved = replace(moved, uid=self._owner[0], gid=self._owner[1])
            yield moved

    def body(self) -> Iterator[bytes]:
        """The body of the entry that was given last."""
        return self._reader.body()

    def _below(self, path: Path) -> bytes:
        return b"/".join((*self._base, *path))

    def _check_kind(self, entry: Entry, path: Path) -> None:
        try:
            fd = _open(self._root, os.fsdecode(b"/".join(path)), _ITSELF)
        except OSError:
            return
        is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        os.close(fd)
        name = f'"/{shown(b"/".join(path))}"'
        base = f'"/{shown(b"/".join(self._base))}"'
        if is_directory and entry.kind is not Kind.DIRECTORY:
            raise InvalidArgument(f"cannot overwrite directory {name} with non-directory {base}")
        if not is_directory and entry.kind is Kind.DIRECTORY:
            raise InvalidArgument(f"cannot overwrite non-directory {name} with directory {base}")


def open_container(args: dict[str, Any], *, writable: bool = False) -> int:
    """A descriptor of the root of `rootfs`, with `mounts` (source, destination, readonly) in it.

    Of a running container (`pid`) it is the very mount that it runs on, without what it may have mounted there
    itself. Of a stopped one, it can be written to with `writable` only. Raises OSError.
    """
    rootfs = args["rootfs"]
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    folder = os.path.commonpath([*rootfs["lower"], rootfs["upper"]])
    if "pid" in rootfs:
        _attach_running(int(rootfs["pid"]), folder)
    elif writable:
        mounts.mount_overlay(rootfs["lower"], rootfs["upper"], rootfs["work"], folder)
    else:
        _attach_scratch(rootfs, folder)
    root = os.open(folder, _DIRECTORY)
    for volume in args.get("mounts") or ():
        _bind(root, volume)
    return root


def _attach_scratch(rootfs: dict[str, Any], folder: str) -> None:
    """Attach a stopped container's layers at `folder`; what is written, places for its volumes, is forgotten."""
    scratch = rootfs["work"]  # hidden by this mount for this process alone
    mount("tmpfs", scratch, "tmpfs", 0, "mode=700")
    for name in ("upper", "work"):
        os.mkdir(f"{scratch}/{name}", 0o755)
    found = os.stat(rootfs["upper"])
    os.chown(f"{scratch}/upper", found.st_uid, found.st_gid)
    os.chmod(f"{scratch}/upper", stat.S_IMODE(found.st_mode))
    lower = [rootfs["upper"], *rootfs["lower"]]
    mounts.mount_overlay(lower, f"{scratch}/upper", f"{scratch}/work", folder)


def _attach_running(pid: int, folder: str) -> None:
    """Attach a copy of a container's root mount at `folder` of this process's own mount namespace."""
    target = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    theirs = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    setns(theirs, CLONE_NEWNS)
    root = mounts.clone(AT_FDCWD, "/")
    setns(own, CLONE_NEWNS)
    mounts.change(root, propagation=MS_PRIVATE)
    mounts.attach(root, target)
    for fd in (target, own, theirs, root):
        os.close(fd)


def _bind(root: int, volume: dict[str, Any]) -> None:
    """Bind a volume to its place, which is made where it is missing, as a start makes it."""
    path = inside(str(volume["destination"]))
    source = mounts.clone(AT_FDCWD, str(volume["source"]), recursive=True)
    try:
        mounts.change(source, propagation=MS_PRIVATE, recursive=True)
        if volume.get("readonly"):
            mounts.change(source, set_=MOUNT_ATTR_RDONLY, recursive=True)
        target = _place(root, path, folder=stat.S_ISDIR(os.fstat(source).st_mode))
        try:
            mounts.attach(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _place(root: int, path: Path, *, folder: bool) -> int:
    name = os.fsdecode(b"/".join(path)) or "."
    try:
        return _open(root, name, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        with Root(root, cross_mounts=True) as tree:
            tree.make_directories(path if folder else path[:-1])
            if not folder:
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(path[-1], flags, 0o644, dir_fd=tree.parent(path)))
    return _open(root, name, os.O_PATH | os.O_CLOEXEC)


def follow(root: int, path: Path) -> Path:
    """Where `path` leads in the end, links followed inside the root; what does not exist is taken as it is.

    For showing and for naming only: whoever opens the result lets the kernel resolve it again.
    """
    waiting = list(reversed(path))
    found: list[bytes] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == b"..":
            del found[-1:]
            continue
        target = _link_at(root, (*found, part))
        if target is None:
            found.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith(b"/"):
            found.clear()
        waiting += [piece for piece in reversed(target.split(b"/")) if piece not in (b"", b".")]
    return tuple(found)


def _link_at(root: int, path: Path) -> bytes | None:
    try:
        fd = _open(root, os.fsdecode(b"/".join(path)), _ITSELF)
    except OSError:
        return None
    try:
        return os.readlink(b"", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _meant(root: int, path: str) -> str:
    """How to open what a user means: a path that ends in a slash or in `/.` is the folder that a link leads to."""
    parts = inside(path)
    if not path.endswith(("/", "/.")):
        return os.fsdecode(b"/".join(parts)) or "."
    return os.fsdecode(b"/".join((*follow(root, parts), b".")))


def _open(root: int, path: str, flags: int) -> int:
    """A name that is renamed all the time may make the kernel give up a look-up; it is to be asked again."""
    for _ in range(_TRIES):
        try:
            return openat2(root, path, flags, 0, _RESOLVE)
        except BlockingIOError:
            continue
    return openat2(root, path, flags, 0, _RESOLVE)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Raises errors of the kernel in words about `path`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchPath(f"Could not find the file {path} in container") from error
    except OSError as error:
        if error.errno == errno.EROFS:
            raise Forbidden("container rootfs is marked read-only") from error
        raise SyscallFailed.of(f"copy {path}", error) from error
    except MemoryError as error:
        raise BadArchive("archive needs more memory than one may") from error


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
