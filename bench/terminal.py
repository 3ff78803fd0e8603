"""`python -m bench.terminal`: the attach terminal beside tmux and the bare pty, in one run.

Only the figures of detaching need an engine, and so root.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import IO

from bench import terminal_detach
from bench.screens import WORKLOADS
from tui.terminal.screen import FastScreen
from tui.terminal.source import PtySource
from tui.terminal.stream import FastStream

_COLUMNS, _LINES = 120, 40
_CHUNK = 65536
_PATIENCE = 60.0  # seconds
_PROMPT = b"@@>"
_MARK = b"all-of-it"
# an interrupted program may leave a string open, which would swallow the prompt
_SHELL = ["sh", "-c", "PS1=\"$(printf '\\033\\134@@> ')\" exec sh -i"]
_MEGABYTES = 20
_ARGUMENT = 60_000  # bytes; a program's argument may have twice as many
_ASKED, _SAID = b"\x1b[?2026$p", b"\x1b[?2026;2$y"  # does the terminal know frames? it does
_FRAME = re.compile(rb"\x1b\[\?2026h(.*?)\x1b\[\?2026l", re.DOTALL)
_WATCHED = 3.0  # seconds in which frames are counted
_kept: list[IO[bytes]] = []


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what is measured, and what onggi is to reach. `least` where more is better."""

    title: str
    unit: str
    goal: float | None
    measure: Callable[[list[str]], float]
    least: bool = False
    ours: bool = False  # the others have nothing like it

    def verdict(self, value: float, tmux: float | None) -> str:
        """Whether `value` is good enough; a goal of None is tmux's figure."""
        goal = tmux if self.goal is None else self.goal
        if goal is None:
            return "–"
        words = "reached" if self._good(value, goal) else "missed"
        if words == "missed" and tmux is not None and not self._good(tmux, goal):
            words = "missed, by tmux too"  # so it is the machine
        return f"{words} ({'≥' if self.least else '≤'} {goal:.0f} {self.unit})"

    def _good(self, value: float, goal: float) -> bool:
        return value >= goal if self.least else value <= goal


@cache
def _redraws() -> str:
    """A command that redraws the screen without end, nothing of which can be skipped."""
    file = tempfile.NamedTemporaryFile(prefix="onggi-bench-")  # noqa: SIM115 -- as long as the process
    file.write(WORKLOADS["dense redraw"][:_ARGUMENT])
    file.flush()
    _kept.append(file)
    return f'yes "$(cat {file.name})"'


FIGURES = (
    Figure(f"{_MEGABYTES} MB `cat`", "MB/s", None, lambda argv: cat_rate(argv), least=True),
    Figure("key to paint, median", "ms", 3, lambda argv: quantile(key_times(argv), 0.5)),
    Figure("key to paint, p99", "ms", 8, lambda argv: quantile(key_times(argv), 0.99)),
    Figure("Ctrl-C out of `yes`, median", "ms", 20, lambda argv: quantile(interrupt_times(argv, "yes"), 0.5)),
    Figure("Ctrl-C out of `yes`, p99", "ms", 50, lambda argv: quantile(interrupt_times(argv, "yes"), 0.99)),
    Figure("Ctrl-C out of redraws, p99", "ms", 50, lambda argv: quantile(interrupt_times(argv, _redraws()), 0.99)),
    Figure(
        "frames in a flood of text", "/s", 30, lambda argv: frame_rate(argv, "seq 999999999"), least=True, ours=True
    ),
    Figure(
        "frames in a flood of redraws", "/s", 30, lambda argv: frame_rate(argv, _redraws()), least=True, ours=True
    ),
    Figure("bytes written while idle", "B/s", 0, lambda argv: idle_bytes(argv)),
)
_DETACH = 50.0  # milliseconds
_ENGINE_GOALS = {"plain log text": 60.0, "dense redraw": 8.0}


def main() -> None:
    """Measure, print, and judge. On a busy machine the ratios count, and the load says how busy it was."""
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {_COLUMNS}x{_LINES}\n")
    print("| input | MB/s executed | goal |\n| --- | --- | --- |")
    for name, data in WORKLOADS.items():
        rate, goal = engine_rate(data), _ENGINE_GOALS.get(name)
        told = "" if goal is None else f"{'reached' if rate >= goal else 'missed'} (≥ {goal:.0f})"
        print(f"| {name} | {rate:.1f} | {told} |", flush=True)
    cost = scrollback_cost()
    print(f"| 10,000 lines of scrollback | {cost:.1f} MB | {'reached' if cost <= 20 else 'missed'} (≤ 20 MB) |\n")
    ways = {"bare pty": _SHELL, "tmux": _tmux(), "onggi": _onggi()}
    head = [*ways, "onggi ÷ tmux", "onggi ÷ bare", "onggi's goal", "load"]
    print("| | " + " | ".join(head) + " |\n" + "| --- " * (len(head) + 1) + "|")
    for figure in FIGURES:
        values = {name: figure.measure(argv) for name, argv in _asked(ways, figure).items()}
        cells = [f"{values[name]:.1f} {figure.unit}" if name in values else "–" for name in ways]
        cells += [
            f"{values['onggi'] / values[other]:.2f}" if values.get(other) else "–" for other in ("tmux", "bare pty")
        ]
        cells += [figure.verdict(values["onggi"], values.get("tmux")), f"{os.getloadavg()[0]:.1f}"]
        print(f"| {figure.title} | " + " | ".join(cells) + " |", flush=True)
    _print_detach()


def _asked(ways: dict[str, list[str]], figure: Figure) -> dict[str, list[str]]:
    """Whom to measure: who is installed, and has what is measured."""
    return {name: argv for name, argv in ways.items() if argv and (name == "onggi" or not figure.ours)}


def _print_detach() -> None:
    """Leaving a container needs one: an engine, and root."""
    if not terminal_detach.possible():
        print("\ndetach: not measured, containers need root")
        return
    data = WORKLOADS["dense redraw"][:_ARGUMENT]
    print("\n| detach, until keys are the app's again | median | p99 | goal | load |\n" + "| --- " * 5 + "|")
    for title, flood in (("calm", "sleep 1000"), ("`yes`", "yes"), ("redraws", 'yes "$(cat /flood)"')):
        times = terminal_detach.detach_times(flood, data, _until, _drained)
        last = quantile(times, 0.99)
        verdict = f"{'reached' if last <= _DETACH else 'missed'} (≤ {_DETACH:.0f} ms)"
        print(
            f"| {title} | {quantile(times, 0.5):.1f} ms | {last:.1f} ms | {verdict} | {os.getloadavg()[0]:.1f} |",
            flush=True,
        )


def quantile(values: list[float], at: float) -> float:
    """The value below which that share of `values` lies; the largest for a share beyond their number."""
    return sorted(values)[min(round(at * len(values)), len(values) - 1)]


def engine_rate(data: bytes) -> float:
    """MB/s of processor time in the emulator alone, the best of five."""
    best = 0.0
    for _ in range(5):
        stream = FastStream(FastScreen(_COLUMNS, _LINES))
        start = time.process_time()
        for at in range(0, len(data), _CHUNK):
            stream.feed(data[at : at + _CHUNK])
        best = max(best, len(data) / (time.process_time() - start) / 1e6)
    return best


def scrollback_cost() -> float:
    """MB allocated for a screen and the 10,000 lines of 80 characters that went through it."""
    filled(100)
    tracemalloc.start()
    kept = filled(10_000)
    taken, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept.scrollback) > 10_000 - _LINES - 1
    return taken / 1e6


def filled(lines: int) -> FastScreen:
    """A screen that `lines` lines have gone through."""
    screen = FastScreen(_COLUMNS, _LINES)
    stream = FastStream(screen, skip=False)
    for number in range(lines):
        stream.feed(b"%-79d|\r\n" % number)
    return screen


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


@cache
def _key_times(argv: tuple[str, ...]) -> list[float]:
    with _running(list(argv)) as outer:
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
        return times


def key_times(argv: list[str]) -> list[float]:
    """Milliseconds from a key to its letter on the outer terminal; where the cursor goes before is no answer."""
    return _key_times(tuple(argv))


@cache
def _interrupt_times(argv: tuple[str, ...], flood: str) -> list[float]:
    times = []
    with _running(list(argv)) as outer:
        for _ in range(20):
            outer.write(f"{flood}\r".encode())
            _drained(outer, 0.5)
            start = time.perf_counter()
            outer.write(b"\x03")
            _until(outer, _PROMPT)
            times.append((time.perf_counter() - start) * 1000)
            _quiet(outer)
    return times


def interrupt_times(argv: list[str], flood: str) -> list[float]:
    """Milliseconds from Ctrl-C in an endless flood to the prompt, twenty times."""
    return _interrupt_times(tuple(argv), flood)


def frame_rate(argv: list[str], flood: str) -> float:
    """Frames a second in a flood: updates that are marked as one (mode 2026) and differ from the one before."""
    with _running(argv) as outer:
        outer.write(f"{flood}\r".encode())
        _drained(outer, 0.5)
        end, seen = time.monotonic() + _WATCHED, []
        while (left := end - time.monotonic()) > 0:
            seen.append(_some(outer, left))
        outer.write(b"\x03")
        frames: list[bytes] = _FRAME.findall(b"".join(seen))
        return sum(one != other for one, other in pairwise(frames)) / _WATCHED


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
        at = argv.index("new") + 1
        argv = [*argv[:at], *_SHELL, *argv[at:]]
    outer = PtySource(argv, columns=_COLUMNS, lines=_LINES, env=env)
    try:
        _until(outer, _PROMPT)
        _quiet(outer)
        yield outer
    finally:
        outer.close()
        if argv[0] == "tmux":
            subprocess.run([*argv[: argv.index("new")], "kill-server"], check=False, capture_output=True)


def _until(outer: PtySource, wanted: bytes) -> None:
    end, seen = time.monotonic() + _PATIENCE, b""
    while wanted not in seen:
        if time.monotonic() > end:
            raise TimeoutError(f"{wanted!r} did not come; the last bytes were {seen[-200:]!r}")
        seen = seen[-max(len(wanted), len(_ASKED)) :] + _some(outer, 0.5)
        if _ASKED in seen:
            outer.write(_SAID)
            seen = seen.replace(_ASKED, b"")


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
