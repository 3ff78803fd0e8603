"""cgroup v1: one tree for each controller, any of which may be missing. Documentation/admin-guide/cgroup-v1."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from functools import partial

from core.cgroups import files
from core.cgroups.hierarchies import Hierarchies
from core.cgroups.model import CgroupView, Stats
from core.cgroups.stats import v1_stats
from core.cgroups.writes import UNLIMITED, Write, v1_memory_writes, v1_writes
from core.errors import KernelLacks, SyscallFailed
from core.oci.runtime import Resources

_KILL_ROUNDS = 10


class V1Manager:
    """Makes the same path in every mounted hierarchy."""

    version = 1

    def __init__(self, hierarchies: Hierarchies) -> None:
        self._hierarchies = hierarchies

    def create(self, path: str, resources: Resources) -> V1Cgroup:
        """See Manager."""
        group = self.open(path)
        with files.whole(group.delete):
            for root in self._roots():
                cpuset = root == self._hierarchies.controllers.get("cpuset")
                files.again(partial(_make, root, path, cpuset=cpuset))
            group.apply(resources)
        return group

    def open(self, path: str) -> V1Cgroup:
        """See Manager."""
        return V1Cgroup(self._hierarchies, path)

    def _roots(self) -> list[str]:
        return list(dict.fromkeys(self._hierarchies.mounts.values()))

    def leave(self) -> None:
        """See Manager."""
        files.enter(files.open_all(f"{root}/tasks" for root in self._roots()))

    def prune(self, path: str) -> None:
        """See Manager."""
        for root in self._roots():
            files.prune(root + path)


def _make(root: str, path: str, *, cpuset: bool) -> None:
    above, found = root, []
    for name in path.strip("/").split("/"):
        found.append((above, f"{above}/{name}"))
        above = f"{above}/{name}"
    for _, folder in found:  # at once, and filled after: a folder with one inside is not taken away
        try:
            os.mkdir(folder, 0o755)
        except FileExistsError:
            pass
    if cpuset:
        for above, folder in found:
            _inherit(above, folder)


def _inherit(above: str, folder: str) -> None:
    """No process may enter a cpuset without CPUs and memory nodes, and they are not inherited."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not files.read(folder, file).strip():
            files.write(folder, file, files.read(above, file).strip())


class V1Cgroup:
    """One path in all hierarchies."""

    def __init__(self, hierarchies: Hierarchies, path: str) -> None:
        self._folders = {name: root + path for name, root in hierarchies.mounts.items()}
        self._by_controller = {name: root + path for name, root in hierarchies.controllers.items()}

    def view(self) -> CgroupView:
        """See Cgroup."""
        return CgroupView(1, tuple(self._folders.items()))

    def doors(self) -> list[int]:
        """See Cgroup. Through `tasks`: whoever writes to `cgroup.procs` waits, even for itself."""
        return files.open_all(f"{folder}/tasks" for folder in self._folders.values())

    def apply(self, resources: Resources) -> None:
        """See Cgroup."""
        self._do(v1_writes(resources))
        if resources.memory:
            memory = self._by_controller.get("memory", "")
            memsw = files.number(memory, "memory.memsw.limit_in_bytes") if memory else 0
            self._do(v1_memory_writes(resources.memory, memsw or UNLIMITED))

    def _do(self, writes: Iterable[Write]) -> None:
        for item in writes:
            folder = self._by_controller.get(item.controller)
            if folder is None and not item.optional:
                raise KernelLacks(f"limit container: this machine has no cgroup controller {item.controller!r}")
            try:
                if folder is not None:
                    files.write(folder, item.file, item.value)
            except FileNotFoundError as error:
                if not item.optional:
                    raise KernelLacks(f"limit container: this kernel has no {item.file}") from error
            except OSError as error:
                raise SyscallFailed(
                    f"set {item.file} to {item.value} in", folder or "", error.errno or 0
                ) from error

    def _any(self) -> str:
        """A hierarchy to list processes in."""
        found = self._by_controller.get("freezer") or next(iter(self._folders.values()), "")
        return found or "/nonexistent"

    def pids(self) -> list[int]:
        """See Cgroup."""
        return files.pids(self._any())

    def oom_kills(self) -> int:
        """See Cgroup."""
        return files.table(self._by_controller.get("memory", "/"), "memory.oom_control").get("oom_kill", 0)

    def freeze(self) -> None:
        """See Cgroup."""
        folder = self._freezer()
        files.write(folder, "freezer.state", "FROZEN")
        if not files.wait_until(lambda: files.read(folder, "freezer.state").strip() == "FROZEN"):
            files.write(folder, "freezer.state", "THAWED")
            raise TimeoutError(110, "processes do not stop", folder)

    def thaw(self) -> None:
        """See Cgroup."""
        files.write(self._freezer(), "freezer.state", "THAWED")

    def _freezer(self) -> str:
        folder = self._by_controller.get("freezer")
        if folder is None:
            raise KernelLacks("freeze container: this machine has no cgroup controller 'freezer'")
        return folder

    def kill(self) -> None:
        """See Cgroup. Frozen first, so that nothing forks away from us; the signal acts when they thaw."""
        for _ in range(_KILL_ROUNDS):
            found = self.pids()
            if not found:
                return
            self._try_state("FROZEN")
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self._try_state("THAWED")
            if files.wait_until(lambda: not self.pids()):
                return

    def _try_state(self, state: str) -> None:
        folder = self._by_controller.get("freezer")
        try:
            if folder is not None:
                files.write(folder, "freezer.state", state)
        except OSError:
            pass  # without it the rounds of `kill` do

    def delete(self) -> None:
        """See Cgroup."""
        for folder in self._folders.values():
            files.remove(folder)

    def stats(self) -> Stats:
        """See Cgroup."""
        return v1_stats(self._by_controller)
