"""The builds of one ROOT: those that go on, and the last that ended. `ROOT/builds/ID/{record.json,log}`."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.aio import off_loop
from core.build.recording import LOG, RECORD, Recording, save
from core.errors import Conflict, InvalidArgument, NotFound
from core.model.buildrecord import LOST, BuildRecord

KEPT = 50  # builds


def new_id() -> str:
    """An id for a build that is about to begin."""
    return secrets.token_hex(16)


class History:
    """Reads its folder when it is first asked; nothing of it is needed before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Recording] = {}
        self._read: dict[str, BuildRecord] | None = None

    @property
    def _ended(self) -> dict[str, BuildRecord]:
        if self._read is None:
            found = [record for record in _records(self._folder) if record.id not in self._running]
            self._read = {record.id: record for record in sorted(found, key=lambda record: record.started)}
        return self._read

    @contextlib.contextmanager
    def recording(self, ident: str, **fields: Any) -> Iterator[Recording]:
        """Record a build that begins; `fields` of its record. What ends the block ends the build."""
        record = BuildRecord(id=ident, started=time.time(), **fields)
        self._forget_oldest()
        recording = Recording(record, self._folder / record.id)
        self._running[record.id] = recording
        failed: BaseException | None = None
        try:
            yield recording
        except BaseException as error:
            failed = error
            raise
        finally:
            del self._running[record.id]
            self._ended[record.id] = recording.end(failed)

    def all(self) -> tuple[BuildRecord, ...]:
        """Every build, the newest first."""
        found = [*self._ended.values(), *(recording.record for recording in self._running.values())]
        return tuple(sorted(found, key=lambda record: record.started, reverse=True))

    def get(self, ident: str) -> BuildRecord:
        """By id, or the beginning of one; "" = the newest. Raises NotFound, InvalidArgument for more than one."""
        found = [record for record in self.all() if record.id.startswith(ident)]
        if not found:
            raise NotFound(f"No such build: {ident}" if ident else "there are no builds")
        if len(found) > 1 and ident and found[0].id != ident:
            raise InvalidArgument(f"multiple builds found with provided prefix: {ident}")
        return found[0]

    async def lines(self, ident: str, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """The events of a build as JSON lines; with `follow` those to come too. Raises what `get` raises."""
        record = self.get(ident)
        recording = self._running.get(record.id)
        if recording is None:
            for line in await off_loop(_log_lines, self._folder / record.id / LOG):
                yield line
        elif not follow:
            for line in recording.lines:
                yield line
        else:
            with recording.followed() as (before, queue):
                for line in before:
                    yield line
                while (coming := await queue.get()) is not None:
                    yield coming

    async def remove(self, ident: str) -> BuildRecord:
        """Forget a build that has ended. Raises Conflict, and what `get` raises."""
        record = self.get(ident)
        if record.running:
            raise Conflict(f"build {record.id[:12]} is running: cancel it first")
        self._ended.pop(record.id, None)
        await off_loop(shutil.rmtree, self._folder / record.id, True)
        return record

    def recover(self) -> None:
        """At start: builds over which the engine ended are lost."""
        for record in _records(self._folder):
            if record.running:
                lost = msgspec.structs.replace(
                    record, outcome=LOST, error="the engine ended before the build was done"
                )
                save(self._folder / record.id, lost)

    def _forget_oldest(self) -> None:
        while len(self._ended) + len(self._running) >= KEPT and self._ended:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            shutil.rmtree(self._folder / oldest, ignore_errors=True)


def _records(folder: Path) -> Iterator[BuildRecord]:
    """What can be read; a record that cannot is nobody's, and goes."""
    try:
        folders = list(folder.iterdir())
    except OSError:
        return
    for entry in folders:
        try:
            yield msgspec.json.decode((entry / RECORD).read_bytes(), type=BuildRecord)
        except (OSError, msgspec.DecodeError):
            shutil.rmtree(entry, ignore_errors=True)


def _log_lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError:
        return []
    return [line + b"\n" for line in data.split(b"\n") if line]
