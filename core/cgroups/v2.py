"""cgroup v2: one tree. Documentation/admin-guide/cgroup-v2.rst."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from core.cgroups import files
from core.cgroups.devices import device_program
from core.cgroups.model import CgroupView, Stats
from core.cgroups.stats import v2_stats
from core.cgroups.writes import Write, v2_writes
from core.errors import KernelLacks, SyscallFailed
from core.linux.bpf import attach_device_program
from core.oci.runtime import DeviceRule, Resources

_WANTED = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")
_LEAF = "onggi.rest"  # where processes go that sit where controllers are to be switched on


class V2Manager:
    """Makes cgroups below one mount."""

    version = 2

    def __init__(self, root: str) -> None:
        self._root = root

    def controllers(self) -> list[str]:
        """What the kernel offers here."""
        return files.read(self._root, "cgroup.controllers").split()

    def create(self, path: str, resources: Resources) -> V2Cgroup:
        """See Manager."""
        group = self.open(path)
        with files.whole(group.delete):
            files.again(lambda: self._make(path))
            group.apply(resources)
        return group

    def _make(self, path: str) -> None:
        above = [self._root]
        for name in path.strip("/").split("/"):  # at once: a folder with one inside is not taken away
            above.append(f"{above[-1]}/{name}")
            try:
                os.mkdir(above[-1], 0o755)
            except FileExistsError:
                pass
        for folder in above[:-1]:
            _switch_on(folder)

    def open(self, path: str) -> V2Cgroup:
        """See Manager."""
        return V2Cgroup(self._root + path)

    def leave(self) -> None:
        """See Manager. Where the root may have none, since it is not the machine's, in the leaf for the rest."""
        try:
            files.write(self._root, "cgroup.procs", "0")
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            leaf = f"{self._root}/{_LEAF}"
            os.makedirs(leaf, exist_ok=True)
            files.write(leaf, "cgroup.procs", "0")

    def prune(self, path: str) -> None:
        """See Manager."""
        files.prune(self._root + path)


def _switch_on(folder: str) -> None:
    """Give every wanted controller that is there to the cgroups below `folder`."""
    there = set(files.read(folder, "cgroup.controllers").split())
    on = set(files.read(folder, "cgroup.subtree_control").split())
    for controller in _WANTED:
        if controller not in there or controller in on:
            continue
        try:
            files.write(folder, "cgroup.subtree_control", f"+{controller}")
        except OSError as error:
            if error.errno != errno.EBUSY:
                continue  # a limit that needs it will say so
            # In a container of its own the engine sits in what it sees as the root: processes must be in leaves.
            _move_to_leaf(folder)
            files.write(folder, "cgroup.subtree_control", f"+{controller}")


def _move_to_leaf(folder: str) -> None:
    leaf = f"{folder}/{_LEAF}"
    os.makedirs(leaf, exist_ok=True)
    for pid in files.read(folder, "cgroup.procs").split():
        try:
            files.write(leaf, "cgroup.procs", pid)
        except ProcessLookupError:
            pass


class V2Cgroup:
    """One folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def view(self) -> CgroupView:
        """See Cgroup. Nothing to name: the container's cgroup namespace shows it its own."""
        return CgroupView(2)

    def doors(self) -> list[int]:
        """See Cgroup."""
        return files.open_all([f"{self._folder}/cgroup.procs"])

    def apply(self, resources: Resources) -> None:
        """See Cgroup."""
        for item in v2_writes(resources):
            self._write(item)
        if resources.devices:
            self._set_devices(resources.devices)

    def _write(self, item: Write) -> None:
        try:
            files.write(self._folder, item.file, item.value)
        except FileNotFoundError as error:
            if not item.optional:
                raise KernelLacks(f"limit container: this machine has no {item.file}") from error
        except OSError as error:
            raise SyscallFailed(f"set {item.file} to {item.value} in", self._folder, error.errno or 0) from error

    def _set_devices(self, rules: Sequence[DeviceRule]) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            attach_device_program(fd, device_program(rules))
        except OSError as error:
            raise SyscallFailed("set device rules of", self._folder, error.errno or 0) from error
        finally:
            os.close(fd)

    def pids(self) -> list[int]:
        """See Cgroup."""
        return files.pids(self._folder)

    def oom_kills(self) -> int:
        """See Cgroup."""
        return files.table(self._folder, "memory.events").get("oom_kill", 0)

    def freeze(self) -> None:
        """See Cgroup."""
        files.write(self._folder, "cgroup.freeze", "1")
        if not files.wait_until(lambda: files.table(self._folder, "cgroup.events").get("frozen") == 1):
            files.write(self._folder, "cgroup.freeze", "0")
            raise TimeoutError(errno.ETIMEDOUT, "processes do not stop", self._folder)

    def thaw(self) -> None:
        """See Cgroup."""
        files.write(self._folder, "cgroup.freeze", "0")

    def kill(self) -> None:
        """See Cgroup. cgroup.kill is there since Linux 5.14."""
        try:
            files.write(self._folder, "cgroup.kill", "1")
        except FileNotFoundError:
            return
        files.wait_until(lambda: not self.pids())

    def delete(self) -> None:
        """See Cgroup."""
        files.remove(self._folder)

    def stats(self) -> Stats:
        """See Cgroup."""
        return v2_stats(self._folder)
