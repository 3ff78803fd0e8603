"""What a process may set on itself: prctl(2), close_range(2), keyrings(7)."""

from __future__ import annotations

import errno
import os
import signal

from core.linux import constants as k
from core.linux import syscalls

LAST_SIGNAL = 64  # _NSIG of x86 and arm


def set_child_subreaper() -> None:
    """Orphans below this process become its children."""
    syscalls.prctl(k.PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: int) -> None:
    """Get a signal when the parent thread dies."""
    syscalls.prctl(k.PR_SET_PDEATHSIG, number)


def set_name(name: str) -> None:
    """The name in ps, at most 15 bytes. proc_pid_comm(5)."""
    fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, name.encode())
    finally:
        os.close(fd)


def set_dumpable(value: bool) -> None:
    """Without it only a holder of CAP_SYS_PTRACE reads our /proc files or traces us. execve(2) sets it again."""
    syscalls.prctl(k.PR_SET_DUMPABLE, int(value))


def set_no_new_privs() -> None:
    """No set-user-ID, no file capabilities, for ever."""
    syscalls.prctl(k.PR_SET_NO_NEW_PRIVS, 1)


def close_on_exec_from(first: int) -> None:
    """Mark every descriptor from `first` up."""
    syscalls.close_range(first, 0xFFFFFFFF, k.CLOSE_RANGE_CLOEXEC)


def join_session_keyring() -> None:
    """A new session keyring without a name: one with a name is shared by all who join it. No keys, no keyring."""
    try:
        syscalls.keyctl(k.KEYCTL_JOIN_SESSION_KEYRING, None)
    except OSError as error:
        # EPERM: a filter around us forbids it; EDQUOT: the user's keys are used up, and ours is not needed.
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EDQUOT):
            raise


def reset_signals() -> None:
    """Default dispositions and nothing blocked: Python ignores SIGPIPE and SIGXFSZ, and that survives execve(2).

    By system call, because the C library hides 32 and 33 (its own), which whoever started us may have ignored.
    Python's handlers are void from here on: call it last before an exec.
    """
    for number in range(1, LAST_SIGNAL + 1):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            syscalls.rt_sigaction_default(number)
    syscalls.rt_sigprocmask_none()
