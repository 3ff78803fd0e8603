"""Out of a container's root file system: as a tar (`export`, `cp`), or into an empty volume.

Runs in a child of the zygote with a mount namespace of its own, which takes its mounts along when it ends.
A stopped container's upper directory is stacked read-only as one more lower one, so that nothing of it is
touched; a running one's is never mounted a second time: its files are reached through its first process.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NoReturn

from core.errors import NoSuchPath, SyscallFailed
from core.linux.constants import (
    AT_FDCWD,
    CLONE_NEWNS,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
)
from core.linux.syscalls import mount, open_tree, openat2, setns, syncfs, unshare
from core.storage.apply import Layer
from core.storage.compression import stream_of
from core.storage.roots import Root, inside
from core.storage.tarball import TarReader
from core.storage.tarwrite import END, Member, header
from core.storage.walk import TreeWriter

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS

# What Docker puts into every container's root before it starts (daemon/initlayer); an export shows it.
_PLACES = (
    (b".dockerenv", stat.S_IFREG | 0o755, b""),
    (b"dev", stat.S_IFDIR | 0o755, b""),
    (b"dev/console", stat.S_IFREG | 0o755, b""),
    (b"dev/pts", stat.S_IFDIR | 0o755, b""),
    (b"dev/shm", stat.S_IFDIR | 0o755, b""),
    (b"etc", stat.S_IFDIR | 0o755, b""),
    (b"etc/hostname", stat.S_IFREG | 0o755, b""),
    (b"etc/hosts", stat.S_IFREG | 0o755, b""),
    (b"etc/mtab", stat.S_IFLNK | 0o777, b"/proc/mounts"),
    (b"etc/resolv.conf", stat.S_IFREG | 0o755, b""),
    (b"proc", stat.S_IFDIR | 0o755, b""),
    (b"sys", stat.S_IFDIR | 0o755, b""),
)


def run_copy_out(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `copy-out`: `rootfs`, `path`, `flat`; a descriptor to write the tar to.

    `flat` = an export: the whole root without what is mounted in it, and what Docker adds. Otherwise `path`
    under its last name, as `cp` has it. Answers `{"size"}`, bytes written. Raises NoSuchPath, SyscallFailed.
    """
    (output,) = fds
    flat, path = bool(args.get("flat")), str(args.get("path") or "/")
    try:
        root = open_rootfs(args["rootfs"], with_mounts=not flat)
        writer = TreeWriter(root, lambda data: _write_all(output, data), cross_mounts=not flat)
        if flat:
            writer.tree(b".", b"")
            _add_places(writer, root)
        else:
            _named(writer, root, path)
        writer.emit(END)
    except OSError as error:
        raise SyscallFailed.of("copy out of container", error) from error
    return {"size": writer.size}


def run_prefill(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """The zygote's job `prefill`: what the root has at `path` goes into the empty directory `fds[0]`.

    Contents, owner and mode, as Docker does on a volume's first mount. Answers `{"copied"}`, bytes of files;
    0 where the volume has something already or the image nothing there. Raises SyscallFailed.
    """
    (target,) = fds
    try:
        if os.listdir(target):
            return {"copied": 0}
        root = open_rootfs(args["rootfs"], with_mounts=False)
        source = _open_directory(root, str(args["path"]))
        return {"copied": 0 if source is None else _copy_tree(source, target)}
    except OSError as error:
        raise SyscallFailed.of("fill volume", error) from error


def open_rootfs(rootfs: dict[str, Any], *, with_mounts: bool) -> int:
    """A descriptor of the root that `rootfs` (see `core.storage.overlay`, or `{"pid": N}`) describes.

    This process is in a mount namespace of its own, or the container's, afterwards. Raises OSError.
    """
    if "pid" in rootfs:
        return _open_running(int(rootfs["pid"]), with_mounts)
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    lower = [str(path) for path in rootfs["lower"]]
    if rootfs.get("upper"):
        lower.insert(0, str(rootfs["upper"]))
    if len(lower) == 1:  # an overlay of one directory is refused by the kernel, and needless
        return os.open(lower[0], _DIRECTORY)
    # Relative paths, because the options of a mount have to fit into one page.
    folder = os.path.commonpath(lower)
    os.chdir(folder)
    options = "lowerdir=" + ":".join(os.path.relpath(path, folder) for path in lower)
    mount("overlay", folder, "overlay", MS_RDONLY, options)
    return os.open(folder, _DIRECTORY)


def _open_running(pid: int, with_mounts: bool) -> int:
    if with_mounts:
        return os.open(f"/proc/{pid}/root", _DIRECTORY)
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    # setns makes the container's root ours; a clone of that one mount has nothing mounted inside it.
    setns(namespace, CLONE_NEWNS)
    os.close(namespace)
    return openat2(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), ".", _DIRECTORY, 0, 0)


def _named(writer: TreeWriter, root: int, path: str) -> None:
    parts = inside(path)
    if not parts:
        writer.tree(b".", b"")
        return
    try:
        writer.tree(b"/".join(parts), parts[-1])
    except FileNotFoundError as error:
        raise NoSuchPath(f"Could not find the file {path} in container") from error


def _add_places(writer: TreeWriter, root: int) -> None:
    for name, mode, link in _PLACES:
        try:
            os.close(openat2(root, os.fsdecode(name), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE))
        except FileNotFoundError:
            writer.emit(header(Member(name, mode, link=link)))
        except OSError:
            pass  # its folder is no directory in this image


def _open_directory(root: int, path: str) -> int | None:
    name = os.fsdecode(b"/".join(inside(path))) or "."
    try:
        return openat2(root, name, _DIRECTORY, 0, _RESOLVE)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _copy_tree(source: int, target: int) -> int:
    """Copy by a tar between two processes, so that one careful reader and one writer serve all of onggi."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _feed(source, write_end)
    os.close(write_end)
    try:
        os.umask(0)
        with Root(target) as root:
            stream = stream_of(read_end)
            copied = Layer(root, TarReader(stream), whiteouts=False).unpack()
            syncfs(root.fd)
    finally:
        os.close(read_end)
        _, status = os.waitpid(child, 0)
    if status:
        raise OSError(5, "cannot read the image's files")
    return copied


def _feed(source: int, output: int) -> NoReturn:
    status = 1
    try:
        writer = TreeWriter(source, lambda data: _write_all(output, data))
        writer.node(b".", b".")
        writer.tree(b".", b"")
        writer.emit(END)
        status = 0
    finally:
        os._exit(status)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
