"""System calls that the standard library lacks. Each prototype is bound once, at import.

Every function raises OSError with the path it was about. Manual pages carry the names of the functions.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_long, c_size_t, c_uint, c_uint64, c_ulong, c_void_p
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_machine = os.uname().machine

Path = str | bytes


def _bind(name: str, *arguments: Any) -> Any:
    function = getattr(_libc, name)
    function.argtypes = arguments
    function.restype = c_int
    return function


_mount = _bind("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _bind("umount2", c_char_p, c_int)
_setns = _bind("setns", c_int, c_int)
_unshare = _bind("unshare", c_int)
_syncfs = _bind("syncfs", c_int)
_prctl = _bind("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_capset = _bind("capset", c_void_p, c_void_p)

# Up to 423 every architecture has numbers of its own; from 424 on they are the same for all.
_OWN = {
    "x86_64": {"pivot_root": 155, "keyctl": 250, "seccomp": 317, "bpf": 321},
    "aarch64": {"pivot_root": 41, "keyctl": 219, "seccomp": 277, "bpf": 280},
}.get(_machine, {})
_NUMBERS = _OWN | {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}


def _number(name: str, *arguments: Any) -> Any:
    """A call by number, for which the C library need not have a wrapper. The caller passes exact C types."""
    call = _libc.syscall
    number = c_long(_NUMBERS.get(name, -1))
    call.restype = c_long

    def invoke(*values: Any) -> int:
        return int(call(number, *(kind(value) for kind, value in zip(arguments, values, strict=True))))

    return invoke


_pivot_root = _number("pivot_root", c_char_p, c_char_p)
_keyctl = _number("keyctl", c_int, c_void_p)
_seccomp = _number("seccomp", c_uint, c_uint, c_void_p)
_bpf = _number("bpf", c_int, c_void_p, c_uint)
_open_tree = _number("open_tree", c_int, c_char_p, c_uint)
_move_mount = _number("move_mount", c_int, c_char_p, c_int, c_char_p, c_uint)
_fsopen = _number("fsopen", c_char_p, c_uint)
_fsconfig = _number("fsconfig", c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = _number("fsmount", c_int, c_uint, c_uint)
_close_range = _number("close_range", c_uint, c_uint, c_uint)
_openat2 = _number("openat2", c_int, c_char_p, c_void_p, c_size_t)
_mount_setattr = _number("mount_setattr", c_int, c_char_p, c_uint, c_void_p, c_size_t)


def _checked(result: int, path: Path = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        if path:
            raise OSError(number, os.strerror(number), os.fsdecode(path))
        raise OSError(number, os.strerror(number))
    return result


def _bytes(path: Path) -> bytes:
    return os.fsencode(path)


def mount(source: Path, target: Path, type: str, flags: int, data: Path = "") -> None:
    """mount(2)."""
    _checked(_mount(_bytes(source), _bytes(target), type.encode(), flags, _bytes(data) or None), target)


def umount2(target: Path, flags: int = 0) -> None:
    """umount2(2)."""
    _checked(_umount2(_bytes(target), flags), target)


def pivot_root(new_root: Path, put_old: Path) -> None:
    """pivot_root(2)."""
    _checked(_pivot_root(_bytes(new_root), _bytes(put_old)), new_root)


def setns(fd: int, nstype: int) -> None:
    """setns(2); `fd` is a namespace or, with several CLONE_NEW* flags, a pidfd."""
    _checked(_setns(fd, nstype))


def unshare(flags: int) -> None:
    """unshare(2)."""
    _checked(_unshare(flags))


def syncfs(fd: int) -> None:
    """syncfs(2)."""
    _checked(_syncfs(fd))


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """prctl(2)."""
    return _checked(_prctl(option, arg2, arg3, arg4, arg5))


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", c_uint64), ("mode", c_uint64), ("resolve", c_uint64))


def openat2(dirfd: int, path: Path, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2); the descriptor is CLOEXEC when `flags` says so."""
    how = _OpenHow(flags, mode, resolve)
    return _checked(_openat2(dirfd, _bytes(path), ctypes.addressof(how), ctypes.sizeof(how)), path)


def open_tree(dirfd: int, path: Path, flags: int) -> int:
    """open_tree(2)."""
    return _checked(_open_tree(dirfd, _bytes(path), flags), path)


def move_mount(from_dirfd: int, from_path: Path, to_dirfd: int, to_path: Path, flags: int) -> None:
    """move_mount(2)."""
    _checked(_move_mount(from_dirfd, _bytes(from_path), to_dirfd, _bytes(to_path), flags), to_path)


def fsopen(fsname: str, flags: int) -> int:
    """fsopen(2)."""
    return _checked(_fsopen(fsname.encode(), flags), fsname)


def fsconfig(fd: int, command: int, key: str | None, value: Path | None, aux: int = 0) -> None:
    """fsconfig(2)."""
    key_bytes = None if key is None else key.encode()
    value_bytes = None if value is None else _bytes(value)
    _checked(_fsconfig(fd, command, key_bytes, value_bytes, aux), key or "")


def fsmount(fd: int, flags: int, attributes: int) -> int:
    """fsmount(2)."""
    return _checked(_fsmount(fd, flags, attributes))


class _MountAttr(ctypes.Structure):
    _fields_ = (("attr_set", c_uint64), ("attr_clr", c_uint64), ("propagation", c_uint64), ("userns_fd", c_uint64))


def mount_setattr(
    dirfd: int, path: Path, flags: int, *, set: int = 0, clear: int = 0, propagation: int = 0
) -> None:
    """mount_setattr(2)."""
    attributes = _MountAttr(set, clear, propagation, 0)
    address, size = ctypes.addressof(attributes), ctypes.sizeof(attributes)
    _checked(_mount_setattr(dirfd, _bytes(path), flags, address, size), path)


def close_range(first: int, last: int, flags: int) -> None:
    """close_range(2)."""
    _checked(_close_range(first, last, flags))


def keyctl(operation: int) -> int:
    """keyctl(2) with no argument but the operation (a session keyring without a name)."""
    return _checked(_keyctl(operation, None))


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", c_void_p))


def seccomp(operation: int, flags: int, program: bytes) -> None:
    """seccomp(2) with `program` = an array of struct sock_filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    argument = _SockFprog(len(program) // 8, ctypes.addressof(buffer))
    _checked(_seccomp(operation, flags, ctypes.addressof(argument)))


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2) with `attributes` = the bytes of union bpf_attr."""
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _checked(_bpf(command, ctypes.addressof(buffer), len(attributes)))


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for the calling thread; each argument is a 64-bit mask."""
    header = _CapHeader(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    data = (_CapData * 2)()
    for half in range(2):
        shift = 32 * half
        data[half].effective = effective >> shift & 0xFFFFFFFF
        data[half].permitted = permitted >> shift & 0xFFFFFFFF
        data[half].inheritable = inheritable >> shift & 0xFFFFFFFF
    _checked(_capset(ctypes.addressof(header), ctypes.addressof(data)))


def buffer_address(data: bytes) -> tuple[Any, int]:
    """A C copy of `data`, to be kept alive, and its address, for attributes that point."""
    buffer = ctypes.create_string_buffer(data, len(data))
    return buffer, ctypes.addressof(buffer)


class _Statfs(ctypes.Structure):
    _fields_ = (("f_type", c_long), ("rest", ctypes.c_byte * 256))


_fstatfs = _bind("fstatfs", c_int, c_void_p)


def fstatfs_type(fd: int) -> int:
    """The file system's magic number: statfs.f_type of fstatfs(2)."""
    result = _Statfs()
    _checked(_fstatfs(fd, ctypes.addressof(result)))
    return int(result.f_type)
