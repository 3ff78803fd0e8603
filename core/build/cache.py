"""Which step has been done before, and why it is done again. Kept in the store, so it survives restarts.

A hit needs the layers to be there still: the cache keeps them from the collector until it is pruned. Keys come only
from builds that ran here: history in a loaded image proves nothing (CVE-2024-24557).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.oci.digest import Digest
from core.storage.db import Database

SCHEMA = (
    """CREATE TABLE build_step (
        key TEXT PRIMARY KEY, diff_ids TEXT NOT NULL, made_layer INTEGER NOT NULL, text TEXT NOT NULL,
        size INTEGER NOT NULL, created_at REAL NOT NULL, used_at REAL NOT NULL, uses INTEGER NOT NULL)""",
    "CREATE TABLE build_place (place TEXT PRIMARY KEY, parts TEXT NOT NULL)",
    "CREATE TABLE build_short (short TEXT PRIMARY KEY, key TEXT NOT NULL, created_by TEXT NOT NULL)",
)
_PARTS_LIMIT = 4 << 20  # characters that are kept to tell what has changed
Parts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One step that was done: `diff_ids` of everything up to it, its own last where `made_layer`."""

    key: str
    diff_ids: tuple[Digest, ...]
    made_layer: bool
    text: str
    size: int
    created_at: float
    used_at: float
    uses: int

    @property
    def layer(self) -> Digest | None:
        return self.diff_ids[-1] if self.made_layer else None


class Cache:
    """The steps of one ROOT."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.migrate("build", SCHEMA)
        rows = db.query("SELECT key, diff_ids, made_layer, text, size, created_at, used_at, uses FROM build_step")
        self._entries = {row[0]: _entry(row) for row in rows}

    def find(self, key: str) -> Entry | None:
        """The step with this key, if it was done; it counts as used now."""
        entry = self._entries.get(key)
        if entry is not None:
            self._db.execute(
                "UPDATE build_step SET used_at = ?, uses = uses + 1 WHERE key = ?",
                (time.time(), key),
                durable=False,
            )
        return entry

    def add(
        self, key: str, diff_ids: Sequence[Digest], *, made_layer: bool, text: str, size: int, created_at: float
    ) -> None:
        """Remember a step whose layer is in the store; `created_at` is what its history says."""
        now = time.time()
        row = (key, json.dumps(list(diff_ids)), int(made_layer), text, size, created_at, now, 0)
        self._db.execute("INSERT OR REPLACE INTO build_step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row, durable=False)
        self._entries[key] = Entry(key, tuple(diff_ids), made_layer, text, size, created_at, now, 0)

    def short(self, short: str) -> tuple[str, str] | None:
        """The key of the step with this second key, which knows less than the first, and its history's words."""
        rows = self._db.query("SELECT key, created_by FROM build_short WHERE short = ?", (short,))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def add_short(self, short: str, key: str, created_by: str) -> None:
        """Remember a second key."""
        row = (short, key, created_by)
        self._db.execute("INSERT OR REPLACE INTO build_short VALUES (?, ?, ?)", row, durable=False)

    def all(self) -> tuple[Entry, ...]:
        """Every step, as it was when the engine started or when it was added."""
        rows = self._db.query(
            "SELECT key, diff_ids, made_layer, text, size, created_at, used_at, uses FROM build_step"
        )
        return tuple(_entry(row) for row in rows)

    def chains(self) -> tuple[tuple[Digest, ...], ...]:
        """The layers that are to be kept for it: the collector asks."""
        return tuple(entry.diff_ids for entry in self._entries.values())

    def delete(self, keys: Sequence[str]) -> None:
        """Forget steps; their layers are garbage from here on, unless an image has them."""
        with self._db.transaction():
            for key in keys:
                self._db.execute("DELETE FROM build_step WHERE key = ?", (key,))
                self._db.execute("DELETE FROM build_short WHERE key = ?", (key,))
                self._entries.pop(key, None)
            if not self._entries:  # what is told of changes is of no use without anything to compare
                self._db.execute("DELETE FROM build_place")

    def places(self, prefix: str) -> dict[str, Parts]:
        """What steps were made of the last time, by the rest of their places behind `prefix`."""
        rows = self._db.query(
            "SELECT place, parts FROM build_place WHERE substr(place, 1, ?) = ?", (len(prefix), prefix)
        )
        return {str(place)[len(prefix) :]: json.loads(parts) for place, parts in rows}

    def put_place(self, place: str, parts: Parts) -> None:
        """Remember what a step was made of. `place` names it over many builds: which Dockerfile, stage and line."""
        text = json.dumps(parts, sort_keys=True)
        if len(text) > _PARTS_LIMIT:
            text = json.dumps({**parts, "files": {}}, sort_keys=True)
        self._db.execute("INSERT OR REPLACE INTO build_place VALUES (?, ?)", (place, text), durable=False)

    def drop_place(self, place: str) -> None:
        """Forget a step that is not in its Dockerfile any more."""
        self._db.execute("DELETE FROM build_place WHERE place = ?", (place,), durable=False)


def _entry(row: tuple[object, ...]) -> Entry:
    key, diff_ids, made_layer, text, size, created_at, used_at, uses = row
    chain = tuple(Digest(item) for item in json.loads(str(diff_ids)))
    return Entry(
        str(key), chain, bool(made_layer), str(text), int(str(size)), float(str(created_at)), float(str(used_at)),
        int(str(uses)),
    )  # fmt: skip
