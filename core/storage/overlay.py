"""Snapshots on overlayfs: ROOT/snapshots/N/{fs,work}. kernel Documentation/filesystems/overlayfs.rst.

`key` names an active snapshot, which is being written (a container's, by its id, or a layer that is being
applied); `name` a committed one, which never changes again: the chainID of its layer. The directory exists
before the row and goes after it, so a crash leaves directories without a row, and `sweep` takes them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import logging
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.aio import off_loop_to_end
from core.errors import Conflict, NotFound
from core.oci.digest import Digest
from core.paths import Paths
from core.storage.content import sync_disks
from core.storage.db import Database
from core.storage.layertree import is_opaque
from core.storage.trash import Trash
from core.storage.usage import tree_size

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE snapshot (
        name TEXT PRIMARY KEY,
        number INTEGER NOT NULL UNIQUE,
        parent TEXT,
        committed INTEGER NOT NULL,
        opaque INTEGER NOT NULL DEFAULT 0,
        size INTEGER NOT NULL DEFAULT 0)""",
)
UNPACKING = "unpack-"  # how the keys of layers begin that are being applied: void after a crash
_EMPTY = "empty"
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS = 0x80086601, 0x40086602  # of 64-bit kernels; ioctl_iflags(2)
_FS_TOPDIR_FL = 0x00020000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One row. `opaque` = its root hides everything below; `size` = bytes of its files, once committed."""

    name: str
    number: int
    parent: str | None
    committed: bool
    opaque: bool
    size: int


class Snapshots:
    """The snapshots of one ROOT. The table is small and kept in memory."""

    def __init__(self, db: Database, paths: Paths) -> None:
        self._db = db
        self._path = paths.snapshots
        self._trash = Trash(paths)
        self._committing = asyncio.Lock()
        self._unsettled: set[int] = set()
        self._holders: dict[Digest, str] = {}
        db.migrate("snapshots", SCHEMA)
        (self._path / _EMPTY).mkdir(mode=0o755, parents=True, exist_ok=True)
        _spread(self._path)
        self._path.chmod(0o700)  # or other users of the host could run the set-uid programs of images
        rows = db.query("SELECT name, number, parent, committed, opaque, size FROM snapshot")
        self._rows = {
            name: Snapshot(name, number, parent, bool(committed), bool(opaque), size)
            for name, number, parent, committed, opaque, size in rows
        }
        self._highest = max((self._highest_directory(), *(row.number for row in self._rows.values())), default=0)

    @property
    def folder(self) -> Path:
        """Where the snapshots are."""
        return self._path

    def exists(self, name: str) -> bool:
        """Whether there is a committed snapshot `name`."""
        row = self._rows.get(name)
        return row is not None and row.committed

    def size(self, name: str) -> int:
        """Bytes of the files of one committed layer, without its parents."""
        return self._rows[name].size if name in self._rows else 0

    def all(self) -> tuple[Snapshot, ...]:
        """Every snapshot, in no order."""
        return tuple(self._rows.values())

    def holder(self, diff_id: Digest) -> str | None:
        """A layer that was unpacked from the tar `diff_id`, on whatever it stands: its name, which tells."""
        name = self._holders.get(diff_id)
        if name is None or not self.exists(name):
            found = (row.name for row in self.all() if row.committed and _is_from(row, diff_id))
            if (name := next(found, None)) is not None:
                self._holders[diff_id] = name
        return name

    def folder_of(self, diff_id: Digest) -> Path | None:
        """The directory of such a layer."""
        name = self.holder(diff_id)
        return None if name is None else self.upper(name)

    def upper(self, key: str) -> Path:
        """The directory that holds what the snapshot itself has. Raises NotFound."""
        return self._path / str(self._row(key).number) / "fs"

    def rootfs(self, key: str) -> dict[str, Any]:
        """`{"lower": [top first], "upper": path|None, "work": path|None}` for a mount. Raises NotFound.

        An image without layers stands on one empty directory, because an overlay needs a lower one.
        """
        row = self._row(key)
        lower = [str(self.upper(name)) for name in self._chain(row if row.committed else self._parent(row))]
        if row.committed:
            return {"lower": lower, "upper": None, "work": None}
        home = self._path / str(row.number)
        return {
            "lower": lower or [str(self._path / _EMPTY)],
            "upper": str(home / "fs"),
            "work": str(home / "work"),
        }

    async def prepare(self, key: str, parent: str | None) -> None:
        """Make an active snapshot on top of committed `parent`. Raises Conflict, NotFound."""
        if key in self._rows:
            raise Conflict(f"snapshot {key} exists already")
        if parent is not None and not self.exists(parent):
            raise NotFound(f"no such snapshot: {parent}")
        self._highest += 1
        row = Snapshot(key, self._highest, parent, committed=False, opaque=False, size=0)
        self._rows[key] = row
        try:
            await off_loop_to_end(self._make, row)
        except BaseException:  # also where it was made to the end for somebody who was cancelled
            del self._rows[key]
            await off_loop_to_end(self._destroy, row)
            raise

    async def commit(
        self, key: str, name: str, *, size: int, parent: str | None = None, own_root: bool = True
    ) -> None:
        """Turn active `key` into committed `name`, `size` bytes; one prepared on nothing may get a `parent` now.

        It lasts from `settle` on: a new engine takes it for half applied until then. Without `own_root` its root
        gets the parent's owner and mode. When `name` is there already, `key` goes. Raises NotFound.
        """
        async with self._committing:  # the same layer may come twice at once
            if self.exists(name):
                await self.remove(key)
                return
            if parent is not None and not self.exists(parent):
                raise NotFound(f"no such snapshot: {parent}")
            row = self._row(key)
            row = dataclasses.replace(row, parent=parent or row.parent)
            opaque = await off_loop_to_end(self._close, row, own_root)
            del self._rows[key]
            self._rows[name] = dataclasses.replace(row, name=name, committed=True, opaque=opaque, size=size)
            self._unsettled.add(row.number)

    async def exchange(self, key: str, name: str, *, size: int, own_root: bool) -> None:
        """Give committed `name` the directory of active `key`, synced; the old one goes. Raises NotFound."""
        async with self._committing:
            old, row = self._row(name), dataclasses.replace(self._row(key), parent=self._row(name).parent)
            opaque = await off_loop_to_end(self._close, row, own_root)
            done = dataclasses.replace(old, number=row.number, opaque=opaque, size=size)
            await off_loop_to_end(self._exchange, old, done)
            del self._rows[key]
            self._rows[name] = done

    def _exchange(self, old: Snapshot, done: Snapshot) -> None:
        sync_disks(self._path)
        with self._db.transaction():
            self._db.execute("DELETE FROM snapshot WHERE number = ?", (done.number,))
            self._db.execute(
                "UPDATE snapshot SET number = ?, opaque = ?, size = ? WHERE number = ?",
                (done.number, int(done.opaque), done.size, old.number),
            )
        self._trash.throw(self._path / str(old.number))

    def unsettled(self) -> frozenset[int]:
        """The numbers of the snapshots that do not stand yet."""
        return frozenset(self._unsettled)

    def settle(self, numbers: Collection[int]) -> None:
        """Record what `unsettled` told, and was synced since then. Blocks."""
        waiting = [row for row in self.all() if row.number in numbers and row.number in self._unsettled]
        if not waiting:
            return
        with self._db.transaction():
            for row in waiting:
                self._db.execute(
                    "UPDATE snapshot SET name = ?, parent = ?, committed = 1, opaque = ?, size = ?"
                    " WHERE number = ?",
                    (row.name, row.parent, int(row.opaque), row.size, row.number),
                )
        self._unsettled.difference_update(row.number for row in waiting)

    async def remove(self, key: str) -> None:
        """Remove a snapshot that nothing stands on; a missing one is fine. Raises Conflict."""
        row = self._rows.get(key)
        if row is None:
            return
        if any(other.parent == key for other in self._rows.values()):
            raise Conflict(f"snapshot {key} is in use")
        del self._rows[key]
        await off_loop_to_end(self._destroy, row)

    async def usage(self, key: str) -> int:
        """Bytes of the files that the snapshot itself has, counted now for an active one."""
        row = self._row(key)
        return row.size if row.committed else await off_loop_to_end(tree_size, self.upper(key))

    async def sweep(self, containers: Collection[str] | None = None) -> None:
        """At start: remove half-applied layers, unknown directories and, when `containers` (ids) is given,
        active snapshots of none of them."""
        for row in self.all():
            stale = containers is not None and row.name not in containers
            if not row.committed and (row.name.startswith(UNPACKING) or stale):
                await self.remove(row.name)
        await off_loop_to_end(self._sweep_directories)

    def parents(self, name: str | None) -> list[str]:
        """`name` and all it stands on, top first."""
        found: list[str] = []
        while name is not None and name in self._rows:
            found.append(name)
            name = self._rows[name].parent
        return found

    def _row(self, key: str) -> Snapshot:
        if key not in self._rows:
            raise NotFound(f"no such snapshot: {key}")
        return self._rows[key]

    def _parent(self, row: Snapshot) -> Snapshot | None:
        return None if row.parent is None else self._row(row.parent)

    def _chain(self, row: Snapshot | None) -> list[str]:
        """What an overlay must stack, top first. overlayfs ignores opacity of a layer's root, so it ends here."""
        found: list[str] = []
        while row is not None:
            found.append(row.name)
            row = None if row.opaque else self._parent(row)
        return found

    def _make(self, row: Snapshot) -> None:
        self._make_directories(row)
        # Not synced: whoever needs the snapshot after a power loss has written a record later, which was.
        self._db.execute(
            "INSERT INTO snapshot (name, number, parent, committed) VALUES (?, ?, ?, 0)",
            (row.name, row.number, row.parent),
            durable=False,
        )

    def _make_directories(self, row: Snapshot) -> None:
        home = self._path / str(row.number)
        for folder, mode in ((home, 0o700), (home / "fs", 0o755), (home / "work", 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        self._copy_root(row, home / "fs")

    def _close(self, row: Snapshot, own_root: bool) -> bool:
        """Nothing is written to it any more; whether its root is opaque."""
        home = self._path / str(row.number)
        if not own_root:
            self._copy_root(row, home / "fs")
        (home / "work").rmdir()
        return is_opaque(home / "fs")

    def _copy_root(self, row: Snapshot, target: Path) -> None:
        """The root of an overlay shows the upper directory's own owner and mode: take the parent's."""
        if row.parent is None:
            return
        parent = self.upper(row.parent).stat()
        target.chmod(parent.st_mode & 0o7777)
        if (parent.st_uid, parent.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(target, parent.st_uid, parent.st_gid)

    def _destroy(self, row: Snapshot) -> None:
        self._db.execute("DELETE FROM snapshot WHERE number = ?", (row.number,), durable=False)
        self._unsettled.discard(row.number)
        self._trash.throw(self._path / str(row.number))

    def _sweep_directories(self) -> None:
        known = {row.number for row in self._rows.values()}
        for entry in os.listdir(self._path):
            if entry.isdecimal() and int(entry) not in known:
                self._trash.throw(self._path / entry)
        for row in self.all():
            if (self._path / str(row.number) / "fs").is_dir():
                continue
            if row.committed:
                log.error("layer %s has lost its directory %s", row.name, self._path / str(row.number))
            else:  # made just before a power loss, never written to
                self._make_directories(row)
        self._trash.sweep()

    def _highest_directory(self) -> int:
        return max((int(entry) for entry in os.listdir(self._path) if entry.isdecimal()), default=0)


def _is_from(row: Snapshot, diff_id: Digest) -> bool:
    """Whether a layer is `diff_id` on its parent: image-spec config.md, "Layer ChainID"."""
    return row.name == (diff_id if row.parent is None else Digest.of(f"{row.parent} {diff_id}".encode()))


def _spread(folder: Path) -> None:
    """Have what is made in `folder` spread over the disk: chattr(1), `T`, of ext4's Orlov allocator.

    Layers have nothing to do with each other. Packed together they compete for the same few inodes, of which
    ext4 does not give out those just freed: making files is ten times slower after a `rmi` then.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = int.from_bytes(fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(8)), sys.byteorder)
        if not flags & _FS_TOPDIR_FL:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, (flags | _FS_TOPDIR_FL).to_bytes(8, sys.byteorder))
    except OSError:
        pass  # not ext4
    finally:
        os.close(fd)
