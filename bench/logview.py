"""How the app's log view keeps up: a long log opened at its end, and four that flood while a reader types."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

_LONG = 1_000_000_000  # bytes
_FLOOD = 100_000  # lines a second, all four together
_SECONDS = 5.0
_SOURCES = 4
_LINE = b'{"log":"172.18.0.1 GET /api/orders/%06d 200 17 ms curl/8.9.1\\n","stream":"stdout","time":"%b"}\n'

# A process of its own, as the shims are: it must not share the view's interpreter.
_WRITER = """
import os, sys, time
line, rate, seconds, paths = eval(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
fds = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in paths]
begun, written, step = time.time(), 0, 0.01
while time.time() - begun < seconds:
    due = int((time.time() - begun) * rate) - written
    for number, fd in enumerate(fds):
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + ".%09dZ" % (now % 10**9)
        os.write(fd, b"".join(line % (n, stamp.encode()) for n in range(written + number, written + due, len(fds))))
    written += due
    time.sleep(step)
"""


def opened_at_its_end() -> float:
    """Seconds until the last lines of a log of a gigabyte can be drawn. Reading is what counts: no widget."""
    from tui.logview.filestore import FileStore, step_back
    from tui.logview.logfile import LogFile

    path = _long_log()
    start = time.perf_counter()
    store = FileStore([LogFile([os.open(path, os.O_RDONLY | os.O_CLOEXEC)])])
    store.look_back(step_back(store.files, store.front))
    for number in range(-50, 0):
        store[number]
    taken = time.perf_counter() - start
    store.close()
    return taken


def indexed() -> float:
    """Seconds until every line of that log can be gone to."""
    from tui.logview.filestore import FileStore, step_back
    from tui.logview.logfile import LogFile

    path = _long_log()
    start = time.perf_counter()
    store = FileStore([LogFile([os.open(path, os.O_RDONLY | os.O_CLOEXEC)])])
    while not store.complete:
        store.look_back(step_back(store.files, store.front))
    taken = time.perf_counter() - start
    store.close()
    return taken


@cache
def _long_log() -> str:
    folder = tempfile.TemporaryDirectory(prefix="onggi-bench-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "log"
    with path.open("wb") as file:
        for second in range(_LONG // (1000 * len(_LINE % (0, b"x" * 30))) + 1):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(1_700_000_000 + second))
            file.write(b"".join(_LINE % (second * 1000 + n, stamp.encode()) for n in range(1000)))
    return str(path)


def key_in_flood() -> float:
    """Seconds that 95 of 100 keys wait at most while four merged logs flood and a pattern is searched."""
    return asyncio.run(_flooded())[0]


async def _flooded() -> tuple[float, int]:
    """What 95 of 100 keys wait at most, and how many lines the view has taken."""
    from textual.app import App, ComposeResult

    from tui.logview import LogView
    from tui.logview.filestore import FileStore
    from tui.logview.logfile import LogFile
    from tui.logview.sources import Sources

    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield LogView()

    with tempfile.TemporaryDirectory(prefix="onggi-bench-") as folder:
        paths = [Path(folder) / f"log{number}" for number in range(_SOURCES)]
        for path in paths:
            path.touch()
        store = FileStore([LogFile([os.open(path, os.O_RDONLY | os.O_CLOEXEC)]) for path in paths])
        app = Host()
        async with app.run_test(size=(120, 40)) as pilot:
            view = app.query_one(LogView)
            view.focus()
            view.sources = Sources([f"potter{number}" for number in range(_SOURCES)])
            view.show_store(store)
            view.pull = store.refresh
            await pilot.press("/", *"/1.*7 2", "enter")
            argv = [sys.executable, "-I", "-c", _WRITER, repr(_LINE), str(_FLOOD), str(_SECONDS), *map(str, paths)]
            writer = await asyncio.create_subprocess_exec(*argv)
            waits = await _typed(view, asyncio.create_task(writer.wait()))
            view.pull()
            taken = len(store)
            view.pull = None
        store.close()
    return sorted(waits)[len(waits) * 95 // 100], taken


async def _typed(view: object, ended: asyncio.Task[int]) -> list[float]:
    """Press `t` (times on and off) until the flood is over; what each has waited."""
    from textual import events

    from tui.logview import LogView

    assert isinstance(view, LogView)
    waits: list[float] = []
    loop = asyncio.get_running_loop()
    ticker = asyncio.create_task(_growing(view))
    toggled = asyncio.Event()
    toggle = view.toggle

    def noted(name: str) -> None:
        toggle(name)
        toggled.set()

    view.toggle = noted  # type: ignore[method-assign]
    while not ended.done():
        toggled.clear()
        start = loop.time()
        view.app.post_message(events.Key("t", "t"))
        await toggled.wait()
        waits.append(loop.time() - start)
        await asyncio.sleep(0.05)
    ticker.cancel()
    return waits


async def _growing(view: object) -> None:
    """What the engine does: it says that there is more, every so often."""
    from tui.logview import LogView

    assert isinstance(view, LogView)
    while True:
        view.more()
        await asyncio.sleep(0.02)
