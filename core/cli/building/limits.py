"""What the programs of a build may use: network, hosts, memory, CPU."""

from __future__ import annotations

from core.cli import values
from core.cli.create import texts
from core.cli.parser import Arguments, number, option, several
from core.client import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAMES = {
    "shm-size": "shmsize", "memory": "memory", "memory-swap": "memswap", "cpu-shares": "cpushares",
    "cpu-period": "cpuperiod", "cpu-quota": "cpuquota", "cpuset-cpus": "cpusetcpus", "cpuset-mems": "cpusetmems",
    "network": "networkmode",
}  # fmt: skip

FLAGS = (
    several("add-host", "", "Add a custom host-to-IP mapping (format: \"host:ip\")", parse=texts.extra_host),
    number("cpu-period", "", "Limit the CPU CFS (Completely Fair Scheduler) period"),
    number("cpu-quota", "", "Limit the CPU CFS (Completely Fair Scheduler) quota"),
    number("cpu-shares", "c", "CPU shares (relative weight)"),
    option("cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)"),
    option("cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)"),
    option("memory", "m", "Memory limit", metavar="bytes", parse=values.size),
    option("memory-swap", "", "Swap limit equal to memory plus swap: -1 to enable unlimited swap", metavar="bytes",
           parse=values.size_or_unlimited),
    option("network", "", 'Set the networking mode of "RUN" instructions ("default", "none", "host")'),
    option("shm-size", "", "Size of /dev/shm", metavar="bytes", parse=values.size),
    several("ulimit", "", "Ulimit options", metavar="ulimit", parse=texts.ulimit),
)  # fmt: skip


def query(given: Arguments) -> dict[str, Any]:
    """The members of a build's query, as Docker's API has them."""
    found: dict[str, Any] = {
        member: str(given.value(name)) for name, member in _NAMES.items() if given.given(name) and given.value(name)
    }
    if given.texts("add-host"):
        found["extrahosts"] = given.texts("add-host")
    if given.texts("ulimit"):
        found["ulimits"] = jsontext.dumps(given.value("ulimit"))
    return found
