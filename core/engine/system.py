"""What the engine says of itself and of its host: info, version, df."""

from __future__ import annotations

import os
import platform
import time
from collections import ChainMap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop
from core.engine.limits import HostCpus
from core.engine.records import Records
from core.model.container import Status
from core.model.image import Image
from core.model.network import VolumeRecord
from core.oci.digest import Digest
from core.oci.platform import machine_platform
from core.paths import Paths
from core.storage.usage import tree_size
from core.wire.codec import API_VERSION, MINIMUM_API_VERSION, timestamp

VERSION = "0.1.0"

_ABILITIES: dict[str, Any] = {
    "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Log": ["json-file", "local"]},
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "IPv4Forwarding": True,
}


class Images(Protocol):
    async def list(self) -> tuple[Image, ...]: ...
    def layer_sizes(self, image: Image) -> dict[str, int]: ...
    def shared_sizes(self) -> dict[Digest, int]: ...


class Volumes(Protocol):
    async def list(self) -> tuple[VolumeRecord, ...]: ...


def host_cpus() -> HostCpus:
    """The CPUs this process may use: what a container can at most be given."""
    online = os.sched_getaffinity(0)
    return HostCpus(len(online), frozenset(online))


def memory_total() -> int:
    """The host's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def architecture() -> str:
    """The host's architecture in the words of image platforms."""
    return machine_platform(platform.machine()).architecture


class System:
    """Answers about the whole."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        *,
        images: Images,
        volumes: Volumes,
        cgroup_version: int,
        warnings: Callable[[], Sequence[str]],
    ) -> None:
        self._paths = paths
        self._records = records
        self._images = images
        self._volumes = volumes
        self._cgroup_version = cgroup_version
        self._started_ns = time.time_ns()
        self._warnings = warnings

    def host(self) -> dict[str, Any]:
        """Figures of the host that clients show beside containers."""
        return {
            "cpus": host_cpus().count,
            "mem_total": memory_total(),
            "kernel": platform.release(),
            "architecture": architecture(),
            "cgroup_version": self._cgroup_version,
            "root": str(self._paths.root),
            "run": str(self._paths.run),
            "started_at": timestamp(self._started_ns),
            "warnings": list(self._warnings()),
        }

    def version(self) -> dict[str, Any]:
        """The body of GET /version."""
        details = {
            "ApiVersion": API_VERSION,
            "Arch": architecture(),
            "KernelVersion": platform.release(),
            "MinAPIVersion": MINIMUM_API_VERSION,
            "Os": "linux",
        }
        return {
            "Platform": {"Name": "onggi"},
            "Components": [{"Name": "Engine", "Version": VERSION, "Details": details}],
            "Version": VERSION,
            "GitCommit": "",
            "GoVersion": "",
            **details,
            "BuildTime": "",
        }

    async def info(self) -> dict[str, Any]:
        """The body of GET /info."""
        records = self._records.all()
        states = [record.state.status for record in records]
        paused = states.count(Status.PAUSED)
        running = sum(record.running for record in records) - paused
        name, release = await off_loop(os_release)
        return {
            "ID": "onggi",
            "Containers": len(records),
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": len(records) - running - paused,
            "Images": len(await self._images.list()),
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"]],
            **_ABILITIES,
            "OomKillDisable": self._cgroup_version == 1,
            "SystemTime": timestamp(time.time_ns()),
            "LoggingDriver": "json-file",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": str(self._cgroup_version),
            "KernelVersion": platform.release(),
            "OperatingSystem": name,
            "OSVersion": release,
            "OSType": "linux",
            "Architecture": platform.machine(),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "NCPU": host_cpus().count,
            "MemTotal": memory_total(),
            "DockerRootDir": str(self._paths.root),
            "Name": platform.node(),
            "Labels": [],
            "ExperimentalBuild": False,
            "ServerVersion": VERSION,
            "Runtimes": {"onggi": {"path": "core.runtime"}},
            "DefaultRuntime": "onggi",
            "LiveRestoreEnabled": True,
            "SecurityOptions": ["name=seccomp,profile=builtin"],
            "Swarm": {"LocalNodeState": "inactive", "NodeID": "", "ControlAvailable": False},
            "Warnings": list(self._warnings()),
        }

    async def disk_usage(self) -> dict[str, Any]:
        """Sizes for GET /system/df, in Docker's words and bytes."""
        images = await self._images.list()
        layers = ChainMap(*map(self._images.layer_sizes, images))
        return {
            "LayersSize": sum(dict(layers).values()),
            "images": images,
            "shared": self._images.shared_sizes(),
            "volumes": await self._volumes.list(),
        }

    async def folder_size(self, folder: str) -> int:
        """Bytes below a folder."""
        return await off_loop(tree_size, folder)


def os_release(path: Path = Path("/etc/os-release")) -> tuple[str, str]:
    """PRETTY_NAME and VERSION_ID of os-release(5)."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return "Linux", ""
    members = {name: value.strip().strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
    return members.get("PRETTY_NAME", "Linux"), members.get("VERSION_ID", "")
