"""One SQLite file for everything the engine must remember. Each room makes its own tables through `migrate`.

WAL with synchronous=FULL: what `execute` has returned from survives a power loss. sqlite.org/wal.html,
sqlite.org/pragma.html#pragma_synchronous.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import CorruptStore, DiskFull

Row = tuple[Any, ...]
_BUSY_SECONDS = 5.0
_RESERVE = 1024 * 1024  # bytes
_PAUSE = 30.0  # seconds between two attempts to have the reserve again


class Database:
    """A connection for all threads; statements are short and run one at a time.

    Raises CorruptStore where the file is no database or a table is from a newer engine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._reserve = _Reserve(path.with_name(f"{path.name}-reserve"))
        path.parent.mkdir(mode=0o710, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS
        )
        try:
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, version INTEGER NOT NULL)"
            )
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise CorruptStore(f"cannot open database {path}: {error}") from error
        self._reserve.take()

    def migrate(self, name: str, statements: Sequence[str]) -> None:
        """Bring the tables of room `name` up to date.

        `statements` is the whole history; those not yet run are run in order, in one transaction. Only ever
        append to it.
        """
        with self.transaction():
            rows = self.query("SELECT version FROM migration WHERE name = ?", (name,))
            done = int(rows[0][0]) if rows else 0
            if done > len(statements):
                raise CorruptStore(f"database {self._path} was written by a newer engine: {name} {done}")
            for statement in statements[done:]:
                self.execute(statement)
            self.execute("INSERT OR REPLACE INTO migration VALUES (?, ?)", (name, len(statements)))

    def execute(self, sql: str, parameters: Sequence[Any] = (), *, durable: bool = True) -> int:
        """Run one statement that writes; the number of rows it changed.

        `durable=False` returns before the disk has it: fit for what is void after a power loss anyway.
        """
        with self._lock:
            relaxed = not durable and not self._depth
            if relaxed:
                self._connection.execute("PRAGMA synchronous=NORMAL")
            try:
                changed = self._run(sql, parameters).rowcount
                self._reserve.renew()
                return changed
            finally:
                if relaxed:
                    self._connection.execute("PRAGMA synchronous=FULL")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of one statement that reads."""
        with self._lock:
            return self._run(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for the statements of this thread; nested ones join the outermost."""
        with self._lock:
            if not self._depth:
                self._run("BEGIN IMMEDIATE", ())
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if not self._depth:
                    self._roll_back()
                raise
            self._depth -= 1
            if not self._depth:
                try:
                    self._run("COMMIT", ())
                except BaseException:
                    self._roll_back()
                    raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk may have ended it already
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; nothing else may be called afterwards."""
        with self._lock:
            self._connection.close()

    def _run(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._try(sql, parameters)
        except DiskFull:
            inside = self._depth > 0 and not self._connection.in_transaction
            if inside or not self._reserve.give_up():
                raise
            return self._try(sql, parameters)

    def _try(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull(f"write database {self._path}: no space left on device") from error
            raise CorruptStore(f"cannot use database {self._path}: {error}") from error


class _Reserve:
    """A file that keeps room for the engine's last words: what ended, and what is to be removed, on a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spent = 0.0

    def take(self) -> None:
        """Have the room, if there is any."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(fd, 0, _RESERVE)
        except OSError:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def give_up(self) -> bool:
        """Let the room go; whether there was some."""
        self._spent = time.monotonic()
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def renew(self) -> None:
        """Have the room again some time after it was given up."""
        if self._spent and time.monotonic() - self._spent > _PAUSE:
            self.take()
            self._spent = 0.0 if self._path.exists() else time.monotonic()
