"""`python -m bench [FIGURE…] [-n TIMES] [--only onggi,docker,podman]`; needs root."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import FIGURES, IMAGE, Figure, NotMeasured
from bench.managers import Docker, Manager, Onggi, Podman
from bench.table import render, show
from core.errors import EngineError


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("-n", "--times", type=int, default=15, help="repetitions of a timed figure")
    parser.add_argument("--only", default="onggi,docker,podman", help="which managers, by comma")
    asked = parser.parse_args()
    if unknown := set(asked.figures) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        parser.error("containers need root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # engines and namespaces end with us
    chosen = [FIGURES[name] for name in asked.figures or FIGURES]
    try:
        with ExitStack() as stack:
            managers = prepare(stack, asked.only.split(","))
            rows = [(each.title, each.goal, each.unit, measure(each, managers, asked.times)) for each in chosen]
    except (EngineError, subprocess.SubprocessError) as error:
        parser.exit(1, f"{_reason(error)}\n")
    print(
        f"{platform.release()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, ",
        end="",
    )
    print(f"median of {asked.times}\n")
    print(render([manager.name for manager in managers], rows))
    return 0


def prepare(stack: ExitStack, names: Sequence[str]) -> list[Manager]:
    """Start what is asked for and installed, each with the same image; the first is ours."""
    folder = Path(
        stack.enter_context(tempfile.TemporaryDirectory(prefix="onggi-bench-", ignore_cleanup_errors=True))
    )
    archive = folder / "image.tar"
    onggi = Onggi(_made(folder / "onggi"), stack.enter_context(_netns("onggi")))
    stack.callback(onggi.stop)
    onggi.start()
    onggi.run("import", "--starter")
    onggi.run("tag", "onggi/starter", IMAGE)
    onggi.run("save", "-o", str(archive), IMAGE)
    managers: list[Manager] = [onggi]
    for kind in (Docker, Podman):
        if kind.name not in names or not kind.installed():
            continue
        other = kind(_made(folder / kind.name), stack.enter_context(_netns(kind.name)))
        stack.callback(other.stop)
        try:
            other.start()
            other.run("load", "-i", str(archive))
        except (subprocess.SubprocessError, OSError, RuntimeError) as error:
            print(f"{kind.name}: not usable here: {_reason(error)}", file=sys.stderr)
            continue
        managers.append(other)
    return managers


def measure(figure: Figure, managers: Sequence[Manager], times: int) -> dict[str, float | str]:
    """The figure of each manager. They take turns, so that a busy moment of the machine is nobody's alone."""
    samples: dict[str, list[float]] = {manager.name: [] for manager in managers}
    failed: dict[str, float | str] = {}
    turns, skipped = (min(times, figure.most), 0) if figure.most else (times + 1, 1)  # the first warms caches
    if not figure.repeated:
        turns, skipped = 1, 0
    for turn in range(turns):
        for manager in managers:
            if manager.name in failed:
                continue
            try:
                taken = figure.take(manager)
            except NotMeasured:
                failed[manager.name] = "–"
            except Exception as error:
                print(f"{figure.title}: {manager.name}: {_reason(error)}", file=sys.stderr)
                failed[manager.name] = "failed"
            else:
                print(f"{figure.title}: {manager.name}: {show(taken, figure.unit)}", file=sys.stderr, flush=True)
                if turn >= skipped:
                    samples[manager.name].append(taken)
    return {
        name: statistics.median(taken) for name, taken in samples.items() if taken and name not in failed
    } | failed


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return ((error.stderr or "").strip().splitlines() or [str(error)])[-1]
    return str(error)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _netns(name: str) -> Iterator[str]:
    """A network namespace as a path, so that nothing of the bench meets the host's; "" where `ip` is absent."""
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        yield ""
        return
    full = f"onggi-bench-{os.getpid()}-{name}"
    subprocess.run(["ip", "netns", "add", full], check=True)
    try:
        subprocess.run(["ip", "-n", full, "link", "set", "lo", "up"], check=True)
        yield f"/run/netns/{full}"
    finally:
        subprocess.run(["ip", "netns", "del", full], check=False)


sys.exit(main())
