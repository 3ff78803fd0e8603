"""Control groups, version 1 and 2, by plain files (and one BPF program for devices on v2). cgroups(7).

manager = detect()
group = manager.create("/onggi/ID", resources)     SyscallFailed, KernelLacks
enter(group.doors()) ... group.kill(); group.delete()    OSError
"""

from __future__ import annotations

from core.cgroups.files import enter
from core.cgroups.hierarchies import parse_mountinfo
from core.cgroups.model import Cgroup, CgroupView, Manager, Stats
from core.cgroups.v1 import V1Manager
from core.cgroups.v2 import V2Manager

__all__ = ["Cgroup", "CgroupView", "Manager", "Stats", "detect", "enter"]


def detect() -> Manager:
    """The manager for what this machine mounts: v2 where its controllers are, else v1, perhaps with none at all."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        found = parse_mountinfo(file.read())
    if found.unified is not None and not {"memory", "cpu", "pids"} & set(found.controllers):
        manager = V2Manager(found.unified)
        if manager.controllers() or not found.controllers:
            return manager
    return V1Manager(found)
