"""Mounts by descriptor: made or cloned detached, changed while nobody sees them, then attached to a descriptor.

No path of a container is ever resolved here; `core.runtime.rootfs` does that. fsopen(2), open_tree(2),
mount_setattr(2), move_mount(2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from core.linux import constants as k
from core.linux import syscalls


@dataclass(frozen=True, slots=True)
class MountOp:
    """A file system to be made: `options` are its own (None = a flag), `attributes` MOUNT_ATTR_ bits."""

    fstype: str
    source: str = ""
    options: tuple[tuple[str, str | None], ...] = ()
    attributes: int = 0


def new(op: MountOp) -> int:
    """A detached mount of a new file system. ENODEV: the kernel lacks it; EINVAL: an option is wrong."""
    context = syscalls.fsopen(op.fstype, k.FSOPEN_CLOEXEC)
    try:
        if op.source:
            syscalls.fsconfig(context, k.FSCONFIG_SET_STRING, "source", op.source)
        for key, value in op.options:
            command = k.FSCONFIG_SET_FLAG if value is None else k.FSCONFIG_SET_STRING
            syscalls.fsconfig(context, command, key, value)
        syscalls.fsconfig(context, k.FSCONFIG_CMD_CREATE, None, None)
        return syscalls.fsmount(context, k.FSMOUNT_CLOEXEC, op.attributes)
    finally:
        os.close(context)


def clone(dir_fd: int, path: str, *, recursive: bool = False) -> int:
    """A detached copy of what is at `path` ("" = at `dir_fd` itself), with `recursive` of all mounts below too."""
    flags = k.OPEN_TREE_CLONE | k.OPEN_TREE_CLOEXEC | (k.AT_RECURSIVE if recursive else 0)
    return syscalls.open_tree(dir_fd, path, flags | (0 if path else k.AT_EMPTY_PATH))


def change(fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """Change attributes and propagation (one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE) of a mount."""
    if set_ & k.MOUNT_ATTR__ATIME:
        clear |= k.MOUNT_ATTR__ATIME  # the kernel takes a new atime rule only with the old one cleared
    flags = k.AT_EMPTY_PATH | (k.AT_RECURSIVE if recursive else 0)
    syscalls.mount_setattr(fd, "", flags, set_=set_, clear=clear, propagation=propagation)


def attach(fd: int, target_fd: int) -> None:
    """Attach a detached mount over `target_fd`; `fd` stays a descriptor of its root."""
    syscalls.move_mount(fd, "", target_fd, "", k.MOVE_MOUNT_F_EMPTY_PATH | k.MOVE_MOUNT_T_EMPTY_PATH)


def mount_overlay(
    lower: Sequence[str], upper: str | None, work: str | None, target: str, *, volatile: bool = False
) -> None:
    """Mount layers (top first) at `target`; without `upper` read-only. overlayfs(5); up to 127 layers.

    `volatile` = nothing is synced, not even by the unmount, which else writes out the whole disk: for what is void
    after a crash. A single directory needs no overlay, and the kernel refuses one. Raises OSError.
    """
    if len(lower) + (upper is not None) == 1:
        _mount_directory(upper or lower[0], target, readonly=upper is None)
        return
    # Relative to their common folder: an option is at most 255 bytes (fsconfig), or all are one page (mount).
    layers = [*lower, *([upper, work] if upper and work else [])]
    home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    folder = os.path.commonpath(layers)
    try:
        os.chdir(folder)
        short = [os.path.relpath(path, folder) for path in layers]
        _overlay(short[: len(lower)], short[len(lower) :], target, volatile=volatile)
    finally:
        os.fchdir(home)
        os.close(home)


def _mount_directory(source: str, target: str, *, readonly: bool) -> None:
    fd = clone(k.AT_FDCWD, source)
    try:
        change(fd, set_=k.MOUNT_ATTR_RDONLY if readonly else 0, propagation=k.MS_PRIVATE)
        _attach_at(fd, target)
    finally:
        os.close(fd)


def _attach_at(fd: int, target: str) -> None:
    target_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attach(fd, target_fd)
    finally:
        os.close(target_fd)


# No index: it ties an upper to its lower, and both are re-used. No metacopy: xattrs of an image could redirect it.
_OVERLAY_OPTIONS = (("index", "off"), ("metacopy", "off"))


def takes_single_layers(release: str) -> bool:
    """Whether overlayfs of a kernel (uname -r) takes layers one by one: since 6.8; older ones complain aloud."""
    numbers = release.split("-")[0].split(".")
    try:
        return (int(numbers[0]), int(numbers[1])) >= (6, 8)
    except (ValueError, IndexError):
        return False


def _overlay(lower: list[str], writable: list[str], target: str, *, volatile: bool) -> None:
    if not takes_single_layers(os.uname().release):
        _overlay_by_string(lower, writable, target)
        return
    options: list[tuple[str, str | None]] = [("lowerdir+", path) for path in lower]
    options += zip(("upperdir", "workdir"), writable, strict=False)
    options += _OVERLAY_OPTIONS
    if volatile and writable:
        _allow_again(writable[1])
        options.append(("volatile", None))
    attributes = 0 if writable else k.MOUNT_ATTR_RDONLY
    fd = new(MountOp("overlay", "overlay", tuple(options), attributes))
    try:
        _attach_at(fd, target)
    finally:
        os.close(fd)


def _allow_again(work: str) -> None:
    """Take away the mark by which the kernel knows that `work` was volatile: this system has not crashed since."""
    mark = f"{work}/work/incompat/volatile"
    try:
        os.unlink(f"{mark}/dirty")
        os.rmdir(mark)
        os.rmdir(os.path.dirname(mark))
    except OSError:
        pass  # it was not, and else the kernel says no


def _overlay_by_string(lower: list[str], writable: list[str], target: str) -> None:
    named = [("lowerdir", ":".join(lower)), *zip(("upperdir", "workdir"), writable, strict=False)]
    data = ",".join(f"{key}={value}" for key, value in [*named, *_OVERLAY_OPTIONS])
    syscalls.mount("overlay", target, "overlay", 0 if writable else k.MS_RDONLY, data)
