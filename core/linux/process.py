"""What a process may say of itself: prctl(2), close_range(2), keyctl(2), seccomp(2)."""

from __future__ import annotations

from core.linux import constants as k
from core.linux import syscalls


def set_parent_death_signal(signal: int) -> None:
    """Get `signal` when the parent dies. The caller must check that it has not died already."""
    syscalls.prctl(k.PR_SET_PDEATHSIG, signal)


def set_child_subreaper() -> None:
    """Become the parent of orphaned descendants."""
    syscalls.prctl(k.PR_SET_CHILD_SUBREAPER, 1)


def set_dumpable(dumpable: bool) -> None:
    """Whether others may ptrace this process and read its /proc files. An exec resets it."""
    syscalls.prctl(k.PR_SET_DUMPABLE, int(dumpable))


def set_no_new_privileges() -> None:
    """No exec from here on gains privileges."""
    syscalls.prctl(k.PR_SET_NO_NEW_PRIVS, 1)


def close_on_exec_from(first: int) -> None:
    """Set CLOEXEC on every descriptor from `first` on."""
    syscalls.close_range(first, 0xFFFFFFFF, k.CLOSE_RANGE_CLOEXEC)


def join_new_session_keyring() -> None:
    """Leave the session keyring of whoever started us."""
    syscalls.keyctl(k.KEYCTL_JOIN_SESSION_KEYRING)


def load_seccomp(program: bytes) -> None:
    """Confine this process to `program`, an array of struct sock_filter."""
    syscalls.seccomp(k.SECCOMP_SET_MODE_FILTER, 0, program)
