"""How fast what a container writes gets into its log: lines, until it has ended and the log has them all."""

from __future__ import annotations

import atexit
import tempfile
import time
from functools import cache
from pathlib import Path

from bench.managers import Manager

_LINES = 1_000_000
_SINGLE = 200_000
_NAME = "talks"
# A write for each line, as a program does that flushes its log.
_ONE_BY_ONE = f'NR <= {_SINGLE} {{ print; fflush("") }}'


def in_blocks(manager: Manager, image: str) -> float:
    """Lines a second of a program that writes as fast as it can, in blocks."""
    return _LINES / _spent(manager, image, "cat", "/lines")


def one_by_one(manager: Manager, image: str) -> float:
    """Lines a second of a program that writes each by itself."""
    return _SINGLE / _spent(manager, image, "awk", _ONE_BY_ONE, "/lines")


def _spent(manager: Manager, image: str, *command: str) -> float:
    mount = ["-v", f"{_lines()}:/lines:ro"]
    start = time.perf_counter()
    try:
        manager.run(
            "run", *manager.run_options, "-d", "--network", "none", "--name", _NAME, *mount, image, *command
        )
        manager.run("wait", _NAME)
        taken = time.perf_counter() - start
        if "curl/8.9.1" not in manager.run("logs", "--tail", "1", _NAME):
            raise RuntimeError("the log has no end")
        return taken
    finally:
        manager.run("rm", "-f", _NAME)


@cache
def _lines() -> str:
    folder = tempfile.TemporaryDirectory(prefix="onggi-bench-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "lines"
    with path.open("wb") as file:
        for thousand in range(_LINES // 1000):
            file.write(
                b"".join(
                    b'172.18.0.1 "GET /api/orders/%06d HTTP/1.1" 200 17 ms curl/8.9.1\n' % (thousand * 1000 + n)
                    for n in range(1000)
                )
            )
    return str(path)
