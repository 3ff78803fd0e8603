"""Loading a seccomp filter. seccomp(2)."""

from __future__ import annotations

from core.linux import constants as k
from core.linux import syscalls

_FLAGS = {
    "SECCOMP_FILTER_FLAG_LOG": k.SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": k.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_TSYNC": 0,  # there is one thread
}


def flags(names: tuple[str, ...]) -> int:
    """The runtime specification's flag names as bits. Raises KeyError for an unknown one."""
    return sum({_FLAGS[name] for name in names})


def load(program: bytes, flags: int = 0) -> None:
    """Confine this process for ever. Needs CAP_SYS_ADMIN or no_new_privs (EACCES); EINVAL for a bad program."""
    syscalls.seccomp(k.SECCOMP_SET_MODE_FILTER, flags, program)
