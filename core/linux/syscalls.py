"""System calls that Python's os module lacks, bound once at import and named as in section 2 of the manual.

Every function raises OSError with the kernel's errno and, where there is one, the path as `filename`.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint, c_ulong, c_void_p
from typing import Any

# Calls without a wrapper in every libc: asm/unistd_64.h of x86, asm-generic/unistd.h of arm64.
OWN_NUMBERS = {
    "x86_64": {
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "capset": 126,
        "pivot_root": 155,
        "keyctl": 250,
        "seccomp": 317,
        "bpf": 321,
    },
    "aarch64": {
        "pivot_root": 41,
        "capset": 91,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "keyctl": 219,
        "seccomp": 277,
        "bpf": 280,
    },
}
SHARED_NUMBERS = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}
"""Since 5.3 a number is the same on every architecture."""
_NUMBERS = OWN_NUMBERS.get(os.uname().machine, {}) | SHARED_NUMBERS

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class _Statfs(ctypes.Structure):
    _fields_ = (("f_type", c_long), ("rest", c_long * 30))


def _wrapper(name: str, *types: Any) -> Any:
    """The libc function `name`, returning int."""
    return ctypes.CFUNCTYPE(c_int, *types, use_errno=True)((name, _libc))


def _call(name: str, *types: Any) -> Any:
    """`syscall(2)` with the number of `name` as its first argument, returning long."""
    number = _NUMBERS.get(name, -1)  # -1 gives ENOSYS, which is what an unknown machine deserves
    function = ctypes.CFUNCTYPE(c_long, c_long, *types, use_errno=True)(("syscall", _libc))
    return lambda *arguments: function(number, *arguments)


def _checked(result: int, path: str | bytes | None = None) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path) if path else OSError(error, os.strerror(error))
    return result


_mount = _wrapper("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _wrapper("umount2", c_char_p, c_int)
_unshare = _wrapper("unshare", c_int)
_setns = _wrapper("setns", c_int, c_int)
_prctl = _wrapper("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_syncfs = _wrapper("syncfs", c_int)
_fstatfs = _wrapper("fstatfs", c_int, c_void_p)
_setdomainname = _wrapper("setdomainname", c_char_p, c_size_t)
_pivot_root = _call("pivot_root", c_char_p, c_char_p)
_openat2 = _call("openat2", c_int, c_char_p, c_void_p, c_size_t)
_open_tree = _call("open_tree", c_int, c_char_p, c_uint)
_move_mount = _call("move_mount", c_int, c_char_p, c_int, c_char_p, c_uint)
_fsopen = _call("fsopen", c_char_p, c_uint)
_fsconfig = _call("fsconfig", c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = _call("fsmount", c_int, c_uint, c_uint)
_mount_setattr = _call("mount_setattr", c_int, c_char_p, c_uint, c_void_p, c_size_t)
_close_range = _call("close_range", c_uint, c_uint, c_uint)
_rt_sigaction = _call("rt_sigaction", c_int, c_char_p, c_void_p, c_size_t)
_rt_sigprocmask = _call("rt_sigprocmask", c_int, c_char_p, c_void_p, c_size_t)
_capset = _call("capset", c_void_p, c_void_p)
_keyctl = _call("keyctl", c_int, c_char_p)
_seccomp = _call("seccomp", c_uint, c_uint, c_void_p)
_bpf = _call("bpf", c_int, c_void_p, c_uint)


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    result = _mount(os.fsencode(source), os.fsencode(target), fstype.encode(), flags, os.fsencode(data) or None)
    _checked(result, target)


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    _checked(_umount2(os.fsencode(target), flags), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _checked(_pivot_root(os.fsencode(new_root), os.fsencode(put_old)), new_root)


def unshare(flags: int) -> None:
    """unshare(2). EINVAL for some namespaces in a process with more than one thread."""
    _checked(_unshare(flags))


def setns(fd: int, flags: int) -> None:
    """setns(2); `fd` is a namespace, or a pidfd, of which `flags` may name several at once."""
    _checked(_setns(fd, flags))


def openat2(dir_fd: int, path: str, flags: int, mode: int, resolve: int) -> int:
    """openat2(2). `resolve` is a set of RESOLVE_ flags. EXDEV, ELOOP: the path leaves what they allow."""
    how = _OpenHow(flags, mode, resolve)
    return _checked(_openat2(dir_fd, os.fsencode(path), ctypes.addressof(how), ctypes.sizeof(how)), path)


def open_tree(dir_fd: int, path: str, flags: int) -> int:
    """open_tree(2): a mount as a descriptor; with OPEN_TREE_CLONE a detached copy."""
    return _checked(_open_tree(dir_fd, os.fsencode(path), flags), path)


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int) -> None:
    """move_mount(2): attach a mount."""
    _checked(_move_mount(from_fd, os.fsencode(from_path), to_fd, os.fsencode(to_path), flags), to_path or None)


def fsopen(fstype: str, flags: int) -> int:
    """fsopen(2). ENODEV: the kernel lacks the file system."""
    return _checked(_fsopen(fstype.encode(), flags), fstype)


def fsconfig(fd: int, command: int, key: str | None, value: str | None, aux: int = 0) -> None:
    """fsconfig(2). A string value is at most 255 bytes."""
    encoded = None if value is None else os.fsencode(value)
    _checked(_fsconfig(fd, command, key.encode() if key else None, encoded, aux), value or key)


def fsmount(fd: int, flags: int, attributes: int) -> int:
    """fsmount(2): the configured file system as a detached mount."""
    return _checked(_fsmount(fd, flags, attributes))


def mount_setattr(
    dir_fd: int, path: str, flags: int, *, set_: int = 0, clear: int = 0, propagation: int = 0
) -> None:
    """mount_setattr(2). `flags` may hold AT_EMPTY_PATH and AT_RECURSIVE."""
    attr = _MountAttr(set_, clear, propagation, 0)
    result = _mount_setattr(dir_fd, os.fsencode(path), flags, ctypes.addressof(attr), ctypes.sizeof(attr))
    _checked(result, path or None)


def fstatfs_type(fd: int) -> int:
    """The magic number of the file system that `fd` is on. statfs(2)."""
    buffer = _Statfs()
    _checked(_fstatfs(fd, ctypes.addressof(buffer)))
    return int(buffer.f_type)


def syncfs(fd: int) -> None:
    """syncfs(2): write back the whole file system that `fd` is on."""
    _checked(_syncfs(fd))


def setdomainname(name: str) -> None:
    """setdomainname(2): the NIS domain name of this UTS namespace."""
    encoded = name.encode()
    _checked(_setdomainname(encoded, len(encoded)))


def prctl(option: int, argument: int = 0, third: int = 0, fourth: int = 0, fifth: int = 0) -> int:
    """prctl(2)."""
    return _checked(_prctl(option, argument, third, fourth, fifth))


def close_range(first: int, last: int, flags: int) -> None:
    """close_range(2). `last` 2**32-1 = every higher one."""
    _checked(_close_range(first, last, flags))


_SIGSET = 8  # bytes of the kernel's sigset_t
_SIG_SETMASK = 2


def rt_sigaction_default(number: int) -> None:
    """rt_sigaction(2): the default action for a signal, also for 32 and 33, which the C library keeps to itself."""
    _checked(_rt_sigaction(number, bytes(32), None, _SIGSET))  # struct kernel_sigaction, all of it zero


def rt_sigprocmask_none() -> None:
    """rt_sigprocmask(2): block no signal."""
    _checked(_rt_sigprocmask(_SIG_SETMASK, bytes(_SIGSET), None, _SIGSET))


def capset(header: bytes, data: bytes) -> None:
    """capset(2) with packed structures."""
    header_buffer = ctypes.create_string_buffer(header, len(header))
    data_buffer = ctypes.create_string_buffer(data, len(data))
    _checked(_capset(ctypes.addressof(header_buffer), ctypes.addressof(data_buffer)))


def keyctl(command: int, name: str | None) -> int:
    """keyctl(2) with one string argument: the serial of the keyring."""
    return _checked(_keyctl(command, name.encode() if name else None))


def seccomp(operation: int, flags: int, program: bytes) -> None:
    """seccomp(2) with a filter: `program` is an array of struct sock_filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = (ctypes.c_uint64 * 2)(len(program) // 8, ctypes.addressof(buffer))
    _checked(_seccomp(operation, flags, ctypes.addressof(fprog)))


def bpf(command: int, attr: Any) -> int:
    """bpf(2); `attr` is a ctypes structure that begins as union bpf_attr does."""
    return _checked(_bpf(command, ctypes.addressof(attr), ctypes.sizeof(attr)))
