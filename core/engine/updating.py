"""Changing limits and the restart policy of a container, running or not: `update`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from core.engine import validate
from core.engine.announce import announce
from core.engine.events import Events
from core.engine.groups import Groups
from core.engine.limits import HostCpus, check_resources
from core.engine.records import Records
from core.engine.specgen import limits
from core.engine.tasks import Tasks
from core.errors import Conflict, InvalidArgument, WrongState
from core.model.container import HostConfig, Status
from core.oci.document import convert, plain

# What may change; the rest of a HostConfig is fixed with the container.
MEMBERS = {
    "Memory": "memory",
    "MemorySwap": "memory_swap",
    "MemoryReservation": "memory_reservation",
    "NanoCpus": "nano_cpus",
    "CpuShares": "cpu_shares",
    "CpuPeriod": "cpu_period",
    "CpuQuota": "cpu_quota",
    "CpusetCpus": "cpuset_cpus",
    "CpusetMems": "cpuset_mems",
    "PidsLimit": "pids_limit",
    "RestartPolicy": "restart_policy",
}


class Updating:
    """Changes containers."""

    def __init__(
        self, records: Records, events: Events, tasks: Tasks, groups: Groups, cpus: Callable[[], HostCpus]
    ) -> None:
        self._records = records
        self._events = events
        self._tasks = tasks
        self._groups = groups
        self._cpus = cpus

    async def update(self, reference: str, asked: Mapping[str, Any]) -> None:
        """Apply the members of a HostConfig that are given. Raises InvalidArgument, Conflict, SyscallFailed."""
        record = self._records.get(reference)
        if record.state.status in (Status.REMOVING, Status.DEAD):
            raise Conflict(f"container {record.id} is marked for removal and cannot be updated")
        host = changed(record.host_config, asked)
        validate.check_restart_policy(host.restart_policy)
        if record.host_config.auto_remove and host.restart_policy.name not in ("", "no"):
            raise InvalidArgument(
                "Restart policy cannot be updated because AutoRemove is enabled for the container"
            )
        check_resources(host, self._cpus())
        if record.state.pid:
            await self._groups.apply(record.id, limits(host))
        if record.running:
            try:
                policy = host.restart_policy
                await self._tasks.get(record).shim.update(policy.name or "no", policy.maximum_retry_count)
            except WrongState:
                pass  # it has just ended
        record = self._records.change(
            record.id, lambda old: msgspec.structs.replace(old, host_config=host), durable=True
        )
        announce(self._events, record, "update")


def changed(host: HostConfig, asked: Mapping[str, Any]) -> HostConfig:
    """`host` with what `asked` gives; 0, "" and an empty policy mean not given, as Docker's client sends them."""
    given = {name: value for name, value in asked.items() if name in MEMBERS and value}
    policy = given.get("RestartPolicy")
    if isinstance(policy, dict) and not policy.get("Name"):
        del given["RestartPolicy"]
    if "NanoCpus" in given:
        given |= {"CpuPeriod": 0, "CpuQuota": 0}
    if "Memory" in given and "MemorySwap" not in given and host.memory_swap > 0:
        # Docker refuses a limit above the swap limit; so does the check that follows.
        given["MemorySwap"] = host.memory_swap
    return convert({**plain(host), **given}, HostConfig, what="update request")
