"""What a cgroup uses, read from its files."""

from __future__ import annotations

from collections.abc import Mapping

from core.cgroups import files
from core.cgroups.model import Stats

_TICK = 10_000_000  # nanoseconds: USER_HZ is 100 on every architecture that we run on
_NO_LIMIT = 1 << 62  # v1 shows "none" as the largest multiple of a page


def v1_stats(folders: Mapping[str, str]) -> Stats:
    """From the folder of each controller; what has no controller is 0."""
    memory = folders.get("memory", "/")
    stat = files.table(memory, "memory.stat")
    usage = files.number(memory, "memory.usage_in_bytes")
    limit = files.number(memory, "memory.limit_in_bytes")
    accounting, cpu = folders.get("cpuacct", "/"), files.table(folders.get("cpu", "/"), "cpu.stat")
    split = files.table(accounting, "cpuacct.stat")
    sizes = files.read(folders.get("blkio", "/"), "blkio.throttle.io_service_bytes_recursive")
    ops = files.read(folders.get("blkio", "/"), "blkio.throttle.io_serviced_recursive")
    return Stats(
        cpu_total=files.number(accounting, "cpuacct.usage"),
        cpu_user=split.get("user", 0) * _TICK,
        cpu_system=split.get("system", 0) * _TICK,
        cpu_periods=cpu.get("nr_periods", 0),
        cpu_throttled_periods=cpu.get("nr_throttled", 0),
        cpu_throttled=cpu.get("throttled_time", 0),
        memory_usage=usage,
        memory_limit=0 if limit >= _NO_LIMIT else limit,
        memory_peak=files.number(memory, "memory.max_usage_in_bytes"),
        memory_failures=files.number(memory, "memory.failcnt"),
        memory_stat=stat,
        working_set=max(0, usage - stat.get("total_inactive_file", 0)),
        pids=files.number(folders.get("pids", "/"), "pids.current"),
        pids_limit=files.number(folders.get("pids", "/"), "pids.max"),
        read_bytes=_v1_io(sizes, "Read"),
        write_bytes=_v1_io(sizes, "Write"),
        read_ops=_v1_io(ops, "Read"),
        write_ops=_v1_io(ops, "Write"),
    )


def _v1_io(text: str, what: str) -> int:
    """Lines `major:minor Read number`."""
    rows = (line.split() for line in text.splitlines())
    return sum(int(row[2]) for row in rows if len(row) == 3 and row[1] == what)


def v2_stats(folder: str) -> Stats:
    """From the one folder."""
    cpu = files.table(folder, "cpu.stat")
    stat = files.table(folder, "memory.stat")
    usage = files.number(folder, "memory.current")
    io = _v2_io(files.read(folder, "io.stat"))
    return Stats(
        cpu_total=cpu.get("usage_usec", 0) * 1000,
        cpu_user=cpu.get("user_usec", 0) * 1000,
        cpu_system=cpu.get("system_usec", 0) * 1000,
        cpu_periods=cpu.get("nr_periods", 0),
        cpu_throttled_periods=cpu.get("nr_throttled", 0),
        cpu_throttled=cpu.get("throttled_usec", 0) * 1000,
        memory_usage=usage,
        memory_limit=files.number(folder, "memory.max"),
        memory_peak=files.number(folder, "memory.peak"),
        memory_failures=files.table(folder, "memory.events").get("max", 0),
        memory_stat=stat,
        working_set=max(0, usage - stat.get("inactive_file", 0)),
        pids=files.number(folder, "pids.current"),
        pids_limit=files.number(folder, "pids.max"),
        read_bytes=io.get("rbytes", 0),
        write_bytes=io.get("wbytes", 0),
        read_ops=io.get("rios", 0),
        write_ops=io.get("wios", 0),
    )


def _v2_io(text: str) -> dict[str, int]:
    """Lines `major:minor key=number ...`, added up over the devices."""
    total: dict[str, int] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if equals and value.isdigit():
            total[key] = total.get(key, 0) + int(value)
    return total
