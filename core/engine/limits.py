"""Checks of what a request asks of the host's resources, in Docker's words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidArgument
from core.model.container import HostConfig

MINIMUM_MEMORY = 6 * 1024 * 1024  # bytes; less does not hold a process and its page tables
CPU_COUNT_LIMIT = 8192  # CPUs a list may name; the kernel's NR_CPUS is no larger


@dataclass(frozen=True, slots=True)
class HostCpus:
    """The host's CPUs: how many, and the numbers of those that are online."""

    count: int
    online: frozenset[int]


def check_resources(host: HostConfig, cpus: HostCpus) -> None:
    """Raises InvalidArgument for the first limit that cannot be."""
    _check_memory(host)
    _check_cpu(host, cpus)
    if host.shm_size < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    if host.pids_limit is not None and host.pids_limit < -1:
        raise InvalidArgument("invalid pids limit: must be positive, or -1 for no limit")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidArgument(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")


def _check_memory(host: HostConfig) -> None:
    if host.memory < 0 or 0 < host.memory < MINIMUM_MEMORY:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if host.memory_swap > 0 and not host.memory:
        raise InvalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.memory_swap < -1 or 0 < host.memory_swap < host.memory:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if 0 < host.memory_reservation < MINIMUM_MEMORY or host.memory_reservation < 0:
        raise InvalidArgument("Minimum memory reservation allowed is 6MB")
    if host.memory and host.memory_reservation > host.memory:
        raise InvalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage")


def _check_cpu(host: HostConfig, cpus: HostCpus) -> None:
    if host.nano_cpus and host.cpu_period:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if host.nano_cpus and host.cpu_quota:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if host.nano_cpus and not 10_000_000 <= host.nano_cpus <= cpus.count * 1_000_000_000:
        raise InvalidArgument(
            f"Range of CPUs is from 0.01 to {cpus.count}.00, as there are only {cpus.count} CPUs available"
        )
    if host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidArgument(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if host.cpu_quota and 0 < host.cpu_quota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host.cpu_shares < 0:
        raise InvalidArgument("invalid CPU shares: must not be negative")
    _check_cpuset(host.cpuset_cpus, "cpus", cpus)
    _check_cpuset(host.cpuset_mems, "mems", None)


def _check_cpuset(text: str, what: str, cpus: HostCpus | None) -> None:
    asked = parse_cpu_list(text, what)
    if cpus is not None and not asked <= cpus.online:
        available = ",".join(str(number) for number in sorted(cpus.online))
        raise InvalidArgument(f"Requested CPUs are not available - requested {text}, available: {available}")


def parse_cpu_list(text: str, what: str = "cpus") -> frozenset[int]:
    """`0-3,7` as numbers. Bounded, because `0-18446744073709551615` is a valid list too (CVE-2018-20699)."""
    found: set[int] = set()
    for part in text.split(",") if text else []:
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not (_is_small(first) and _is_small(last)) or int(first) > int(last):
            raise InvalidArgument(f"Invalid value {text[:80]} for cpuset {what}")
        found.update(range(int(first), int(last) + 1))
    return frozenset(found)


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < CPU_COUNT_LIMIT
