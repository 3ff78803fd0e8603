"""Which kernel parameters a container may set: those of its own namespaces. Pure. namespaces(7), proc_sys(5)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from core.errors import InvalidSpec

_NAME = re.compile(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_:@-]+)+")
_IPC = frozenset(
    f"kernel.{name}"
    for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)


def check_sysctls(sysctls: Mapping[str, str], own: Collection[str]) -> None:
    """Raises InvalidSpec for one that is the host's; `own` are the kinds of the container's namespaces."""
    for name in sysctls:
        dotted = name.replace("/", ".")
        if not _NAME.fullmatch(name) or not _is_own(dotted, own):
            raise InvalidSpec(f'sysctl "{name[:80]}" is not in a separate kernel namespace')


def _is_own(name: str, own: Collection[str]) -> bool:
    if name.startswith("net."):
        return "network" in own
    if name in _IPC or name.startswith("fs.mqueue."):
        return "ipc" in own
    return name == "kernel.domainname" and "uts" in own
