"""`onggi update`"""

from __future__ import annotations

from core.cli import many, values
from core.cli.context import Context, warn
from core.cli.create import texts
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, number, option
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NUMBERS = {
    "cpu-period": "CpuPeriod", "cpu-quota": "CpuQuota", "cpu-shares": "CpuShares", "cpus": "NanoCpus",
    "memory": "Memory", "memory-reservation": "MemoryReservation", "memory-swap": "MemorySwap",
    "pids-limit": "PidsLimit",
}  # fmt: skip


def update(context: Context, given: Arguments) -> int:
    """Change limits and the restart policy of containers that exist."""
    request: dict[str, Any] = {member: given.number(name) for name, member in _NUMBERS.items() if given.given(name)}
    for name, member in (("cpuset-cpus", "CpusetCpus"), ("cpuset-mems", "CpusetMems")):
        if given.given(name):
            request[member] = given.text(name)
    if given.given("restart"):
        request["RestartPolicy"] = texts.restart_policy(given.text("restart"))
    if not request:
        raise CommandFailed("you must provide one or more flags when using this command")

    def change(name: str) -> object:
        return context.engine.post(f"/containers/{quote(name)}/update", body=request)

    warnings: list[str] = []

    def show(name: str, result: object) -> str:
        warnings.extend((result.get("Warnings") or ()) if isinstance(result, dict) else ())
        return name

    failed = many.each(given.operands, change, show=show)
    for text in warnings:
        warn(text)
    return 1 if failed else 0


UPDATE = Command(
    update,
    "Update configuration of one or more containers",
    "CONTAINER [CONTAINER...]",
    (
        number("cpu-period", "", "Limit CPU CFS (Completely Fair Scheduler) period"),
        number("cpu-quota", "", "Limit CPU CFS (Completely Fair Scheduler) quota"),
        number("cpu-shares", "c", "CPU shares (relative weight)"),
        option("cpus", "", "Number of CPUs", metavar="decimal", parse=values.cpus),
        option("cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)"),
        option("cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)"),
        option("memory", "m", "Memory limit", metavar="bytes", parse=values.size),
        option("memory-reservation", "", "Memory soft limit", metavar="bytes", parse=values.size),
        option("memory-swap", "", "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
               metavar="bytes", parse=values.size_or_unlimited),
        number("pids-limit", "", "Tune container pids limit (set -1 for unlimited)"),
        option("restart", "", "Restart policy to apply when a container exits"),
    ),
    least=1,
    most=None,
)  # fmt: skip
