"""Capabilities: the five sets of a process. capabilities(7)."""

from __future__ import annotations

from collections.abc import Iterable

from core.linux import constants as k
from core.linux import syscalls

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
_BITS = {f"CAP_{name}": 1 << bit for bit, name in enumerate(NAMES)}


def mask(names: Iterable[str]) -> int:
    """The bits of `names` (CAP_ …). Raises KeyError for a name that no kernel we know has."""
    bits = 0
    for name in names:
        bits |= _BITS[name]
    return bits


def known(name: str) -> bool:
    """Whether `name` is a capability."""
    return name in _BITS


def drop_bounding(keep: int) -> None:
    """Drop from the bounding set what is not in the mask `keep`; the kernel's last capability ends the walk."""
    for bit in range(64):
        try:
            if not syscalls.prctl(k.PR_CAPBSET_READ, bit):
                continue
        except OSError:
            return
        if not keep >> bit & 1:
            syscalls.prctl(k.PR_CAPBSET_DROP, bit)


def set_keep_on_setuid(keep: bool) -> None:
    """Whether permitted capabilities survive a change from uid 0; an exec resets it."""
    syscalls.prctl(k.PR_SET_KEEPCAPS, int(keep))


def set_ambient(ambient: int) -> None:
    """The ambient set: what survives the exec of a program without file capabilities."""
    syscalls.prctl(k.PR_CAP_AMBIENT, k.PR_CAP_AMBIENT_CLEAR_ALL)
    for bit in range(64):
        if ambient >> bit & 1:
            syscalls.prctl(k.PR_CAP_AMBIENT, k.PR_CAP_AMBIENT_RAISE, bit)


def set_sets(effective: int, permitted: int, inheritable: int) -> None:
    """The other three sets, at once."""
    syscalls.capset(effective, permitted, inheritable)
