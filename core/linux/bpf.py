"""The device program of a cgroup v2. bpf(2), linux/bpf.h."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char, c_uint32, c_uint64

from core.linux import constants as k
from core.linux.syscalls import bpf

_MOST_PROGRAMS = 64


class _Load(ctypes.Structure):
    _fields_ = (
        ("prog_type", c_uint32),
        ("insn_cnt", c_uint32),
        ("insns", c_uint64),
        ("license", c_uint64),
        ("log_level", c_uint32),
        ("log_size", c_uint32),
        ("log_buf", c_uint64),
        ("kern_version", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_name", c_char * 16),
    )


class _Attach(ctypes.Structure):
    _fields_ = (
        ("target_fd", c_uint32),
        ("attach_bpf_fd", c_uint32),
        ("attach_type", c_uint32),
        ("attach_flags", c_uint32),
    )


class _Query(ctypes.Structure):
    _fields_ = (
        ("target_fd", c_uint32),
        ("attach_type", c_uint32),
        ("query_flags", c_uint32),
        ("attach_flags", c_uint32),
        ("prog_ids", c_uint64),
        ("prog_cnt", c_uint32),
        ("padding", c_uint32),
    )


class _ById(ctypes.Structure):
    _fields_ = (("prog_id", c_uint32), ("next_id", c_uint32), ("open_flags", c_uint32))


def attach_device_program(cgroup_fd: int, program: bytes) -> None:
    """Make `program` (array of struct bpf_insn) the only device program of a cgroup, without a gap."""
    before = _attached(cgroup_fd)
    fd = _load(program)
    try:
        bpf(k.BPF_PROG_ATTACH, _Attach(cgroup_fd, fd, k.BPF_CGROUP_DEVICE, k.BPF_F_ALLOW_MULTI))
    finally:
        os.close(fd)
    for number in before:
        old = bpf(k.BPF_PROG_GET_FD_BY_ID, _ById(number, 0, 0))
        try:
            bpf(k.BPF_PROG_DETACH, _Attach(cgroup_fd, old, k.BPF_CGROUP_DEVICE, 0))
        finally:
            os.close(old)


def _load(program: bytes) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    license_ = ctypes.create_string_buffer(b"Apache-2.0")
    attr = _Load(
        k.BPF_PROG_TYPE_CGROUP_DEVICE, len(program) // 8, ctypes.addressof(code), ctypes.addressof(license_)
    )
    attr.prog_name = b"onggi_devices"
    return bpf(k.BPF_PROG_LOAD, attr)


def _attached(cgroup_fd: int) -> list[int]:
    """Ids of the device programs on it."""
    numbers = (c_uint32 * _MOST_PROGRAMS)()
    query = _Query(cgroup_fd, k.BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(numbers), _MOST_PROGRAMS)
    bpf(k.BPF_PROG_QUERY, query)
    return list(numbers[: query.prog_cnt])
