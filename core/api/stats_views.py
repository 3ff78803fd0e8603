"""Statistics as Docker's API shows them. Pure."""

from __future__ import annotations

from typing import Any

from core.cgroups import Stats
from core.engine.inspection import Sample
from core.engine.system import host_cpus
from core.model.container import ContainerRecord
from core.wire.codec import timestamp

_NEVER = "0001-01-01T00:00:00Z"


def stats_json(record: ContainerRecord, now: Sample, before: Sample | None) -> dict[str, Any]:
    """A line of GET /containers/{id}/stats: this sample and, for rates, the one before.

    A container that does not run has a line of empty statistics, as Docker's.
    """
    stats = now.stats or Stats()
    return {
        "name": f"/{record.name}",
        "id": record.id,
        "read": timestamp(now.time_ns) if now.stats else _NEVER,
        "preread": timestamp(before.time_ns) if before and before.stats else _NEVER,
        "num_procs": 0,
        "storage_stats": {},
        "pids_stats": {"current": stats.pids, "limit": stats.pids_limit} if now.stats else {},
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before) if before else _no_cpu(),
        "memory_stats": _memory(stats) if now.stats else {},
        "blkio_stats": _blkio(stats),
        "networks": {
            "eth0": {
                "rx_bytes": now.rx_bytes, "rx_packets": 0, "rx_errors": 0, "rx_dropped": 0,
                "tx_bytes": now.tx_bytes, "tx_packets": 0, "tx_errors": 0, "tx_dropped": 0,
            }
        },
    }  # fmt: skip


def _no_cpu() -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _cpu(sample: Sample) -> dict[str, Any]:
    stats = sample.stats
    if stats is None:
        return _no_cpu()
    return {
        "cpu_usage": {
            "total_usage": stats.cpu_total,
            "usage_in_kernelmode": stats.cpu_system,
            "usage_in_usermode": stats.cpu_user,
        },
        "system_cpu_usage": sample.host_cpu_ns,
        "online_cpus": host_cpus().count,
        "throttling_data": {
            "periods": stats.cpu_periods,
            "throttled_periods": stats.cpu_throttled_periods,
            "throttled_time": stats.cpu_throttled,
        },
    }


def _memory(stats: Stats) -> dict[str, Any]:
    return {
        "usage": stats.memory_usage,
        "max_usage": stats.memory_peak,
        "stats": dict(stats.memory_stat),
        "failcnt": stats.memory_failures,
        "limit": stats.memory_limit,
    }


def _blkio(stats: Stats) -> dict[str, Any]:
    def rows(read: int, write: int) -> list[dict[str, Any]]:
        pairs = (("read", read), ("write", write))
        return [{"major": 0, "minor": 0, "op": op, "value": value} for op, value in pairs]

    return {
        "io_service_bytes_recursive": rows(stats.read_bytes, stats.write_bytes),
        "io_serviced_recursive": rows(stats.read_ops, stats.write_ops),
    }
