"""A container's processes as `top` shows them, read from the host's /proc: no program of the image runs for it.

proc_pid_stat(5), proc_pid_status(5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

TITLES = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
_TICKS = os.sysconf("SC_CLK_TCK")


def table(pids: Sequence[int], proc: Path = Path("/proc")) -> list[list[str]]:
    """A row under TITLES for each process that still lives; blocking."""
    uptime = float((proc / "uptime").read_text().split()[0])
    rows = []
    for pid in sorted(pids):
        try:
            rows.append(_row(proc / str(pid), uptime))
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return rows


def _row(folder: Path, uptime: float) -> list[str]:
    text = (folder / "stat").read_text(errors="replace")
    # The name stands in parentheses and may itself hold any of both.
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    parent, terminal = fields[1], int(fields[4])
    used = (int(fields[11]) + int(fields[12])) / _TICKS
    age = max(0.01, uptime - int(fields[19]) / _TICKS)
    status = (folder / "status").read_text(errors="replace")  # the name in it is the program's to choose
    uid = next((line.split()[2] for line in status.splitlines() if line.startswith("Uid:")), "?")
    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return [
        "root" if uid == "0" else uid,
        folder.name,
        parent,
        str(min(99, int(100 * used / age))),
        _started(time.time() - age),
        _terminal(terminal),
        time.strftime("%H:%M:%S", time.gmtime(used)),
        command or f"[{name}]",
    ]


def _started(moment: float) -> str:
    same_day = time.time() - moment < 86400
    return time.strftime("%H:%M" if same_day else "%b%d", time.localtime(moment))


def _terminal(number: int) -> str:
    major = (number >> 8) & 0xFFF
    minor = (number & 0xFF) | ((number >> 12) & 0xFFF00)
    if major in range(136, 144):
        return f"pts/{minor + 256 * (major - 136)}"
    return "?" if not number else f"{major}:{minor}"


def host_cpu_time(proc: Path = Path("/proc")) -> int:
    """Nanoseconds that all CPUs of the host have run, idle ones included; Docker's system_cpu_usage. Blocking."""
    fields = (proc / "stat").read_text().splitlines()[0].split()[1:9]
    return sum(int(field) for field in fields) * 1_000_000_000 // _TICKS


def traffic(pid: int, proc: Path = Path("/proc")) -> tuple[int, int]:
    """Bytes received and sent on the interfaces of a process's network namespace but loopback; blocking."""
    received = sent = 0
    try:
        lines = (proc / str(pid) / "net/dev").read_text().splitlines()[2:]
    except OSError:
        return 0, 0
    for line in lines:
        name, _, rest = line.partition(":")
        fields = rest.split()
        if name.strip() != "lo" and len(fields) >= 9:
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
