"""What COPY and ADD name: paths and patterns in a hostile tree, found and hashed. Read by descriptors only.

docs.docker.com/reference/dockerfile, "COPY"; patterns are Go's filepath.Match, part by part. Links are followed by
the kernel inside the tree and nowhere else. Runs in a child of the zygote. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from core.dockerfile.ignore import Ignore, compile_part, ignore_of
from core.errors import InvalidArgument, NoSuchPath, SyscallFailed
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS
from core.linux.syscalls import openat2
from core.storage.copy import open_rootfs
from core.storage.roots import inside

FOUND_LIMIT = 100_000  # sources of one instruction
ENTRY_LIMIT = 2_000_000
_CHUNK = 1 << 18
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WILD = frozenset(b"*?[")


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to copy: `path` inside the tree (b"." = all of it). Of a directory the contents are meant."""

    path: bytes
    is_directory: bool
    pivot: int = 0  # parts of the path before a `/./`, which --parents leaves out

    @property
    def kept(self) -> bytes:
        """What --parents keeps of its path; b"" = nothing."""
        return b"/".join(self.path.split(b"/")[self.pivot :]) if self.path != b"." else b""

    @property
    def name(self) -> bytes:
        """Its last name."""
        return self.path.rpartition(b"/")[2]


def run_look(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `look-at-sources`: what `sources` of a tree are, and digests of all they hold.

    The tree is `rootfs`, or the directory `fds[1]`. Writes to `fds[0]`, an entry each: digest in hex, a space, path
    from the source on, a NUL. `exclude` = patterns; `owners` = digests are of owners, too; `parents` =
    paths are whole, with those of the directories above. Answers
    `{"count", "directory"}`: of sources, and whether the last is one.
    Raises NoSuchPath, InvalidArgument, SyscallFailed.
    """
    output, *given = fds
    try:
        root = open_tree_of(args, given)
        found = find(root, [str(source) for source in args["sources"]], deep=bool(args.get("parents")))
        exclude = ignore_of([str(pattern) for pattern in args.get("exclude") or ()])
        with open(output, "wb", closefd=False) as file:
            for source in found:
                above = source.kept if source.is_directory else source.kept.rpartition(b"/")[0]
                prefix = above + b"/" if args.get("parents") and above else b""
                for name, mode in parents(root, source) if args.get("parents") else ():
                    file.write(hashlib.sha256(b"%o" % mode).hexdigest().encode() + b" " + name + b"\0")
                for name, digest in hashes(root, source, exclude, owners=bool(args.get("owners"))):
                    file.write(digest.encode() + b" " + prefix + name + b"\0")
    except OSError as error:
        raise SyscallFailed.of("read build context", error) from error
    return {"count": len(found), "directory": bool(found) and found[-1].is_directory}


def open_tree_of(args: dict[str, Any], given: Sequence[int]) -> int:
    """The tree a job is to read: `rootfs` of a snapshot, else the directory that came along."""
    return open_rootfs(args["rootfs"], with_mounts=False) if args.get("rootfs") else given[0]


def find(root: int, patterns: Sequence[str], *, deep: bool = False) -> list[Source]:
    """What `patterns` name, those of one pattern in order. Raises NoSuchPath where one names nothing.

    `deep` = `**` stands for any number of directories, as it does with `--parents`.
    """
    found: list[Source] = []
    for pattern in patterns:
        parts = inside(pattern)
        wild = any(_WILD & set(part) for part in parts)
        matches = list(islice(_expand(root, (), parts, deep), FOUND_LIMIT + 1)) if wild else [parts]
        if wild and not matches:
            raise NoSuchPath(f"no source files were specified: {pattern} matches nothing")
        before, dot, _ = pattern.partition("/./")
        pivot = len(inside(before)) if dot else 0
        found += [replace(_source(root, match, pattern), pivot=pivot) for match in matches]
        if len(found) > FOUND_LIMIT:
            raise InvalidArgument(f"{pattern} names more than {FOUND_LIMIT} files")
    return found


def _expand(
    root: int, done: tuple[bytes, ...], parts: tuple[bytes, ...], deep: bool
) -> Iterator[tuple[bytes, ...]]:
    """The paths that `parts` match below `done`."""
    if not parts:
        yield done
        return
    part, rest = parts[0], parts[1:]
    if not _WILD & set(part):
        if _kind(root, (*done, part)) is not None:
            yield from _expand(root, (*done, part), rest, deep)
        return
    any_depth = deep and part == b"**" and bool(rest)
    if any_depth:
        yield from _expand(root, done, rest, deep)
    expression = compile_part(os.fsdecode(part))
    try:
        folder = openat2(root, _joined(done), _DIRECTORY, 0, _RESOLVE)
    except OSError:
        return
    try:
        names = sorted(os.fsencode(name) for name in os.listdir(folder))
        if any_depth:  # a link to a directory could lead in circles
            names = [
                name for name in names if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            ]
    finally:
        os.close(folder)
    for name in names:
        if any_depth:
            yield from _expand(root, (*done, name), parts, deep)
        elif expression.fullmatch(os.fsdecode(name)):
            yield from _expand(root, (*done, name), rest, deep)


def _source(root: int, parts: tuple[bytes, ...], shown: str) -> Source:
    kind = _kind(root, parts)
    if kind is None:
        raise NoSuchPath(
            "file not found in build context or excluded by .dockerignore: "
            f"stat {os.fsdecode(b'/'.join(parts))}: file does not exist"
        )
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
        raise InvalidArgument(f"{shown} is neither a file nor a directory")
    return Source(b"/".join(parts) or b".", stat.S_ISDIR(kind))


def parents(root: int, source: Source) -> Iterator[tuple[bytes, int]]:
    """Of the directories that --parents keeps above a source, and of itself if it is one: name and st_mode."""
    parts = source.path.split(b"/")
    for depth in range(source.pivot + 1, len(parts) + source.is_directory):
        mode = _kind(root, tuple(parts[:depth])) if source.kept else None
        if mode is not None:
            yield b"/".join(parts[source.pivot : depth]), mode


def _kind(root: int, parts: tuple[bytes, ...]) -> int | None:
    """st_mode of what a path leads to, a link that leads nowhere standing for itself; None for nothing."""
    for follow in (0, os.O_NOFOLLOW):
        try:
            fd = openat2(root, _joined(parts), os.O_PATH | follow | os.O_CLOEXEC, 0, _RESOLVE)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            continue
        try:
            return os.fstat(fd).st_mode
        finally:
            os.close(fd)
    return None


def hashes(root: int, source: Source, exclude: Ignore, *, owners: bool = False) -> Iterator[tuple[bytes, str]]:
    """Every entry of a source and its digest: kind, mode, link, extended attributes and contents; never times.

    Of owners where they are asked for. A parent comes before what it holds, in the order of names.
    """
    if not source.is_directory:
        if not exclude.ignores(os.fsdecode(source.name)):
            folder = openat2(root, _joined(tuple(source.path.split(b"/")[:-1])), _DIRECTORY, 0, _RESOLVE)
            try:
                yield source.name, _digest_through(root, folder, source, owners)
            finally:
                os.close(folder)
        return
    count = 0
    waiting = [(source.path, b"")]
    while waiting:
        path, shown = waiting.pop()
        folder = openat2(root, os.fsdecode(path), _DIRECTORY, 0, _RESOLVE)
        try:
            below = []
            for leaf in sorted(os.fsencode(child) for child in os.listdir(folder)):
                count += 1
                if count > ENTRY_LIMIT:
                    raise InvalidArgument(f"source holds more than {ENTRY_LIMIT} files")
                name = shown + b"/" + leaf if shown else leaf
                found = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
                is_directory = stat.S_ISDIR(found.st_mode)
                ignored = exclude.ignores(os.fsdecode(name))
                if not ignored:
                    yield name, _digest(folder, leaf, found, owners)
                if is_directory and (not ignored or exclude.may_hold(os.fsdecode(name))):
                    below.append((path + b"/" + leaf, name))
            waiting += reversed(below)
        finally:
            os.close(folder)


def _digest_through(root: int, folder: int, source: Source, owners: bool) -> str:
    """Of a file that may be named by a link: what is copied is what the link leads to."""
    try:
        fd = openat2(root, os.fsdecode(source.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, _RESOLVE)
    except OSError:
        return _digest(folder, source.name, os.stat(source.name, dir_fd=folder, follow_symlinks=False), owners)
    try:
        return _of_file(fd, os.fstat(fd), owners)
    finally:
        os.close(fd)


def _digest(folder: int, leaf: bytes, found: os.stat_result, owners: bool) -> str:
    if stat.S_ISREG(found.st_mode):
        fd = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            return _of_file(fd, os.fstat(fd), owners)
        finally:
            os.close(fd)
    sha = hashlib.sha256(b"%o\0" % found.st_mode + _owner(found, owners))
    if stat.S_ISLNK(found.st_mode):
        sha.update(os.readlink(leaf, dir_fd=folder))
    elif not stat.S_ISDIR(found.st_mode):
        sha.update(b"%d" % found.st_rdev)
    return sha.hexdigest()


def _of_file(fd: int, found: os.stat_result, owners: bool) -> str:
    sha = hashlib.sha256(b"%o\0%d\0" % (found.st_mode, found.st_size) + _owner(found, owners))
    for name in ("security.capability",):
        try:
            sha.update(os.getxattr(fd, name))
        except OSError:
            pass  # it has none
    while piece := os.read(fd, _CHUNK):
        sha.update(piece)
    return sha.hexdigest()


def _owner(found: os.stat_result, asked: bool) -> bytes:
    return b"%d:%d\0" % (found.st_uid, found.st_gid) if asked else b""


def _joined(parts: Sequence[bytes]) -> str:
    return os.fsdecode(b"/".join(parts)) or "."


Owner = Callable[[int, str], tuple[int, int]]  # a root's descriptor and `user[:group]` -> uid, gid
