"""Reading what a container wrote, and following it while it writes more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from core.aio import off_loop_to_end
from core.engine.records import Records
from core.engine.tasks import Task, Tasks
from core.errors import EngineError, Unsupported
from core.logs.jsonfile import Line
from core.logs.reader import LogReader, open_files
from core.logs.segments import newest
from core.model.container import ContainerRecord
from core.paths import Paths
from core.wire.streams import STDERR, STDOUT, frame

HANDED = 200  # segments of a log that are handed over; the kernel's limit is 253 descriptors (SCM_MAX_FD)
BATCH = 512  # records of the first step; each takes twice as many as the last
MOST_BATCH = 8192  # on a busy machine it is the turns that take time; more would hold worker and memory too long


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of a log is wanted. `tail` None = all; `since`, `until` as the log writes times, "" = no bound."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: str = ""
    until: str = ""

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams by their names in the log."""
        return ("stdout",) * self.stdout + ("stderr",) * self.stderr


class Logs:
    """The logs of all containers."""

    def __init__(self, paths: Paths, records: Records, tasks: Tasks) -> None:
        self._paths = paths
        self._records = records
        self._tasks = tasks

    def check(self, record: ContainerRecord) -> None:
        """Raises Unsupported when the container keeps no log that can be read."""
        if record.host_config.log_config.type == "none":
            raise Unsupported("configured logging driver does not support reading")

    async def lines(self, record: ContainerRecord, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """The log as Docker sends it: raw with a tty, else in frames; several records a piece."""
        path = str(self._paths.log(record.id))
        # Opened here, where cancelling cannot come between; reading is what takes time.
        reader = LogReader(path, count=options.tail)
        task = self._tasks.find(record.id) if options.follow else None
        try:
            if task is not None:
                await _watch(task, 1)
            while True:
                # Asked before reading, so that what is written meanwhile cannot be missed.
                seen = task.growth if task is not None else 0
                ended = task is None or task.final or task.drained.done()
                async for piece in self._step(reader, record, options):
                    yield piece
                if ended or task is None:
                    return
                await task.more_log(seen)
        finally:
            reader.close()
            if task is not None:
                await _watch(task, -1)

    async def watch(self, record: ContainerRecord) -> AsyncGenerator[dict[int, int] | None, None]:
        """The log's segments by number, open for reading, oldest first and the receiver's to close: at once, and
        when there is another; None when the last has grown. It ends when that will not grow any more."""
        path = str(self._paths.log(record.id))
        task = self._tasks.find(record.id)
        number = -1
        try:
            if task is not None:
                await _watch(task, 1)
            while True:
                seen = task.growth if task is not None else 0
                ended = task is None or task.final or task.drained.done()
                current = newest(path)
                if current != number:
                    number = current
                    yield open_files(path, HANDED)
                else:
                    yield None
                if ended or task is None:
                    return
                await task.more_log(seen)
        finally:
            if task is not None:
                await _watch(task, -1)

    async def _step(
        self, reader: LogReader, record: ContainerRecord, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        lines = reader.lines(since=options.since, until=options.until, streams=options.streams)
        count = BATCH
        while piece := await off_loop_to_end(_batch, lines, count, record.config.tty, options.timestamps):
            yield piece
            count = min(2 * count, MOST_BATCH)


async def _watch(task: Task, change: int) -> None:
    """Have the shim tell of growth as long as somebody follows."""
    before = task.followers
    task.followers += change
    if bool(before) != bool(task.followers) and not task.final:
        try:
            await task.shim.watch_log(task.followers > 0)
        except (EngineError, OSError):
            pass  # it is ending: the last reading comes anyway


def _batch(lines: Iterator[Line], count: int, tty: bool, timestamps: bool) -> bytes:
    pieces = []
    for line in lines:
        data = f"{line.time} ".encode() + line.data if timestamps else line.data
        pieces.append(data if tty else frame(STDERR if line.stream == "stderr" else STDOUT, data))
        if len(pieces) == count:
            break
    return b"".join(pieces)
