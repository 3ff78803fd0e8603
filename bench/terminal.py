"""`python -m bench.terminal`: the attach terminal beside tmux and the bare pty, in one run. No engine is needed."""

from __future__ import annotations

import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.screens import WORKLOADS
from tui.terminal.screen import FastScreen
from tui.terminal.source import PtySource
from tui.terminal.stream import FastStream

_COLUMNS, _LINES = 120, 40
_CHUNK = 65536
_PATIENCE = 60.0  # seconds
_PROMPT = b"@@>"
_MARK = b"all-of-it"
_SHELL = ["sh", "-c", "PS1='@@> ' exec sh -i"]
_MEGABYTES = 20


def main() -> None:
    """Measure and print."""
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {_COLUMNS}x{_LINES}\n")
    print("| input | MB/s executed |\n| --- | --- |")
    for name, data in WORKLOADS.items():
        print(f"| {name} | {engine_rate(data):.1f} |", flush=True)
    print(f"| 10,000 lines of scrollback | {scrollback_cost():.1f} MB |\n")
    ways = {"bare pty": _SHELL, "tmux": _tmux(), "onggi": _onggi()}
    rows: list[tuple[str, str, Callable[[list[str]], float]]] = [
        (f"{_MEGABYTES} MB `cat`", "MB/s", cat_rate),
        ("key to paint, median", "ms", lambda argv: key_times(argv, 0.5)),
        ("key to paint, p99", "ms", lambda argv: key_times(argv, 0.99)),
        ("Ctrl-C out of `yes`", "ms", interrupt_time),
        ("bytes written while idle", "B/s", idle_bytes),
    ]
    print("| | " + " | ".join(ways) + " | onggi ÷ tmux | onggi ÷ bare |\n" + "| --- " * (len(ways) + 3) + "|")
    for title, unit, figure in rows:
        values = {name: figure(argv) for name, argv in ways.items() if argv}
        cells = [f"{values[name]:.1f} {unit}" if name in values else "not installed" for name in ways]
        cells += [
            f"{values['onggi'] / values[other]:.2f}" if values.get(other) else "–" for other in ("tmux", "bare pty")
        ]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def engine_rate(data: bytes) -> float:
    """MB/s of processor time in the emulator alone, the best of three."""
    best = 0.0
    for _ in range(3):
        stream = FastStream(FastScreen(_COLUMNS, _LINES))
        start = time.process_time()
        for at in range(0, len(data), _CHUNK):
            stream.feed(data[at : at + _CHUNK])
        best = max(best, len(data) / (time.process_time() - start) / 1e6)
    return best


def scrollback_cost() -> float:
    """MB that 10,000 lines of 80 characters take, drawn one by one."""
    code = (
        "import sys; from bench.terminal import resident, filled; filled(100); before = resident();"
        "kept = filled(int(sys.argv[1])); print(resident() - before)"
    )
    full, none = (
        int(subprocess.run([sys.executable, "-c", code, n], check=True, capture_output=True, text=True).stdout)
        for n in ("10000", "100")
    )
    return (full - none) / 1000


def filled(lines: int) -> FastScreen:
    """A screen that `lines` lines have gone through."""
    screen = FastScreen(_COLUMNS, _LINES)
    stream = FastStream(screen, skip=False)
    for number in range(lines):
        stream.feed(b"%-79d|\r\n" % number)
    return screen


def resident() -> int:
    """The memory that this process has now, in KB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def cat_rate(argv: list[str]) -> float:
    """MB/s of a large file to the terminal, to the prompt behind it."""
    with tempfile.NamedTemporaryFile() as file, _running(argv) as outer:
        line = b"2026-01-01 12:00:00 INFO request handled by the worker thread pool in 12 ms\n"
        file.write(line * (_MEGABYTES * 1_000_000 // len(line)))
        file.flush()
        start = time.perf_counter()
        outer.write(f"cat {file.name}; printf 'all-%s\\n' of-it\r".encode())
        _until(outer, _MARK)
        return _MEGABYTES / (time.perf_counter() - start)


def key_times(argv: list[str], quantile: float) -> float:
    """Milliseconds from a key to its letter on the outer terminal; where the cursor goes before is no answer."""
    with _running(argv) as outer:
        outer.write(b"cat >/dev/null\r")
        _quiet(outer)
        times = []
        for number in range(200):
            start = time.perf_counter()
            outer.write(b"k")
            _until(outer, b"k")
            times.append((time.perf_counter() - start) * 1000)
            _quiet(outer, 0.02)
            if number % 50 == 49:
                outer.write(b"\x15")
                _quiet(outer)
        outer.write(b"\x03")
        return statistics.quantiles(times, n=100)[round(quantile * 100) - 1]


def interrupt_time(argv: list[str]) -> float:
    """Milliseconds from Ctrl-C in an endless flood to the prompt, median of five."""
    times = []
    with _running(argv) as outer:
        for _ in range(5):
            outer.write(b"yes\r")
            _drained(outer, 1.0)
            start = time.perf_counter()
            outer.write(b"\x03")
            _until(outer, _PROMPT)
            times.append((time.perf_counter() - start) * 1000)
            _quiet(outer)
    return statistics.median(times)


def idle_bytes(argv: list[str]) -> float:
    """Bytes written to the outer terminal in a second in which nothing happens."""
    with _running(argv) as outer:
        _quiet(outer, 1.0)
        return float(len(_drained(outer, 1.0)))


def _tmux() -> list[str]:
    if shutil.which("tmux") is None:
        return []
    return ["tmux", "-f", "/dev/null", "-L", f"onggi-bench-{os.getpid()}", "new", ";", "set", "status", "off"]


def _onggi() -> list[str]:
    return [sys.executable, "-m", "bench.terminal_host", *_SHELL]


@contextmanager
def _running(argv: list[str]) -> Iterator[PtySource]:
    """`argv` in a terminal of ours, at its prompt."""
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", "PS1": "@@> "}
    env.pop("TMUX", None)
    if argv[0] == "tmux":
        argv = [*argv[:6], *_SHELL, *argv[6:]]
    outer = PtySource(argv, columns=_COLUMNS, lines=_LINES, env=env)
    try:
        _until(outer, _PROMPT)
        _quiet(outer)
        yield outer
    finally:
        outer.close()
        if argv[0] == "tmux":
            subprocess.run([*argv[:5], "kill-server"], check=False, capture_output=True)


def _until(outer: PtySource, wanted: bytes) -> None:
    end, seen = time.monotonic() + _PATIENCE, b""
    while wanted not in seen:
        if time.monotonic() > end:
            raise TimeoutError(f"{wanted!r} did not come; the last bytes were {seen[-200:]!r}")
        seen = seen[-len(wanted) :] + _some(outer, 0.5)


def _quiet(outer: PtySource, seconds: float = 0.3) -> None:
    while _some(outer, seconds):
        pass


def _drained(outer: PtySource, seconds: float) -> bytes:
    end, out = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0:
        out = out[-1_000_000:] + _some(outer, left)
    return out


def _some(outer: PtySource, seconds: float) -> bytes:
    if not select.select([outer.fileno()], [], [], seconds)[0]:
        return b""
    return outer.read_nonblocking(_CHUNK) or b""


if __name__ == "__main__":
    main()
