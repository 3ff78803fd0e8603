"""What builds cost: the same Dockerfiles for every manager, Docker by its own builder in the daemon."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from bench.managers import Manager

STEPS = 20
FILES = 20_000
GIGABYTE = 1 << 30
_PATIENCE = 300.0  # seconds for one build on a busy machine
_TAG = "bench-built"
os.environ["DOCKER_BUILDKIT"] = "0"


def cached_build(manager: Manager) -> float:
    """`build` of 20 steps, all of which are cached."""
    folder = _steps()
    if not manager.run("images", "-q", _TAG).strip():
        _build(manager, folder)
    return _build(manager, folder)


def small_steps(manager: Manager) -> float:
    """`build` of 20 small RUNs, none of which is cached."""
    return _build(manager, _steps(), "--no-cache")


def copied_tree(manager: Manager) -> float:
    """`build` of one COPY of 20,000 files, which no cache knows."""
    folder = _tree()
    (folder / "tree" / "new").write_text(secrets.token_hex(8))
    return _build(manager, folder)


def gigabyte(manager: Manager) -> float:
    """`build` with a context of 1 GiB, of which a COPY makes one layer and a RUN another."""
    return _build(manager, _gigabyte(), "--no-cache")


def _build(manager: Manager, folder: Path, *options: str) -> float:
    start = time.perf_counter()
    manager.run("build", *options, "-t", _TAG, str(folder), patience=_PATIENCE)
    return time.perf_counter() - start


@functools.cache
def _steps() -> Path:
    folder = _folder()
    lines = [f"RUN echo {number} > /step-{number}" for number in range(STEPS - 1)]
    (folder / "Dockerfile").write_text("\n".join(["FROM bench", *lines]) + "\n")
    return folder


@functools.cache
def _tree() -> Path:
    folder = _folder()
    for number in range(FILES):
        path = folder / "tree" / f"{number // 200:03}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % number * 20)
    (folder / "Dockerfile").write_text("FROM bench\nCOPY tree /tree\n")
    return folder


@functools.cache
def _gigabyte() -> Path:
    folder = _folder()
    piece = secrets.token_bytes(1 << 20)
    with (folder / "big").open("wb") as file:
        for _ in range(GIGABYTE // len(piece)):
            file.write(piece)
    (folder / "Dockerfile").write_text("FROM bench\nCOPY big /big\nRUN cp /big /again\n")
    return folder


def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="onggi-bench-build-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
