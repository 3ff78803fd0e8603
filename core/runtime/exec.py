"""One more process inside a container: joins its namespaces all at once, then does the second half of a plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from core.cgroups.model import Cgroup
from core.errors import SyscallFailed
from core.linux import constants as k
from core.linux.syscalls import setns
from core.oci.runtime import Process
from core.runtime.create import Launch, give_birth
from core.runtime.init import Surroundings
from core.runtime.processplan import exec_plan

_JOINED = k.CLONE_NEWNS | k.CLONE_NEWUTS | k.CLONE_NEWIPC | k.CLONE_NEWNET | k.CLONE_NEWPID | k.CLONE_NEWCGROUP


def enter(
    process: Process,
    *,
    pidfd: int,
    stdio: tuple[int, int, int],
    cgroup: Cgroup | None = None,
    seccomp_program: bytes | None = None,
    preserve: Sequence[int] = (),
) -> Launch:
    """Start `process` in the container whose first process `pidfd` is; its streams as with `launch`.

    Numbers of users are resolved before. Call from a process of one thread. Raises InvalidSpec, SyscallFailed.
    """
    steps = exec_plan(process, seccomp=seccomp_program)
    around = Surroundings("", stdio, preserve=tuple(preserve))
    return give_birth(
        steps, around, flags=0, joined=pidfd, cgroup=cgroup, process=process, before=partial(_join, pidfd)
    )


def _join(pidfd: int) -> int:
    """All namespaces in one call, so that no half of a container is ever ours; the root becomes the container's."""
    try:
        setns(pidfd, _JOINED)
        return os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SyscallFailed.of("join namespaces of container", error) from error
