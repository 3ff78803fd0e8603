"""Layers of overlayfs laid into one directory, which is then what all of them together are: `build --squash`.

Files are linked, not copied. What a layer hides stays hidden: whiteouts and opaque directories are kept, because
something further below may be meant. kernel Documentation/filesystems/overlayfs.rst. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from core.errors import SyscallFailed
from core.linux.constants import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV
from core.linux.syscalls import openat2
from core.storage.copy import open_rootfs
from core.storage.tree import remove_tree
from core.storage.upper import OPAQUE, Lower, Upper, is_whiteout

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_OWN = "trusted.overlay."


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `flatten-layers`: the directories `layers`, bottom first, into the empty directory `fds[0]`.

    All on one file system. `lower` = those below, top first: what hides nothing of them goes. Raises SyscallFailed.
    """
    (target,) = fds
    try:
        for path in args["layers"]:
            layer = os.open(str(path), _DIRECTORY)
            try:
                _lay(layer, target)
            finally:
                os.close(layer)
        _tidy(target, Lower(open_rootfs({"lower": args["lower"]}, with_mounts=False)))  # it covers their paths
    except OSError as error:
        raise SyscallFailed.of("squash layers", error) from error
    return {"ok": True}


def _tidy(target: int, lower: Lower) -> None:
    """Whiteouts of what one of the layers had made, and not of anything below, say nothing."""
    for entry in Upper(target, lower).entries():
        if entry.below is None and is_whiteout(entry.found):
            os.unlink(entry.leaf, dir_fd=entry.folder)
        elif entry.below is None and entry.opaque:
            fd = _open(entry.folder, entry.leaf)
            try:
                os.removexattr(fd, OPAQUE)
            finally:
                os.close(fd)


def _lay(layer: int, target: int) -> None:
    """One layer on top of what is there. Directories get their times at the end: each child changes them."""
    waiting, times = [b""], list[tuple[bytes, tuple[int, int]]]()
    while waiting:
        path = waiting.pop()
        source, into = _open(layer, path), _open(target, path)
        try:
            found = os.fstat(source)
            _dress(source, into, found)
            times.append((path, (found.st_atime_ns, found.st_mtime_ns)))
            names = sorted(os.fsencode(entry) for entry in os.listdir(source))
            waiting += [path + b"/" + name if path else name for name in names if _lay_entry(source, into, name)]
        finally:
            os.close(source)
            os.close(into)
    for path, moments in reversed(times):
        fd = _open(target, path)
        try:
            os.utime(fd, ns=moments)
        finally:
            os.close(fd)


def _lay_entry(source: int, into: int, name: bytes) -> bool:
    """One thing of a layer; whether it is a directory to go into."""
    found = os.stat(name, dir_fd=source, follow_symlinks=False)
    there = _stat(into, name)
    if not stat.S_ISDIR(found.st_mode):
        if there is not None:
            remove_tree(into, os.fsdecode(name))
        if is_whiteout(found):
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=into)
        else:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=into, follow_symlinks=False)
        return False
    opaque = _is_opaque(source, name)
    if there is not None and (opaque or not stat.S_ISDIR(there.st_mode)):
        remove_tree(into, os.fsdecode(name))
        opaque = True  # what it has taken the place of has hidden what is further below
        there = None
    if there is None:
        os.mkdir(name, dir_fd=into)
    if opaque:
        fd = _open(into, name)
        try:
            os.setxattr(fd, OPAQUE, b"y")
        finally:
            os.close(fd)
    return True


def _dress(source: int, into: int, found: os.stat_result) -> None:
    """Owner, mode and attributes of a directory; overlayfs's own stay as they are."""
    os.fchown(into, found.st_uid, found.st_gid)
    os.fchmod(into, stat.S_IMODE(found.st_mode))
    wanted = {name: os.getxattr(source, name) for name in os.listxattr(source) if not name.startswith(_OWN)}
    for name in os.listxattr(into):
        if not name.startswith(_OWN) and name not in wanted:
            os.removexattr(into, name)
    for name, value in wanted.items():
        os.setxattr(into, name, value)


def _is_opaque(folder: int, name: bytes) -> bool:
    fd = _open(folder, name)
    try:
        return os.getxattr(fd, OPAQUE) == b"y"
    except OSError:
        return False
    finally:
        os.close(fd)


def _open(folder: int, path: bytes) -> int:
    return openat2(folder, os.fsdecode(path) or ".", _DIRECTORY, 0, _RESOLVE)


def _stat(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
