"""Leaving a container that floods its terminal, through the whole app and an engine of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.managers import Onggi
from tui.terminal.modes import TEXTUAL_KITTY
from tui.terminal.source import PtySource

_NAME = "flooding"
_TAKEN = b"the keyboard is in the container"
_BACK = b"\x1b[>%du" % TEXTUAL_KITTY  # the app has its own keyboard modes again
_LEAVE = b"\x10\x11"  # Ctrl-P Ctrl-Q
_TIMES = 20
_SETTLED = 0.5  # seconds until the app has said how it was left
_FLOWING = 0.5  # seconds that a flood has been going on when it is left

Until = Callable[[PtySource, bytes], None]
Drained = Callable[[PtySource, float], bytes]


def possible() -> bool:
    """Whether containers can be run here."""
    return os.geteuid() == 0 and Path(sys.executable).with_name("onggi").exists()


def detach_times(flood: str, data: bytes, until: Until, drained: Drained) -> list[float]:
    """Milliseconds from Ctrl-P Ctrl-Q until keys are the app's again. `data` is at /flood inside."""
    times = []
    with _engine(data) as onggi, _app(onggi) as outer:
        until(outer, _NAME.encode())
        drained(outer, 1.0)
        for _ in range(_TIMES):
            outer.write(b"a")
            until(outer, _TAKEN)
            outer.write(f"\x03{flood}\r".encode())
            drained(outer, _FLOWING)
            start = time.perf_counter()
            outer.write(_LEAVE)
            until(outer, _BACK)
            times.append((time.perf_counter() - start) * 1000)
            drained(outer, _SETTLED)
    return times


@contextmanager
def _engine(data: bytes) -> Iterator[Onggi]:
    folder = Path(tempfile.mkdtemp(prefix="onggi-bench-"))
    (folder / "flood").write_bytes(data)
    onggi = Onggi(folder, "")
    try:
        onggi.start()
        onggi.run("import", "--starter")
        mount = f"{folder / 'flood'}:/flood:ro"
        onggi.run("run", "-dit", "--network", "none", "--name", _NAME, "-v", mount, "onggi/starter", "sh")
        yield onggi
    finally:
        onggi.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _app(onggi: Onggi) -> Iterator[PtySource]:
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    outer = PtySource(list(onggi.argv), columns=120, lines=40, env=env)
    try:
        yield outer
    finally:
        outer.close()
