"""Images and file systems in and out: files and the engine joined, with progress. Nothing half-written stays.

An engine of ours on this machine is handed the file and reads it itself; another one is sent what is in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import IO, Any

from core.aio import off_loop
from core.client import upkeep
from core.errors import EngineError, NotFound
from tui.calls import Client
from tui.jobs.model import Watch
from tui.state import Json

_SHORT_ID = len("sha256:") + 12


async def load(client: Client, path: Path, watch: Watch) -> str:
    """Load an archive; what the engine says of it. Raises EngineError, OSError."""
    with await off_loop(path.open, "rb") as file:
        if _is_here(client, file):
            with suppress(NotFound):
                return await _read_there(upkeep.load_file(client, file), watch)
        return await _said(client.upload("/images/load", watch.gated(file), watch.told, quiet=False), watch)


async def import_(client: Client, path: Path, name: str, changes: Sequence[str], watch: Watch) -> str:
    """Make an image of a tar of a whole file system; its id."""
    repository, tag = split_reference(name)
    with await off_loop(path.open, "rb") as file:
        if _is_here(client, file):
            with suppress(NotFound):
                return await _read_there(upkeep.import_file(client, file, name, changes=changes), watch)
        made = client.upload(
            "/images/create",
            watch.gated(file),
            watch.told,
            fromSrc="-",
            repo=repository or None,
            tag=tag or None,
            changes=list(changes),
        )
        return await _said(made, watch)


async def starter(client: Client, watch: Watch) -> str:
    """Make the starter image of this machine's own programs; its name."""
    return await _said(client.stream("/onggi/v1/images/starter", method="POST"), watch)


async def save(client: Client, names: Sequence[str], path: Path, watch: Watch) -> str:
    """Save images to a file."""

    async def fetch(file: IO[bytes]) -> None:
        await client.download("/images/get", watch.gated(file), watch.told, names=list(names))

    return await _written(path, fetch)


async def export(client: Client, container: str, path: Path, watch: Watch) -> str:
    """Write a container's files to one tar."""

    async def fetch(file: IO[bytes]) -> None:
        await client.download(f"/containers/{container}/export", watch.gated(file), watch.told)

    return await _written(path, fetch)


def _is_here(client: Client, file: IO[bytes]) -> bool:
    """Whether the engine is on this machine and `file` is one that it may be handed: no pipe, no device."""
    return client.host.startswith("unix://") and stat.S_ISREG(os.fstat(file.fileno()).st_mode)


async def _read_there(lines: AsyncIterator[Json], watch: Watch) -> str:
    """What the engine says while it reads a file by itself. Raises NotFound where it does not know how."""
    watch.begins_anew()
    return await _said(lines, watch, layers=True)


async def _written(path: Path, fetch: Any) -> str:
    """Write beside, sync, rename: a cancelled or failed download leaves what was there before."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with await off_loop(_open, beside) as file:
            await fetch(file)
            await off_loop(_settle, file)
        await off_loop(os.replace, beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return path.name


def _open(path: Path) -> IO[bytes]:
    """A file for its owner alone, as Docker's client makes it."""
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


async def _said(lines: AsyncIterator[Json], watch: Watch, *, layers: bool = False) -> str:
    """The last thing a progress stream says; its failure is raised. `layers` = its figures are those of layers."""
    said = ""
    async with aclosing(lines) as stream:  # type: ignore[type-var]
        async for line in stream:
            if line.get("error"):
                raise EngineError(str(line["error"]))
            detail = line.get("progressDetail") or {}
            if layers and line.get("id"):
                watch.heard(line)
            elif detail.get("total"):
                watch.told(int(detail.get("current") or 0), int(detail["total"]))
            aux = line.get("aux") or {}
            found = line.get("stream") or aux.get("Reference") or aux.get("ID") or line.get("status")
            said = str(found).strip() or said if found else said
    return said[:_SHORT_ID] if said.startswith("sha256:") else said


def split_reference(name: str) -> tuple[str, str]:
    """`repository, tag` of a name; a colon before the last slash belongs to a port."""
    slash, colon = name.rfind("/"), name.rfind(":")
    return (name[:colon], name[colon + 1 :]) if colon > slash else (name, "")
