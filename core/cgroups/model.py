"""The words of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core.oci.runtime import Resources


@dataclass(frozen=True, slots=True)
class CgroupView:
    """What a container sees of its cgroup: on v1 the host's folder for each hierarchy, by its name."""

    version: int
    folders: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stats:
    """One sample. Times are nanoseconds since the cgroup was made, sizes bytes, a limit of 0 means none."""

    cpu_total: int = 0
    cpu_user: int = 0
    cpu_system: int = 0
    cpu_periods: int = 0
    cpu_throttled_periods: int = 0
    cpu_throttled: int = 0
    memory_usage: int = 0
    memory_limit: int = 0
    memory_peak: int = 0
    memory_failures: int = 0
    memory_stat: Mapping[str, int] = field(default_factory=dict)
    working_set: int = 0
    pids: int = 0
    pids_limit: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    read_ops: int = 0
    write_ops: int = 0


class Cgroup(Protocol):
    """One cgroup, which need not exist. Methods raise OSError unless they say otherwise."""

    def view(self) -> CgroupView:
        """What a container in it is shown."""

    def doors(self) -> list[int]:
        """Descriptors (CLOEXEC) for `enter`, which takes a process of one thread in and closes them.

        To be opened by whoever is outside: the kernel asks what the opener may. A process goes in by itself,
        because moving another waits for every processor to look up, for milliseconds.
        """

    def apply(self, resources: Resources) -> None:
        """Set limits, also of a running container. Raises SyscallFailed, KernelLacks."""

    def pids(self) -> list[int]:
        """Its processes and those of cgroups below, as we number them."""

    def oom_kills(self) -> int:
        """How many processes the kernel has killed in it for want of memory."""

    def freeze(self) -> None:
        """Stop every process; returns when they are stopped."""

    def thaw(self) -> None:
        """Let them go on."""

    def kill(self) -> None:
        """SIGKILL for every process, those that are being forked included. Nothing when there are none."""

    def delete(self) -> None:
        """Remove it and those below; nothing when it is gone. Waits a second for dying processes."""

    def stats(self) -> Stats:
        """What it uses now."""


class Manager(Protocol):
    """Makes and finds cgroups. `version` is 1 or 2."""

    version: int

    def create(self, path: str, resources: Resources) -> Cgroup:
        """Make the cgroup `path` (absolute, in every hierarchy) and set limits.

        Raises SyscallFailed, and KernelLacks for a limit that this machine has no controller for.
        """

    def open(self, path: str) -> Cgroup:
        """The cgroup at `path`."""

    def leave(self) -> None:
        """Take this process to the root, out of whatever cgroup it is in. Raises OSError."""

    def prune(self, path: str) -> None:
        """Remove the cgroup `path` where it is there, has no process and none below."""
