"""COPY and ADD: files of a hostile tree into a hostile root. docs.docker.com/reference/dockerfile, "COPY".

A careful reader turns the sources into a tar in which every name is where it is to be, and a careful writer unpacks
it into the root, resolved by the kernel inside that root. Nothing is synced: what is made is no layer yet. Runs in
a child of the zygote that has a mount namespace of its own. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from core.dockerfile.ignore import Ignore, ignore_of
from core.errors import BadArchive, InvalidArgument, SyscallFailed, Unsupported
from core.linux.constants import (
    CLONE_NEWNS,
    MS_PRIVATE,
    MS_REC,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
)
from core.linux.mounts import mount_overlay
from core.linux.syscalls import mount, openat2, unshare
from core.storage.apply import Layer, enter
from core.storage.compression import get_ready, stream_of
from core.storage.roots import Root, inside
from core.storage.sources import Owner, Source, find, open_tree_of, parents
from core.storage.tarball import TarReader
from core.storage.tarwrite import END, Member
from core.storage.walk import TreeWriter

_LINKS = 40  # path_resolution(7)
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


def run_place(args: dict[str, Any], fds: list[int], owner: Owner) -> dict[str, Any]:
    """The zygote's job `place`: `sources` of a tree (`tree`, or the directory `fds[0]`) into `rootfs` at `target`.

    `folder` = the target is a directory whatever is there; `chown`, `chmod` (octal) "" = root, as they are;
    `owners` = files keep theirs; `parents` = sources keep the directories above them; `exclude` = patterns;
    `unpack` = a source that is an archive is unpacked. Answers `{"size"}`, bytes of files.
    Raises NoSuchPath, InvalidArgument, BadArchive, SyscallFailed.
    """
    try:
        root_fd = _open_root(args["rootfs"])  # before the tree's mount covers what this one is made of
        tree = open_tree_of({"rootfs": args.get("tree")}, fds)
        uid, gid = owner(root_fd, str(args["chown"])) if args.get("chown") else (0, 0)
        mode = int(str(args["chmod"]), 8) if args.get("chmod") else None
        exclude = ignore_of([str(item) for item in args.get("exclude") or ()])
        copier = Copier(
            root_fd,
            tree,
            uid,
            gid,
            mode,
            exclude,
            keeps_owners=bool(args.get("owners")),
            parents=bool(args.get("parents")),
        )
        sources = find(tree, [str(source) for source in args["sources"]], deep=bool(args.get("parents")))
        size = copier.copy(
            sources, inside(str(args["target"])), folder=bool(args.get("folder")), unpack=bool(args.get("unpack"))
        )
        return {"size": size}
    except OSError as error:
        raise SyscallFailed.of(f"copy to {args['target']}", error) from error


def run_make_folder(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `make-folder`: `path` in `rootfs` with all above it, where it is missing. WORKDIR."""
    try:
        root_fd = _open_root(args["rootfs"])
        os.umask(0)
        with Root(root_fd) as root:
            path = _resolved(root_fd, inside(str(args["path"])))
            kind = _kind(root_fd, path)
            if kind is not None and not stat.S_ISDIR(kind):
                raise InvalidArgument(f"cannot mkdir: {args['path']} is not a directory")
            _make_folders(root, path, 0, 0)
    except OSError as error:
        raise SyscallFailed.of(f"make {args['path']}", error) from error
    return {"ok": True}


def run_remove_stubs(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `remove-stubs`: take away from `rootfs` what a mount on each of `paths` has left.

    That is an empty file or directory that the layers below do not have, and the empty directories made for it.
    """
    rootfs = args["rootfs"]
    try:
        upper = os.open(str(rootfs["upper"]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        lower = open_tree_of({"rootfs": {"lower": rootfs["lower"]}}, ())
        for path in (inside(str(path)) for path in args["paths"]):
            while path and _kind(lower, path) is None and _removed(upper, path):
                path = path[:-1]
    except OSError as error:
        raise SyscallFailed.of("remove mount points", error) from error
    return {"ok": True}


def _removed(root: int, path: tuple[bytes, ...]) -> bool:
    """Remove an empty file or directory; whether it was one."""
    resolve = _RESOLVE | RESOLVE_NO_SYMLINKS
    try:
        folder = openat2(root, os.fsdecode(b"/".join(path[:-1])) or ".", os.O_PATH | os.O_DIRECTORY, 0, resolve)
    except OSError:
        return False
    try:
        found = os.stat(path[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            os.rmdir(path[-1], dir_fd=folder)
        elif stat.S_ISREG(found.st_mode) and not found.st_size:
            os.unlink(path[-1], dir_fd=folder)
        else:
            return False
    except OSError:  # it holds something, or is not there
        return False
    finally:
        os.close(folder)
    return True


def run_unpack(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `unpack`: the archive `fds[0]`, compressed or not, into the empty directory `fds[1]`.

    A build context: no name is a whiteout. `limit_bytes` bounds it unpacked. Raises BadArchive, SyscallFailed.
    """
    archive, target = fds
    get_ready(archive)
    enter(target)
    try:
        with Root(target) as root:
            limit = args.get("limit_bytes")
            stream = stream_of(archive, limit=None if limit is None else int(limit))
            return {"size": Layer(root, TarReader(stream), whiteouts=False).unpack()}
    except OSError as error:
        raise SyscallFailed.of("unpack build context", error) from error


@dataclass(frozen=True, slots=True)
class Copier:
    """Copies from `tree` to `root`, both descriptors; `mode` None = as it is."""

    root: int
    tree: int
    uid: int
    gid: int
    mode: int | None
    exclude: Ignore
    keeps_owners: bool = False
    parents: bool = False

    def copy(self, sources: Sequence[Source], target: tuple[bytes, ...], *, folder: bool, unpack: bool) -> int:
        """Bytes of files. Raises InvalidArgument where the target cannot hold the sources, OSError."""
        archives = [source for source in sources if unpack and self._is_archive(source)]
        plain = [source for source in sources if source not in archives]
        target = _resolved(self.root, target)
        kind = _kind(self.root, target)
        is_folder = kind is not None and stat.S_ISDIR(kind)
        wants_folder = folder or bool(archives) or any(source.is_directory for source in plain)
        if kind is not None and not is_folder and wants_folder:
            raise InvalidArgument(f"cannot copy to non-directory: /{os.fsdecode(b'/'.join(target))}")
        as_folder = is_folder or wants_folder or self.parents
        os.umask(0)
        with Root(self.root) as root:
            _make_folders(root, target if as_folder else target[:-1], self.uid, self.gid)
            for source in sources if self.parents else ():
                self._make_parents(root, target, source)
            size = self._plain(root, plain, target, as_folder=as_folder) if plain else 0
            for archive in archives:
                size += self._unpacked(root, target, archive)
        return size

    def _make_parents(self, root: Root, target: tuple[bytes, ...], source: Source) -> None:
        """The directories above it, as they are in its tree; those that are there already stay as they are."""
        for name, mode in parents(self.tree, source):
            path = (*target, *name.split(b"/"))
            if _kind(root.fd, path) is None:
                _make_folders(root, path, self.uid, self.gid)
                fd = root.fd_for_reading(path)
                try:
                    os.fchmod(fd, stat.S_IMODE(mode) if self.mode is None else self.mode)
                finally:
                    os.close(fd)

    def _plain(self, root: Root, sources: Sequence[Source], target: tuple[bytes, ...], *, as_folder: bool) -> int:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._feed(sources, b"/".join(target), writer, as_folder=as_folder)
        os.close(writer)
        try:
            size = Layer(root, TarReader(stream_of(reader)), whiteouts=False).unpack()
        finally:
            os.close(reader)
            _, status = os.waitpid(child, 0)
        if status:
            raise OSError(errno.EIO, "cannot read the files to copy")
        return size

    def _feed(self, sources: Sequence[Source], target: bytes, output: int, *, as_folder: bool) -> NoReturn:
        """In a child: the sources as a tar in which every name is the one it is to have in the root."""
        status = 1
        try:
            for source in sources:
                base = target if source.is_directory or not as_folder else _below(target, source.name)
                if self.parents:
                    base = _below(target, source.kept) if source.kept else target
                shown = len(base) + 1 if base else 0
                writer = TreeWriter(
                    self.tree,
                    lambda data: _write_all(output, data),
                    keep=lambda name, start=shown: not self._ignored(name[start:]),  # type: ignore[misc]
                    dress=self._dress,
                )
                if source.is_directory:
                    writer.tree(source.path, base, itself=False)
                elif not self.exclude.ignores(os.fsdecode(source.name)):
                    writer.file(source.path, base)
            _write_all(output, END)
            status = 0
        finally:
            os._exit(status)

    def _ignored(self, name: bytes) -> bool:
        path = os.fsdecode(name)
        return bool(path) and self.exclude.ignores(path) and not self.exclude.may_hold(path)

    def _dress(self, member: Member) -> Member:
        keeps_mode = self.mode is None or stat.S_ISLNK(member.mode)
        mode = member.mode if keeps_mode else stat.S_IFMT(member.mode) | (self.mode or 0)
        if self.keeps_owners:
            return replace(member, mode=mode)
        return replace(member, uid=self.uid, gid=self.gid, mode=mode)

    def _is_archive(self, source: Source) -> bool:
        """Docker's rule: what a tar reader understands, compressed or not. Its name does not matter."""
        if source.is_directory:
            return False
        fd = self._open(source)
        try:
            stream = stream_of(fd)
            return next(iter(TarReader(stream)), None) is not None
        except (BadArchive, Unsupported):
            return False
        finally:
            os.close(fd)

    def _open(self, source: Source) -> int:
        fd = openat2(self.tree, os.fsdecode(source.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, _RESOLVE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InvalidArgument(f"{os.fsdecode(source.path)} is not a regular file")
        return fd

    def _unpacked(self, root: Root, target: tuple[bytes, ...], source: Source) -> int:
        """ADD of an archive: into the target as a root of its own, so that no link of it leads further out."""
        archive, folder = self._open(source), root.fd_for_reading(target)
        try:
            with Root(folder) as inner:
                return Layer(inner, TarReader(stream_of(archive)), whiteouts=False).unpack()
        finally:
            os.close(folder)
            os.close(archive)


def _below(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _open_root(rootfs: dict[str, Any]) -> int:
    """The active snapshot, writable, mounted where nobody else sees it: over its own folder."""
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    home = os.path.dirname(str(rootfs["upper"]))
    lower = [str(path) for path in rootfs["lower"]]
    mount_overlay(lower, str(rootfs["upper"]), str(rootfs["work"]), home, volatile=True)
    return os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _kind(root: int, parts: Sequence[bytes]) -> int | None:
    try:
        fd = openat2(root, os.fsdecode(b"/".join(parts)) or ".", os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return os.fstat(fd).st_mode
    finally:
        os.close(fd)


def _resolved(root: int, path: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """`path` with the links on its way replaced by what they say, whether that is there or not: it can be made.

    Only names are worked out here; the kernel opens every descriptor inside the root. Raises OSError (ELOOP).
    """
    done: tuple[bytes, ...] = ()
    left, links = list(path), 0
    while left:
        part = left.pop(0)
        link = _link(root, (*done, part))
        if link is None:
            done = (*done, part)
            continue
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        left[:0] = inside(os.fsdecode(link if link.startswith(b"/") else b"/".join((*done, link))))
        done = ()
    return done


def _link(root: int, path: tuple[bytes, ...]) -> bytes | None:
    """What the link at `path` says; None where there is no link."""
    try:
        fd = openat2(root, os.fsdecode(b"/".join(path)), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE)
    except OSError:
        return None
    try:
        return os.readlink(b"", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def _make_folders(root: Root, path: tuple[bytes, ...], uid: int, gid: int) -> None:
    """Make what is missing of `path`, 0755, owned like what is copied. Raises OSError."""
    for depth in range(1, len(path) + 1):
        if _kind(root.fd, path[:depth]) is not None:
            continue
        root.make_directories(path[:depth])
        if uid or gid:
            fd = root.fd_for_reading(path[:depth])
            try:
                os.fchown(fd, uid, gid)
            finally:
                os.close(fd)
