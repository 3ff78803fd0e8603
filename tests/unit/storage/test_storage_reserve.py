"""The room that the database keeps for its last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DiskFull
from core.storage.db import Database


def limited(path: Path) -> Database:
    """A database that cannot grow: SQLite says the same as on a full disk."""
    db = Database(path / "db")
    db.migrate("room", ["CREATE TABLE thing (a BLOB)"])
    pages = db.query("PRAGMA page_count")[0][0]
    db.query(f"PRAGMA max_page_count = {pages}")
    return db


def test_the_reserve_is_given_up_before_a_write_fails(tmp_path: Path) -> None:
    db = limited(tmp_path)
    reserve = tmp_path / "db-reserve"
    assert reserve.stat().st_size == 1 << 20
    with pytest.raises(DiskFull, match="no space left on device"):
        db.execute("INSERT INTO thing VALUES (?)", (bytes(100_000),))
    assert not reserve.exists()
    assert db.query("SELECT count(*) FROM thing") == [(0,)]
    db.close()
    Database(tmp_path / "db").close()
    assert reserve.exists(), "the next engine has it again"


def test_a_transaction_on_a_full_disk_is_rolled_back(tmp_path: Path) -> None:
    db = limited(tmp_path)
    with pytest.raises(DiskFull), db.transaction():
        db.execute("INSERT INTO thing VALUES (?)", (b"small",))
        db.execute("INSERT INTO thing VALUES (?)", (bytes(100_000),))
    assert db.query("SELECT count(*) FROM thing") == [(0,)]
    db.execute("INSERT INTO thing VALUES (?)", (b"small",))
    assert db.query("SELECT count(*) FROM thing") == [(1,)]
    db.close()
