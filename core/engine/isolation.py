"""What really holds a container apart, read from the kernel: GET /onggi/v1/containers/{id}/isolation.

Nothing here repeats what was asked for; every line is what /proc says of the running process.
namespaces(7), proc_pid_status(5), proc_pid_mountinfo(5), capabilities(7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.linux.capnames import ALL

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time")
_SECCOMP_MODES = {"0": "disabled", "1": "strict", "2": "filter"}
_OCTAL = re.compile(r"\\([0-7]{3})")


def capability_names(mask: int) -> list[str]:
    """The capabilities in a bit mask; numbers newer than our table appear as `CAP_<number>`."""
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return [ALL[bit] if bit < len(ALL) else f"CAP_{bit}" for bit in bits]


def parse_status(text: str) -> dict[str, str]:
    """A /proc/PID/status as its members."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def parse_mounts(text: str) -> list[dict[str, str]]:
    """A /proc/PID/mountinfo as source, target, type and options of each mount, in mount order."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not separator or len(fields) < 6 or len(tail) < 2:
            continue
        mounts.append(
            {
                "source": _plain(tail[1]),
                "root": _plain(fields[3]),
                "target": _plain(fields[4]),
                "type": tail[0],
                "options": fields[5],
            }
        )
    return mounts


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def describe_process(pid: int, proc: Path = Path("/proc")) -> dict[str, Any]:
    """What confines the process `pid`; blocking. Raises OSError when it is gone."""
    folder, host = proc / str(pid), proc / "self"
    status = parse_status((folder / "status").read_text(errors="replace"))
    bounding = int(status.get("CapBnd", "0"), 16)
    every = (1 << _last_capability(proc) + 1) - 1
    return {
        "pid": pid,
        "namespaces": [_namespace(folder, host, kind) for kind in NAMESPACES if (folder / "ns" / kind).exists()],
        "capabilities": {
            "effective": capability_names(int(status.get("CapEff", "0"), 16)),
            "bounding": capability_names(bounding),
            "dropped": capability_names(every & ~bounding),
        },
        "seccomp": {
            "mode": _SECCOMP_MODES.get(status.get("Seccomp", "0"), "unknown"),
            "filters": int(status.get("Seccomp_filters", "0")),
        },
        "no_new_privs": status.get("NoNewPrivs") == "1",
        "mounts": parse_mounts((folder / "mountinfo").read_text(errors="replace")),
        "uid_map": [line.split() for line in (folder / "uid_map").read_text().splitlines()],
    }


def _namespace(folder: Path, host: Path, kind: str) -> dict[str, Any]:
    inode, own = (folder / "ns" / kind).stat().st_ino, (host / "ns" / kind).stat().st_ino
    return {"type": kind, "inode": inode, "host_inode": own, "shared": inode == own}


def _last_capability(proc: Path) -> int:
    try:
        return int((proc / "sys/kernel/cap_last_cap").read_text())
    except (OSError, ValueError):
        return len(ALL) - 1


def masked(mounts: Sequence[Mapping[str, str]]) -> list[str]:
    """Paths below /proc and /sys that are covered: by the null device, or by an empty read-only tmpfs."""
    return [
        mount["target"]
        for mount in mounts
        if mount["target"].startswith(("/proc/", "/sys/"))
        and not mount["target"].startswith("/sys/fs/cgroup")
        and (mount["root"] == "/null" or mount["type"] == "tmpfs")
    ]


def readonly(mounts: Sequence[Mapping[str, str]]) -> list[str]:
    """Paths below /proc that are mounted over themselves, read-only."""
    return [
        mount["target"]
        for mount in mounts
        if mount["type"] == "proc" and mount["target"] != "/proc" and "ro" in mount["options"].split(",")
    ]


def layers(rootfs: Mapping[str, Any]) -> list[str]:
    """The folders of a root file system, writable one first."""
    upper = rootfs.get("upper")
    return ([str(upper)] if upper else []) + [str(lower) for lower in rootfs.get("lower", ())]
