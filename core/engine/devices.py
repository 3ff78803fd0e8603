"""The host's device nodes, for `--device` and `--privileged`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidArgument
from core.oci.runtime import Device, DeviceRule

# What /dev holds that is no device of the host's own, or that a container gets in its own form.
_NOT_LISTED = frozenset({"pts", "shm", "fd", "mqueue", ".udev", ".lxc", "console"})


@dataclass(frozen=True, slots=True)
class HostDevice:
    """A node as it is on the host. `kind` is `c` or `b`, `mode` the permission bits."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int

    def device(self, path: str) -> Device:
        """The node for a container, at `path`."""
        return Device(path, self.kind, self.major, self.minor, self.mode, self.uid, self.gid)

    def rule(self, access: str) -> DeviceRule:
        """The cgroup rule that allows it."""
        return DeviceRule(True, self.kind, self.major, self.minor, access)


def read_device(path: str) -> HostDevice:
    """The node at `path`. Raises InvalidArgument with Docker's words where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        reason = (error.strerror or "not found").lower()
        raise InvalidArgument(
            f'error gathering device information while adding custom device "{path}": {reason}'
        ) from error
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
        number = status.st_rdev
        return HostDevice(
            path,
            kind,
            os.major(number),
            os.minor(number),
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
        )
    raise InvalidArgument(
        f'error gathering device information while adding custom device "{path}": not a device node'
    )


def find_devices(asked: Iterable[str], *, every: bool = False, root: Path = Path("/dev")) -> dict[str, HostDevice]:
    """The nodes that were asked for, or `every` one of the host; blocking. A folder stands for what is in it."""
    found: dict[str, HostDevice] = {}
    for path in asked:
        if Path(path).is_dir():
            found |= _below(Path(path))
        else:
            found[path] = read_device(path)
    return found | (_below(root) if every else {})


def _below(folder: Path) -> dict[str, HostDevice]:
    found: dict[str, HostDevice] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name in _NOT_LISTED or entry.is_symlink():
            continue
        if entry.is_dir():
            found |= _below(entry)
        elif entry.is_char_device() or entry.is_block_device():
            found[str(entry)] = read_device(str(entry))
    return found
