"""Every container's record: in memory for reading, in SQLite for the next engine.

Making and removing a container is synced to disk before the client hears of it; a change of state is not,
because after a power loss no container runs and the sweep at start says so. Nor is anything of a container that
removes itself: after a power loss it is to be gone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from core.errors import Conflict, CorruptStore, DiskFull, InvalidArgument, NameInUse, NoSuchContainer
from core.model.container import ContainerRecord, State
from core.oci.document import decode, encode

log = logging.getLogger(__name__)

_HEX = re.compile(r"[0-9a-f]{1,64}")
SCHEMA = ("CREATE TABLE container (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL)",)


class Store(Protocol):
    """The part of the database that records need; statements are short and run where they are called."""

    def migrate(self, name: str, statements: Sequence[str]) -> None: ...
    def execute(self, sql: str, parameters: Sequence[Any] = (), *, durable: bool = True) -> Any: ...
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any]: ...


class Records:
    """Look up, add, change and delete records."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: dict[str, ContainerRecord] = {}
        self._names: dict[str, str] = {}
        self._unsaved: set[str] = set()
        self._claims: dict[str, set[str]] = {}
        store.migrate("containers", SCHEMA)
        for ident, blob in store.query("SELECT id, record FROM container"):
            record = decode(bytes(blob), ContainerRecord, what=f"record of container {ident}", error=CorruptStore)
            self._keep(record)

    def all(self) -> tuple[ContainerRecord, ...]:
        """Every record, newest first."""
        return tuple(sorted(self._records.values(), key=lambda record: record.created, reverse=True))

    def get(self, reference: str) -> ContainerRecord:
        """The record of an id, a name or an unambiguous beginning of an id. Raises NoSuchContainer."""
        if reference in self._records:
            return self._records[reference]
        by_name = self._names.get(reference.removeprefix("/"))
        if by_name is not None:
            return self._records[by_name]
        found = (
            [ident for ident in self._records if ident.startswith(reference)] if _HEX.fullmatch(reference) else []
        )
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
        if not found:
            raise NoSuchContainer(f"No such container: {reference}")
        return self._records[found[0]]

    def find(self, ident: str) -> ContainerRecord | None:
        """The record of a whole id, if there is one."""
        return self._records.get(ident)

    def name_taken(self, name: str) -> bool:
        """Whether a container has this name."""
        return name in self._names

    def claim(self, ident: str, volume: str) -> None:
        """Count container `ident`, which is still being made, among the users of `volume`."""
        self._claims.setdefault(ident, set()).add(volume)

    def unclaim(self, ident: str) -> None:
        """The container is not being made any more."""
        self._claims.pop(ident, None)

    def users(self, volume: str) -> tuple[str, ...]:
        """The ids of the containers that mount `volume`, those still being made too."""
        return tuple(
            record.id
            for record in self._records.values()
            if any(point.type == "volume" and point.name == volume for point in record.mounts)
        ) + tuple(ident for ident, volumes in self._claims.items() if volume in volumes)

    def check_name(self, name: str) -> None:
        """Raises NameInUse, with Docker's words, when a container has this name."""
        holder = self._names.get(name)
        if holder is not None:
            raise NameInUse(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    def add(self, record: ContainerRecord) -> None:
        """Store a new record, synced (but one that removes itself). Raises NameInUse."""
        self.check_name(record.name)
        self._store.execute(
            "INSERT INTO container (id, name, record) VALUES (?, ?, ?)",
            (record.id, record.name, encode(record)),
            durable=not record.host_config.auto_remove,
        )
        self._keep(record)

    def change(
        self, ident: str, update: Callable[[ContainerRecord], ContainerRecord], *, durable: bool = False
    ) -> ContainerRecord:
        """Replace a record by what `update` makes of it. Raises NoSuchContainer, NameInUse."""
        old = self._records.get(ident)
        if old is None:
            raise NoSuchContainer(f"No such container: {ident}")
        new = update(old)
        if new.id != old.id:
            raise Conflict("the id of a container does not change")
        if new.name != old.name:
            self.check_name(new.name)
        try:
            self._save(new, durable=durable)
        except DiskFull as error:
            if durable:
                raise
            # What has happened has happened: those who wait for it must hear it, the disk hears it later.
            log.warning("container %s: %s", new.short_id, error)
            self._unsaved.add(ident)
        else:
            self._save_rest()
        self._names.pop(old.name, None)
        self._keep(new)
        return new

    def _save(self, record: ContainerRecord, *, durable: bool) -> None:
        self._store.execute(
            "UPDATE container SET name = ?, record = ? WHERE id = ?",
            (record.name, encode(record), record.id),
            durable=durable,
        )
        self._unsaved.discard(record.id)

    def _save_rest(self) -> None:
        """Store what found no room before."""
        try:
            for ident in self._unsaved & self._records.keys():
                self._save(self._records[ident], durable=False)
        except DiskFull:
            pass  # still none

    def set_state(self, ident: str, **members: Any) -> ContainerRecord:
        """Change members of a record's state."""
        return self.change(ident, lambda record: replace_state(record, **members))

    def delete(self, ident: str) -> None:
        """Forget a record, synced (but one that removes itself). Unknown ids are ignored."""
        record = self._records.get(ident)
        if record is not None:
            durable = not record.host_config.auto_remove
            self._store.execute("DELETE FROM container WHERE id = ?", (ident,), durable=durable)
            del self._records[ident]
            self._names.pop(record.name, None)
            self._unsaved.discard(ident)

    def _keep(self, record: ContainerRecord) -> None:
        self._records[record.id] = record
        self._names[record.name] = record.id


def replace_state(record: ContainerRecord, **members: Any) -> ContainerRecord:
    """`record` with some members of its state changed."""
    state: State = msgspec.structs.replace(record.state, **members)
    return msgspec.structs.replace(record, state=state)
