"""Resources -> what to write into which file. Pure. The kernel's cgroup-v1/*.rst and cgroup-v2.rst."""

from __future__ import annotations

from typing import NamedTuple

from core.cgroups.devices import check_rules
from core.oci.runtime import BlockIO, Cpu, DeviceRule, Memory, Resources

UNLIMITED = 1 << 63  # above what the kernel shows for "no limit" on v1, which is rounded down to a page


class Write(NamedTuple):
    """One write. `optional`: the file may be missing, and then the limit is not kept, as with Docker."""

    controller: str
    file: str
    value: str
    optional: bool = False


def v1_writes(resources: Resources) -> tuple[Write, ...]:
    """Everything but memory, whose order depends on what is set now: see `v1_memory_writes`. Raises InvalidSpec."""
    check_rules(resources.devices)
    found = [*_v1_cpu(resources.cpu), *_v1_block_io(resources.block_io)]
    if resources.pids and resources.pids.limit:  # 0 is Docker's "not asked for"
        found.append(Write("pids", "pids.max", _or_max(resources.pids.limit)))
    devices = (
        Write("devices", "devices.allow" if rule.allow else "devices.deny", device_line(rule))
        for rule in resources.devices
    )
    return (*found, *devices)


def _v1_cpu(cpu: Cpu | None) -> list[Write]:
    if cpu is None:
        return []
    found = []
    if cpu.shares:
        found.append(Write("cpu", "cpu.shares", str(cpu.shares)))
    if cpu.period:
        found.append(Write("cpu", "cpu.cfs_period_us", str(cpu.period)))
    if cpu.quota:
        found.append(Write("cpu", "cpu.cfs_quota_us", str(cpu.quota)))
    if cpu.cpus:
        found.append(Write("cpuset", "cpuset.cpus", cpu.cpus))
    if cpu.mems:
        found.append(Write("cpuset", "cpuset.mems", cpu.mems))
    return found


def _v1_block_io(block_io: BlockIO | None) -> list[Write]:
    if block_io is None or not block_io.weight:
        return []
    weight = str(block_io.weight)
    return [Write("blkio", "blkio.weight", weight, True), Write("blkio", "blkio.bfq.weight", weight, True)]


def v1_memory_writes(memory: Memory, memsw_now: int) -> tuple[Write, ...]:
    """The kernel wants limit <= memory+swap at every moment: what grows beyond the other goes second.

    `memsw_now` is the limit of memory+swap in force.
    """
    limit, swap = _bytes(memory.limit), _bytes(memory.swap)
    writes = []
    if limit is not None:
        writes.append(Write("memory", "memory.limit_in_bytes", _signed(limit)))
    if swap is not None:
        # Optional: without swap accounting in the kernel there is no such file, and no such limit.
        writes.append(Write("memory", "memory.memsw.limit_in_bytes", _signed(swap), True))
    if limit is not None and swap is not None and limit > memsw_now:
        writes.reverse()
    if memory.reservation is not None:
        value = _signed(_bytes(memory.reservation) or 0)
        writes.append(Write("memory", "memory.soft_limit_in_bytes", value))
    if memory.swappiness is not None:
        writes.append(Write("memory", "memory.swappiness", str(memory.swappiness)))
    if memory.disable_oom_killer:
        writes.append(Write("memory", "memory.oom_control", "1"))
    return tuple(writes)


def v2_writes(resources: Resources) -> tuple[Write, ...]:
    """Everything but devices, which are a BPF program."""
    found = [*_v2_memory(resources.memory), *_v2_cpu(resources.cpu)]
    if resources.pids and resources.pids.limit:  # 0 is Docker's "not asked for"
        found.append(Write("pids", "pids.max", _or_max(resources.pids.limit)))
    if resources.block_io and resources.block_io.weight:
        found.append(Write("io", "io.bfq.weight", str(resources.block_io.weight), True))
        found.append(Write("io", "io.weight", f"default {io_weight(resources.block_io.weight)}", True))
    for name, value in resources.unified.items():
        found.append(Write(name.partition(".")[0], name, value))
    return tuple(found)


def _v2_memory(memory: Memory | None) -> list[Write]:
    if memory is None:
        return []
    found = []
    limit, swap = _bytes(memory.limit), _bytes(memory.swap)
    if swap is not None:
        # The specification's swap includes memory, the file's does not.
        value = UNLIMITED if swap >= UNLIMITED or limit is None or limit >= UNLIMITED else swap - limit
        found.append(Write("memory", "memory.swap.max", _or_max(value), True))
    if limit is not None:
        found.append(Write("memory", "memory.max", _or_max(limit)))
    if memory.reservation is not None:
        found.append(Write("memory", "memory.low", _or_max(memory.reservation)))
    return found


def _v2_cpu(cpu: Cpu | None) -> list[Write]:
    if cpu is None:
        return []
    found = []
    if cpu.shares:
        found.append(Write("cpu", "cpu.weight", str(cpu_weight(cpu.shares))))
    if cpu.quota or cpu.period:
        quota = str(cpu.quota) if cpu.quota and cpu.quota > 0 else "max"
        found.append(Write("cpu", "cpu.max", f"{quota} {cpu.period}" if cpu.period else quota))
    if cpu.cpus:
        found.append(Write("cpuset", "cpuset.cpus", cpu.cpus))
    if cpu.mems:
        found.append(Write("cpuset", "cpuset.mems", cpu.mems))
    return found


def cpu_weight(shares: int) -> int:
    """v1's cpu.shares (2 to 262144) as v2's cpu.weight (1 to 10000); runtime-spec's conversion."""
    return 1 + ((min(max(shares, 2), 262144) - 2) * 9999) // 262142


def io_weight(weight: int) -> int:
    """v1's blkio weight (10 to 1000) as v2's io.weight (1 to 10000)."""
    return 1 + ((min(max(weight, 10), 1000) - 10) * 9999) // 990


def device_line(rule: DeviceRule) -> str:
    """A rule as the devices controller reads it; "a" stands for everything whatever else is said."""
    if rule.type == "a":
        return "a"
    major, minor = ("*" if number is None or number < 0 else str(number) for number in (rule.major, rule.minor))
    return f"{rule.type} {major}:{minor} {rule.access or 'rwm'}"


def _bytes(value: int | None) -> int | None:
    """-1 = unlimited; 0 = not given."""
    if value is None or value == 0:
        return None
    return UNLIMITED if value < 0 else value


def _signed(value: int) -> str:
    return "-1" if value >= UNLIMITED else str(value)


def _or_max(value: int) -> str:
    return "max" if value <= -1 or value >= UNLIMITED else str(value)
