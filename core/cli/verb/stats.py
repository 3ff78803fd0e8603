"""`onggi stats`"""

from __future__ import annotations

import sys
import time

from core.cli import listing, preferences, units, words
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed, engine_says
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_PERIOD = 1.0  # seconds
_CLEAR = "\x1b[H\x1b[2J"
HEADERS = {
    "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %",
    "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS", "Container": "CONTAINER",
}  # fmt: skip
COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")


def stats(context: Context, given: Arguments) -> int:
    """What containers use; again every second unless --no-stream."""
    template = preferences.template(given, "stats")
    while True:
        names = given.operands or _running(context, everything=given.on("all"))
        rows = [_row(sample, full=given.on("no-trunc")) for sample in _samples(context, names)]
        if given.on("no-stream"):
            listing.show(rows, HEADERS, COLUMNS, template)
            return 0
        if sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        listing.show(rows, HEADERS, COLUMNS, template)
        sys.stdout.flush()
        time.sleep(_PERIOD)


def _running(context: Context, *, everything: bool) -> list[str]:
    return [entry["Id"] for entry in context.engine.get("/containers/json", {"all": everything or None})]


def _samples(context: Context, names: Sequence[str]) -> list[dict[str, Any]]:
    if not names:
        return []
    from concurrent.futures import ThreadPoolExecutor

    def sample(name: str) -> dict[str, Any] | EngineError:
        try:
            found = context.engine.get(f"/containers/{quote(name)}/stats", {"stream": False})
            return {"Container": name, **found}
        except EngineError as error:
            return error

    with ThreadPoolExecutor(min(len(names), 50)) as pool:
        found = list(pool.map(sample, names))
    for result in found:
        if isinstance(result, EngineError):
            if len(names) == 1:
                raise CommandFailed(engine_says(result)) from result
            warn(engine_says(result))
    return [result for result in found if isinstance(result, dict)]


def _row(sample: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    memory = sample.get("memory_stats") or {}
    used, limit = _memory(memory), memory.get("limit") or 0
    networks = (sample.get("networks") or {}).values()
    received = sum(one["rx_bytes"] for one in networks)
    sent = sum(one["tx_bytes"] for one in networks)
    read, written = _blocks(sample.get("blkio_stats") or {})
    identity = sample.get("id") or sample["Container"]
    return {
        "BlockIO": f"{units.human_size(read, 3)} / {units.human_size(written, 3)}",
        "CPUPerc": f"{_cpu_percent(sample):.2f}%",
        "Container": sample["Container"],
        "ID": identity if full else words.short_id(identity),
        "MemPerc": f"{used / limit * 100 if limit else 0:.2f}%",
        "MemUsage": f"{units.binary_size(used)} / {units.binary_size(limit)}",
        "Name": (sample.get("name") or "--").lstrip("/"),
        "NetIO": f"{units.human_size(received, 3)} / {units.human_size(sent, 3)}",
        "PIDs": str((sample.get("pids_stats") or {}).get("current") or 0),
    }


def _memory(memory: Mapping[str, Any]) -> int:
    """Without the page cache that the kernel would give back (Docker: v1 total_inactive_file, v2 inactive_file)."""
    usage = int(memory.get("usage") or 0)
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    return usage - cache if cache < usage else usage


def _cpu_percent(sample: Mapping[str, Any]) -> float:
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    used = _total(now) - _total(before)
    passed = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    cpus = now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or ()) or 1
    return used / passed * cpus * 100 if used > 0 and passed > 0 else 0.0


def _total(cpu: Mapping[str, Any]) -> int:
    return int((cpu.get("cpu_usage") or {}).get("total_usage") or 0)


def _blocks(blocks: Mapping[str, Any]) -> tuple[int, int]:
    totals = {"read": 0, "write": 0}
    for entry in blocks.get("io_service_bytes_recursive") or ():
        operation = str(entry.get("op", "")).lower()
        if operation in totals:
            totals[operation] += entry["value"]
    return totals["read"], totals["write"]


STATS = Command(
    stats,
    "Display a live stream of container(s) resource usage statistics",
    "[CONTAINER...]",
    (
        switch("all", "a", "Show all containers (default shows just running)"),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("no-stream", "", "Disable streaming stats and only pull the first result"),
        switch("no-trunc", "", "Do not truncate output"),
    ),
    most=None,
)
