"""Volumes: ROOT/volumes/NAME/_data, named by people or, when anonymous, by 64 hex digits."""

from __future__ import annotations

import asyncio
import datetime
import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from core.aio import off_loop_to_end
from core.errors import Conflict, CorruptStore, InvalidArgument, NoSuchVolume
from core.model.network import VolumeRecord
from core.model.undo import KeptVolume
from core.oci.document import decode, encode
from core.paths import Paths
from core.storage.content import sync_directory
from core.storage.db import Database
from core.storage.filling import Filling
from core.storage.trash import Trash

SCHEMA = ("CREATE TABLE volume (name TEXT PRIMARY KEY, record BLOB NOT NULL)",)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}")


class Zygote(Protocol):
    """Who does what needs a process of its own."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


class Volumes:
    """The volumes of one ROOT. Whether a container uses one is the engine's to know."""

    def __init__(self, db: Database, paths: Paths, zygote: Zygote) -> None:
        self._db = db
        self._path = paths.volumes
        self._zygote = zygote
        self._aside = paths.removed_volumes
        self._trash = Trash(paths)
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        db.migrate("volumes", SCHEMA)
        self._changing = asyncio.Lock()
        self._filling: dict[str, asyncio.Lock] = {}
        self._records: dict[str, VolumeRecord] = {}
        for name, blob in db.query("SELECT name, record FROM volume"):
            record = decode(bytes(blob), VolumeRecord, what=f"record of volume {name}", error=CorruptStore)
            self._records[record.name] = record
            Filling(Path(record.mountpoint)).settle()

    async def create(self, name: str | None, labels: Mapping[str, str]) -> VolumeRecord:
        """The volume `name`, made when it is missing; None makes an anonymous one. Raises InvalidArgument."""
        async with self._changing:
            known = self._records.get(name or "")
            if known is not None:
                await off_loop_to_end(self._make_folder, known)
                return known
            record = self._new(name, labels)
            await off_loop_to_end(self._make, record)
            self._records[record.name] = record
            return record

    def _new(self, name: str | None, labels: Mapping[str, str]) -> VolumeRecord:
        if name:
            check_volume_name(name)
        record = VolumeRecord(
            name=name or secrets.token_hex(32),
            mountpoint="",
            created_at=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            labels=dict(labels) if name else {**labels, "com.docker.volume.anonymous": ""},
            anonymous=not name,
        )
        return msgspec.structs.replace(record, mountpoint=str(self._path / record.name / "_data"))

    async def get(self, name: str) -> VolumeRecord:
        """Raises NoSuchVolume."""
        if name not in self._records:
            raise NoSuchVolume(f"get {name}: no such volume")
        return self._records[name]

    async def list(self) -> tuple[VolumeRecord, ...]:
        """Every volume, by name."""
        return tuple(self._records[name] for name in sorted(self._records))

    async def remove(self, name: str, *, check: Callable[[], None] = lambda: None) -> None:
        """Remove a volume with all it holds. Raises NoSuchVolume.

        `check` raises where it is in use after all; nobody is given the volume between that and its end.
        """
        async with self._changing:
            await self.get(name)
            check()
            await off_loop_to_end(self._destroy, name)

    async def set_aside(self, name: str, *, check: Callable[[], None] = lambda: None) -> KeptVolume:
        """Remove a volume as `remove` does, but keep what it holds for `bring_back`. Raises NoSuchVolume."""
        async with self._changing:
            kept = KeptVolume(await self.get(name), f"{name}-{secrets.token_hex(8)}")
            check()
            await off_loop_to_end(self._move_aside, kept)
            return kept

    async def bring_back(self, kept: KeptVolume) -> VolumeRecord:
        """Have a volume again that was set aside. Raises Conflict where there is one of its name by now."""
        async with self._changing:
            record = kept.record
            if record.name in self._records:
                raise Conflict(f"cannot bring back volume {record.name}: there is one of that name by now")
            await off_loop_to_end(self._move_back, kept)
            self._records[record.name] = record
            return record

    async def drop_aside(self, folder: str) -> None:
        """Give up what is kept of a volume that was set aside."""
        await off_loop_to_end(self._trash.throw, self._aside / folder)

    async def sweep_aside(self, known: Collection[str]) -> None:
        """At start: give up what is kept of volumes that nobody knows of."""
        for entry in os.listdir(self._aside) if self._aside.is_dir() else ():
            if entry not in known:
                await self.drop_aside(entry)

    async def prefill(self, volume: VolumeRecord, rootfs: Mapping[str, Any], path: str) -> None:
        """Copy what `rootfs` has at `path` into an empty volume, with owner and mode: all of it or nothing."""
        async with self._filling.setdefault(volume.name, asyncio.Lock()):
            filling = Filling(Path(volume.mountpoint))
            fd = await off_loop_to_end(filling.begin)
            if fd is None:
                return
            try:
                await self._zygote.run("prefill", {"rootfs": dict(rootfs), "path": path}, [fd])
            finally:
                os.close(fd)
            await off_loop_to_end(filling.finish)

    def _make_folder(self, record: VolumeRecord) -> None:
        data = Path(record.mountpoint)
        if data.is_dir():
            return
        (self._path / record.name).mkdir(mode=0o700, exist_ok=True)
        data.mkdir(exist_ok=True)
        data.chmod(0o755)
        sync_directory(data.parent)
        sync_directory(self._path)

    def _make(self, record: VolumeRecord) -> None:
        self._make_folder(record)
        self._db.execute(
            "INSERT OR REPLACE INTO volume (name, record) VALUES (?, ?)", (record.name, encode(record))
        )

    def _destroy(self, name: str) -> None:
        # First the data, synced: a name without data is made anew, data without a name would be lost to sight.
        self._trash.throw(self._path / name, durable=True)
        self._forget(name)

    def _move_aside(self, kept: KeptVolume) -> None:
        self._aside.mkdir(mode=0o700, exist_ok=True)
        name = kept.record.name
        try:
            (self._path / name).rename(self._aside / kept.folder)
        except FileNotFoundError:
            pass  # nothing to keep
        sync_directory(self._path)
        self._forget(name)

    def _move_back(self, kept: KeptVolume) -> None:
        try:
            (self._aside / kept.folder).rename(self._path / kept.record.name)
        except FileNotFoundError:
            pass  # there was nothing to keep
        self._make(kept.record)

    def _forget(self, name: str) -> None:
        self._db.execute("DELETE FROM volume WHERE name = ?", (name,))
        self._filling.pop(name, None)
        del self._records[name]  # here, because a caller that was cancelled does not come back for it


def check_volume_name(name: str) -> None:
    """Raises InvalidArgument, with Docker's words, for what may not be the name of a volume."""
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f'create {name[:255]}: "{name[:255]}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
