"""What is measured: one small function a figure. Times are seconds, sizes bytes."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bench import bigimage, building, logview, logwrite, paint, processes
from bench.managers import Manager, Onggi, inside
from bench.registry import Registry

IMAGE = "bench"
_SHIMS = 20
_IDLE_SECONDS = 5.0


class NotMeasured(Exception):
    """This manager has nothing that could be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`take` measures once. Timed ones are repeated in turn with the other managers, and their median counts.

    What takes long is repeated `most` times, 0 = as often as asked for; then the first time, too, counts.
    """

    title: str
    take: Callable[[Manager], float]
    unit: str
    goal: str
    repeated: bool = True
    most: int = 0


def run_without_network(manager: Manager) -> float:
    """`run --rm` of nothing, on no network."""
    return _timed(lambda: manager.run("run", *manager.run_options, "--rm", "--network", "none", IMAGE, "true"))


def run_on_bridge(manager: Manager) -> float:
    """`run --rm` of nothing, on the default network."""
    return _timed(lambda: manager.run("run", *manager.run_options, "--rm", IMAGE, "true"))


def list_containers(manager: Manager) -> float:
    """`ps`."""
    return _timed(lambda: manager.run("ps"))


def start_by_api(manager: Manager) -> float:
    """create, start and wait by the API, on no network."""
    client = manager.client
    if client is None:
        raise NotMeasured("no API without a service")
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
    start = time.perf_counter()
    ident = client.post("/containers/create", body=body)["Id"]
    exited = client.open("POST", f"/containers/{ident}/wait", {"condition": "next-exit"})
    client.post(f"/containers/{ident}/start")
    code = exited.json()["StatusCode"]
    taken = time.perf_counter() - start
    client.delete(f"/containers/{ident}")
    if code != 0:
        raise RuntimeError(f"true ended with {code}")
    return taken


def shim_memory(manager: Manager) -> float:
    """Pss of what stays beside one idle container, of twenty, after the engine was started again."""
    for number in range(_SHIMS):
        name = ["--name", f"idle{number}"]
        manager.run("run", *manager.run_options, "-d", "--network", "none", *name, IMAGE, "sleep", "1000")
    try:
        manager.restart()
        time.sleep(1.0)
        shims = manager.shim_pids()
        if len(shims) < _SHIMS:
            raise RuntimeError(f"{len(shims)} shims beside {_SHIMS} containers")
        total = 0
        for pid in shims:
            with suppress(OSError):  # one that has just ended
                total += processes.pss(pid)
        return total / _SHIMS
    finally:
        manager.remove_containers()


def engine_memory(manager: Manager) -> float:
    """Pss of the engine's own processes."""
    return float(sum(processes.pss(pid) for pid in _engine(manager)))


def idle_share(manager: Manager) -> float:
    """The part of one core that the engine uses while it has nothing to do."""
    return processes.busy_share(_engine(manager), _IDLE_SECONDS)


def load_image(manager: Manager) -> float:
    """`load` of an archive of 300 MB in 20 layers, none of which is there."""
    _without_big_image(manager)
    return _timed(lambda: manager.run("load", "-i", str(bigimage.archive())))


def save_image(manager: Manager) -> float:
    """`save` of the same image into a file."""
    _with_big_image(manager)
    target = bigimage.archive().with_name("saved.tar")
    target.unlink(missing_ok=True)  # podman adds to one that is there
    os.sync()
    return _timed(lambda: manager.run("save", "-o", str(target), bigimage.TAG))


def push_image(manager: Manager) -> float:
    """`push` of that image, loaded from its archive, to a registry that holds nothing."""
    _without_big_image(manager)
    _with_big_image(manager)  # what it was compressed to for the last push is forgotten
    registry = _registry(manager)
    registry.start()
    name = f"{registry.address}/{bigimage.TAG}"
    manager.run("tag", bigimage.TAG, name)
    os.sync()
    taken = _timed(lambda: manager.run("push", *manager.remote_options, name))
    manager.run("rmi", name)
    return taken


def pull_image(manager: Manager) -> float:
    """`pull` of what `push` has left in the registry, none of which is there."""
    name = f"{_registry(manager).address}/{bigimage.TAG}"
    if not _registry(manager).running:
        push_image(manager)
    _without_big_image(manager)
    taken = _timed(lambda: manager.run("pull", *manager.remote_options, name))
    manager.run("rmi", name)
    manager.forget()
    return taken


def push_memory(manager: Manager) -> float:
    """By how much the engine's memory grows at most while it pushes and pulls that image."""
    with processes.Peak(_engine(manager)) as peak:
        push_image(manager)
        pull_image(manager)
    return peak.growth


def load_memory(manager: Manager) -> float:
    """By how much the engine's memory grows at most while it loads and saves that image."""
    pids = _engine(manager)
    _without_big_image(manager)
    with processes.Peak(pids) as peak:
        manager.run("load", "-i", str(bigimage.archive()))
        target = bigimage.archive().with_name("saved.tar")
        target.unlink(missing_ok=True)
        manager.run("save", "-o", str(target), bigimage.TAG)
    return peak.growth


def build_memory(manager: Manager) -> float:
    """By how much the engine's memory grows at most while it builds 20 small RUNs, and a COPY of 20,000 files."""
    with processes.Peak(_engine(manager)) as peak:
        building.small_steps(manager)
        building.copied_tree(manager)
    return peak.growth


def gigabyte_memory(manager: Manager) -> float:
    """By how much the engine's memory grows at most while a context of 1 GiB becomes layers of that size."""
    with processes.Peak(_engine(manager)) as peak:
        building.gigabyte(manager)
    return peak.growth


def second_image(manager: Manager) -> float:
    """Bytes on disk that an image takes which has all but one of the layers of another that is there."""
    _with_big_image(manager)
    before = manager.disk_bytes()
    manager.run("load", "-i", str(bigimage.second_archive()))
    grown = manager.disk_bytes() - before
    manager.run("rmi", bigimage.SECOND_TAG)
    manager.forget()
    return float(grown)


_registries: dict[str, Registry] = {}


def _registry(manager: Manager) -> Registry:
    """The one beside this manager; the bench ends it."""
    if not Registry.installed():
        raise NotMeasured("no registry to talk to")
    if manager.name not in _registries:
        registry = Registry(inside(manager.netns))
        atexit.register(registry.stop)
        _registries[manager.name] = registry
    return _registries[manager.name]


def _with_big_image(manager: Manager) -> None:
    if not manager.run("images", "-q", bigimage.TAG).strip():
        manager.run("load", "-i", str(bigimage.archive()))


def _without_big_image(manager: Manager) -> None:
    if manager.run("images", "-q", bigimage.TAG).strip():
        manager.run("rmi", bigimage.TAG)
        manager.forget()
    manager.settle()


def first_paint(manager: Manager) -> float:
    """From `onggi` to its first full screen, less what the interpreter needs to import Textual."""
    if not isinstance(manager, Onggi):
        raise NotMeasured("no screen of its own")
    return max(0.0, paint.first_paint(manager.argv) - textual_import(manager))


def textual_import(manager: Manager) -> float:
    """An interpreter that starts, imports Textual and ends."""
    if not isinstance(manager, Onggi):
        raise NotMeasured("no screen of its own")
    program = [sys.executable, "-I", "-c", "import textual.app, textual.screen, textual.widget"]
    return _timed(lambda: subprocess.run(program, check=True))


def log_written(manager: Manager) -> float:
    """Lines a second that a container gets into its log."""
    return logwrite.in_blocks(manager, IMAGE)


def log_written_singly(manager: Manager) -> float:
    """The same, each line by a write of its own."""
    return logwrite.one_by_one(manager, IMAGE)


def log_end(manager: Manager) -> float:
    """The app's log view opens a log of a gigabyte: until its last lines can be drawn."""
    return _own(manager, logview.opened_at_its_end)


def log_index(manager: Manager) -> float:
    """The whole of that log is indexed."""
    return _own(manager, logview.indexed)


def log_key(manager: Manager) -> float:
    """The app's log view follows four merged logs with a pattern on, and is typed at."""
    return _own(manager, logview.key_in_flood)


def _own(manager: Manager, measure: Callable[[], float]) -> float:
    if not isinstance(manager, Onggi):
        raise NotMeasured("no screen of its own")
    return measure()


FIGURES = {
    "run": Figure("`run --rm` `true`, no network", run_without_network, "ms", "≤ 60 ms, ≤ 1/5 of Docker's"),
    "bridge": Figure("`run --rm` `true`, bridge", run_on_bridge, "ms", "≤ 1/4 of Docker's"),
    "ps": Figure("`ps`", list_containers, "ms", "≤ 50 ms"),
    "api": Figure("create + start + wait by the API", start_by_api, "ms", "≤ 20 ms"),
    "paint": Figure("first paint after Textual's import", first_paint, "ms", "≤ 300 ms"),
    "import": Figure("Textual's import", textual_import, "ms", ""),
    "load": Figure("`load` of 300 MB, 20 layers", load_image, "ms", "≤ 1/2 of Docker's, < Podman's"),
    "save": Figure("`save` of the same", save_image, "ms", "≤ Docker's"),
    "cached": Figure("`build` of 20 steps, all cached", building.cached_build, "ms", "≤ 200 ms"),
    "steps": Figure("`build` of 20 small RUNs", building.small_steps, "ms", "≤ 1/3 of Docker's"),
    "copy": Figure("`build` with COPY of 20,000 files", building.copied_tree, "ms", "≤ Docker's", most=3),
    "push": Figure("first `push` of the same", push_image, "ms", "≤ Docker's"),
    "pull": Figure("`pull` of the same", pull_image, "ms", "≤ Docker's"),
    "logwrite": Figure("lines a container logs, in blocks", log_written, "lines/s", "≥ Docker's"),
    "logsingle": Figure("lines it logs one by one", log_written_singly, "lines/s", "≥ Docker's"),
    "logend": Figure("a log of 1 GB opened at its end", log_end, "ms", "≤ 500 ms"),
    "logindex": Figure("every line of it ready to be gone to", log_index, "ms", ""),
    "logkey": Figure("a key while 4 logs flood at 100,000 lines/s", log_key, "ms", "≤ 100 ms, 95 of 100"),
    "shims": Figure("Pss beside an idle container", shim_memory, "MB", "≤ 1.5 MB", repeated=False),
    "engine": Figure("Pss of the engine", engine_memory, "MB", "", repeated=False),
    "loading": Figure("growth of the engine at load, save", load_memory, "MB", "≤ 100 MB", repeated=False),
    "moving": Figure("growth of the engine at push, pull", push_memory, "MB", "≤ 100 MB", repeated=False),
    "building": Figure("growth of the engine at small builds", build_memory, "MB", "≤ 100 MB", repeated=False),
    "gigabyte": Figure("growth at a context of 1 GiB", gigabyte_memory, "MB", "≤ 100 MB", repeated=False),
    "second": Figure("disk for an image that shares 19 layers", second_image, "MB", "~ 15 MB", repeated=False),
    "idle": Figure("CPU of the idle engine", idle_share, "%", "~0", repeated=False),
}


def _engine(manager: Manager) -> list[int]:
    pids = manager.engine_pids()
    if not pids:
        raise NotMeasured("no engine")
    return pids


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
