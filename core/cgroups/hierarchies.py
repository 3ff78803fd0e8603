"""Which cgroup file systems are mounted where. Pure. proc_pid_mountinfo(5), cgroups(7)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_KNOWN = frozenset(
    ("cpuset", "cpu", "cpuacct", "blkio", "memory", "devices", "freezer", "net_cls", "perf_event", "net_prio",
     "hugetlb", "pids", "rdma", "misc")
)  # fmt: skip
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """v1: each mount's folder by its name (`memory`, `cpu,cpuacct`, `systemd`), and by each controller on it."""

    mounts: Mapping[str, str] = field(default_factory=dict)
    controllers: Mapping[str, str] = field(default_factory=dict)
    unified: str | None = None


def parse_mountinfo(text: str) -> Hierarchies:
    """Read a /proc/PID/mountinfo. Of several mounts of one hierarchy the first counts."""
    mounts: dict[str, str] = {}
    controllers: dict[str, str] = {}
    unified: str | None = None
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not separator or len(fields) < 6 or len(tail) < 3:
            continue
        folder = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if tail[0] == "cgroup2":
            unified = unified or folder
        elif tail[0] == "cgroup":
            options = tail[2].split(",")
            on_it = [option for option in options if option in _KNOWN]
            if all(controller not in controllers for controller in on_it):
                mounts.setdefault(os.path.basename(folder), folder)
                controllers.update(dict.fromkeys(on_it, folder))
    return Hierarchies(mounts, controllers, unified)
