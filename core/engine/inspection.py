"""Looking closely at one container: sizes, statistics, processes, isolation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from core.aio import off_loop
from core.cgroups import Stats
from core.engine import isolation, processes
from core.engine.groups import Groups
from core.engine.processes import host_cpu_time, traffic
from core.engine.records import Records
from core.engine.shimconfig import cgroup_path
from core.engine.system import memory_total
from core.errors import NotFound, SyscallFailed, WrongState
from core.model.container import ContainerRecord
from core.oci.document import plain
from core.storage.usage import tree_size


@dataclass(frozen=True, slots=True)
class Sample:
    """What a container used at a moment; `stats` None = it does not run. `host_cpu_ns` is the whole host's time."""

    time_ns: int
    stats: Stats | None = None
    host_cpu_ns: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...
    async def usage(self, key: str) -> int: ...


class Inspection:
    """Answers about single containers."""

    def __init__(self, records: Records, snapshots: Snapshots, groups: Groups, cgroup_version: int) -> None:
        self._records = records
        self._snapshots = snapshots
        self._groups = groups
        self._cgroup_version = cgroup_version

    def rootfs(self, record: ContainerRecord) -> Mapping[str, Any]:
        """The folders of a container's root file system; empty when they are gone."""
        try:
            return self._snapshots.rootfs(record.id)
        except NotFound:
            return {}

    async def size(self, record: ContainerRecord, image_size: int) -> tuple[int, int]:
        """Bytes of the writable layer, and of it and the image together."""
        try:
            own = await self._snapshots.usage(record.id)
        except NotFound:
            own = 0  # it is being removed
        return own, own + image_size

    async def sample(self, record: ContainerRecord) -> Sample:
        """What a container uses now."""
        if not record.state.pid:
            return Sample(time.time_ns())
        try:
            stats = await self._groups.stats(record.id)
        except SyscallFailed:
            return Sample(time.time_ns())  # it has just ended
        limit = stats.memory_limit or memory_total()
        received, sent = await off_loop(traffic, record.state.pid)
        return Sample(
            time.time_ns(), replace(stats, memory_limit=limit), await off_loop(host_cpu_time), received, sent
        )

    async def top(self, reference: str) -> dict[str, Any]:
        """The body of GET /containers/{id}/top. Raises WrongState."""
        record = self._records.get(reference)
        if not record.state.pid:
            raise WrongState(f"Container {record.id} is not running")
        pids = await self._groups.pids(record.id)
        return {"Titles": list(processes.TITLES), "Processes": await off_loop(processes.table, pids)}

    async def isolation(self, reference: str) -> dict[str, Any]:
        """What holds a running container apart. Raises WrongState."""
        record = self._records.get(reference)
        if not record.state.pid:
            raise WrongState(f"Container {record.id} is not running")
        try:
            found = await off_loop(isolation.describe_process, record.state.pid)
        except OSError as error:
            raise WrongState(f"Container {record.id} is not running") from error
        stats = await self._groups.stats(record.id)
        endpoint = record.endpoint
        return {
            **found,
            "masked": isolation.masked(found["mounts"]),
            "readonly": isolation.readonly(found["mounts"]),
            "cgroup": {
                "path": cgroup_path(record.id),
                "version": self._cgroup_version,
                "limits": _limits(record),
                "usage": _usage(stats),
            },
            "layers": await off_loop(_sizes, isolation.layers(self.rootfs(record))),
            "network": {
                "ip": endpoint.ip_address if endpoint else "",
                "mac": endpoint.mac_address if endpoint else "",
                "gateway": endpoint.gateway if endpoint else "",
                "ports": plain(endpoint.ports) if endpoint else {},
            },
        }


def _limits(record: ContainerRecord) -> dict[str, Any]:
    host = record.host_config
    return {
        "memory": host.memory,
        "memory_swap": host.memory_swap,
        "nano_cpus": host.nano_cpus,
        "cpu_shares": host.cpu_shares,
        "cpuset_cpus": host.cpuset_cpus,
        "pids": host.pids_limit or 0,
    }


def _usage(stats: Stats) -> dict[str, Any]:
    return {
        "cpu_ns": stats.cpu_total,
        "memory": stats.memory_usage,
        "memory_limit": stats.memory_limit,
        "pids": stats.pids,
    }


def _sizes(folders: list[str]) -> list[dict[str, Any]]:
    return [{"path": folder, "size": tree_size(folder)} for folder in folders]
