"""Init's steps that build the root file system. No decisions: see `plan`. Everything is done to descriptors."""

from __future__ import annotations

import errno
import os
import stat

from core.linux import constants as k
from core.linux import mounts, pty
from core.linux.syscalls import fstatfs_type, mount, openat2, pivot_root, umount2
from core.runtime import rootfs
from core.runtime import steps as do
from core.runtime.handshake import Init
from core.runtime.options import Attributes

_TYPES = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_ATTACHED = k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NOSUID | k.MOUNT_ATTR_NODEV | k.MOUNT_ATTR_NOEXEC


class Root:
    """The root file system in the making, and what the later steps need from it."""

    def __init__(self, path: str, channel: Init) -> None:
        self._path = path
        self._channel = channel
        self._proc_fd = -1
        self._null_fd = -1
        self.fd = -1
        self.console: int | None = None

    def open(self, step: do.OpenRoot) -> None:
        # Slave, not private: what the host unmounts must not stay pinned here.
        mount("", "/", "", k.MS_SLAVE | k.MS_REC)
        # A mount of its own over itself, as pivot_root(2) wants it.
        self.fd = mounts.clone(k.AT_FDCWD, self._path, recursive=True)
        mounts.change(self.fd, propagation=k.MS_PRIVATE, recursive=True)
        where = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounts.attach(self.fd, where)
        os.close(where)
        # A procfs that nothing is mounted over: what is written below it goes to the kernel (CVE-2025-52881).
        self._proc_fd = mounts.new(mounts.MountOp("proc", "proc"))
        self._null_fd = _open_null()

    def make_mount(self, step: do.MakeMount) -> None:
        op = mounts.MountOp(step.fstype, step.source, step.data, step.attributes.set)
        fd = mounts.new(op)
        try:
            _apply(fd, step.attributes)
            with _Closing(rootfs.target(self.fd, step.destination, folder=True, ordinary=step.ordinary)) as target:
                _refuse_proc(target, step.destination)
                mounts.attach(fd, target)
        finally:
            os.close(fd)

    def bind(self, step: do.BindMount) -> None:
        fd = mounts.clone(k.AT_FDCWD, step.source, recursive=step.recursive)
        try:
            _apply(fd, step.attributes)
            folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            with _Closing(rootfs.target(self.fd, step.destination, folder=folder)) as target:
                if not step.in_proc:
                    _refuse_proc(target, step.destination)
                mounts.attach(fd, target)
        finally:
            os.close(fd)

    def make_node(self, step: do.MakeNode) -> None:
        device = os.makedev(step.major, step.minor) if step.type != "p" else 0
        with rootfs.above(self.fd, step.path) as (folder, name):
            try:
                os.mknod(name, _TYPES[step.type] | step.mode, device, dir_fd=folder)
            except FileExistsError:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if (stat.S_IFMT(found.st_mode), found.st_rdev) != (_TYPES[step.type], device):
                    raise
                return
            if step.uid or step.gid:
                os.chown(name, step.uid, step.gid, dir_fd=folder, follow_symlinks=False)

    def make_link(self, step: do.MakeLink) -> None:
        with rootfs.above(self.fd, step.path) as (folder, name):
            try:
                os.symlink(step.target, name, dir_fd=folder)
            except FileExistsError:
                pass

    def make_folder(self, step: do.MakeFolder) -> None:
        os.close(rootfs.make_folder(self.fd, step.path))

    def open_console(self, step: do.OpenConsole) -> None:
        master, slave = pty.open_pty(self.fd)
        if step.height and step.width:
            pty.set_size(master, step.height, step.width)
        if step.utf8:
            pty.set_utf8(slave)
        os.fchown(slave, step.uid, -1)
        if step.show:
            self._show_console(slave)
        self._channel.console(master)
        os.close(master)
        self.console = slave

    def _show_console(self, slave: int) -> None:
        with rootfs.above(self.fd, "/dev/console") as (folder, name):
            flags = os.O_CREAT | os.O_NOFOLLOW | os.O_PATH | os.O_CLOEXEC
            try:
                os.mknod(name, stat.S_IFREG | 0o600, dir_fd=folder)
            except FileExistsError:
                pass
            target = os.open(name, flags & ~os.O_CREAT, dir_fd=folder)
            fd = mounts.clone(slave, "")
            mounts.attach(fd, target)
            os.close(fd)
            os.close(target)

    def protect(self, step: do.Protect) -> None:
        with _Closing(self._find(step.path)) as target:
            if target < 0:
                return
            fd = mounts.clone(target, "", recursive=True)
            mounts.change(fd, set_=_ATTACHED)
            mounts.attach(fd, target)
            os.close(fd)

    def mask(self, step: do.Mask) -> None:
        with _Closing(self._find(step.path)) as target:
            if target < 0:
                return
            if stat.S_ISDIR(os.fstat(target).st_mode):
                fd = mounts.new(mounts.MountOp("tmpfs", "tmpfs", (("ro", None),), k.MOUNT_ATTR_RDONLY))
            else:
                fd = mounts.clone(self._null_fd, "")
            mounts.attach(fd, target)
            os.close(fd)

    def _find(self, path: str) -> int:
        """A descriptor, or -1 where the kernel has no such file."""
        try:
            return rootfs.find(self.fd, path)
        except (FileNotFoundError, NotADirectoryError):
            return -1

    def seal(self, step: do.SealRoot) -> None:
        _apply(self.fd, step.attributes)

    def pivot(self, step: do.PivotRoot) -> None:
        # Onto itself, so that no folder for the old root is needed; it then lies on top and is let go.
        os.fchdir(self.fd)
        pivot_root(".", ".")
        umount2(".", k.MNT_DETACH)
        os.chdir("/")

    def set_sysctl(self, step: do.SetSysctl) -> None:
        resolve = k.RESOLVE_BENEATH | k.RESOLVE_NO_SYMLINKS | k.RESOLVE_NO_MAGICLINKS | k.RESOLVE_NO_XDEV
        fd = openat2(self._proc_fd, f"sys/{step.path}", os.O_WRONLY | os.O_CLOEXEC, 0, resolve)
        with _Closing(fd):
            os.write(fd, step.value.encode())

    def enter_folder(self, step: do.EnterFolder) -> None:
        # Through openat2 as well: a magic link such as /proc/self/fd/7 could lead out (CVE-2024-21626).
        with _Closing(rootfs.find(self.fd, step.path, flags=os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
            os.fchdir(fd)
        if not os.getcwd().startswith("/"):
            raise OSError(errno.EINVAL, "folder lies outside of the container", step.path)


def _open_null() -> int:
    """The host's null device. Masks are made of it, so it is checked to be that device (CVE-2025-31133)."""
    fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
        os.close(fd)
        raise OSError(errno.ENODEV, "is not the null device", "/dev/null")
    return fd


class _Closing:
    """A descriptor for the time of a `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *error: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def _apply(fd: int, attributes: Attributes) -> None:
    """Change a mount as its options say, those that hold for every mount below first."""
    if attributes.deep_set or attributes.deep_clear:
        mounts.change(fd, set_=attributes.deep_set, clear=attributes.deep_clear, recursive=True)
    if attributes.set or attributes.clear:
        mounts.change(fd, set_=attributes.set, clear=attributes.clear)
    if attributes.propagation:
        mounts.change(fd, propagation=attributes.propagation, recursive=attributes.deep_propagation)


def _refuse_proc(target: int, destination: str) -> None:
    """An image may lead a volume into /proc by a symbolic link (CVE-2019-16884)."""
    if fstatfs_type(target) == k.PROC_SUPER_MAGIC:
        raise OSError(errno.EPERM, "nothing may cover /proc", destination)
