"""Cache mounts of builds: a folder each, kept between builds until it is pruned, never while a step has it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.aio import off_loop
from core.storage.usage import tree_size

_NAME_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class CacheMount:
    """One cache. `name` is that of its folder, `ident` what Dockerfiles call it; times are Unix times."""

    name: str
    ident: str
    size: int
    created_at: float
    used_at: float
    in_use: bool


class Caches:
    """Those of one ROOT. Beside the folder NAME lies NAME.id: its text is the id, its times tell of its use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    def lock(self, ident: str) -> asyncio.Lock:
        """For `sharing=locked`."""
        return self._locks.setdefault(ident, asyncio.Lock())

    @contextmanager
    def using(self, ident: str, mode: int, uid: int, gid: int) -> Iterator[Path]:
        """The cache's folder, made where it is missing; it stays while inside."""
        name = name_of(ident)
        self._users[name] += 1
        try:
            path = self._folder / name
            _make(path, mode, uid, gid)
            mark = path.with_suffix(".id")
            if mark.exists():
                os.utime(mark)
            else:
                mark.write_text(ident, errors="surrogateescape")
            yield path
        finally:
            self._users[name] -= 1

    async def all(self) -> list[CacheMount]:
        """Every cache with its bytes."""
        return [
            CacheMount(path.name, ident, await off_loop(tree_size, path), created, used, self._users[path.name] > 0)
            for path, ident, created, used in await off_loop(_marks, self._folder)
        ]

    async def remove(self, name: str) -> bool:
        """Remove a cache that no step has; whether it went."""
        if self._users[name]:
            return False
        going = self._folder / f".{name}.{secrets.token_hex(4)}"
        try:
            (self._folder / name).rename(going)  # at once: a step that comes makes a new one
            (self._folder / name).with_suffix(".id").unlink(missing_ok=True)
        except OSError:
            return False
        await off_loop(shutil.rmtree, going, True)
        return True


def name_of(ident: str) -> str:
    """The folder's name says nothing, for an id comes from a Dockerfile."""
    return hashlib.sha256(ident.encode(errors="surrogateescape")).hexdigest()[:32]


def _make(path: Path, mode: int, uid: int, gid: int) -> None:
    if path.is_dir():
        return
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    path.mkdir()
    os.chown(path, uid, gid)
    path.chmod(mode)


def _marks(folder: Path) -> list[tuple[Path, str, float, float]]:
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix:
            continue
        mark = path.with_suffix(".id")
        try:
            ident, used = mark.read_text(errors="surrogateescape")[:_NAME_LIMIT], mark.stat().st_mtime
        except OSError:
            ident, used = "", time.time()
        found.append((path, ident, path.lstat().st_ctime if not ident else min(path.lstat().st_ctime, used), used))
    return found
