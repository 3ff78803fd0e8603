"""Where the lines of a view come from: the files that our engine hands over, or what any engine sends.

Our engine sends no lines: it passes the files of a log as descriptors and says when they have grown, and the view
reads what it shows. Another engine, or one elsewhere, sends its lines, and the last of them are kept.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from core.errors import EngineError, EngineUnreachable
from tui.logs import LogReader, Stream
from tui.logview.filestore import FileStore, Span, step_back
from tui.logview.logfile import LogFile, Shrunk

if TYPE_CHECKING:
    from tui.calls import Calls
    from tui.logview.view import LogView

_AT_ONCE: Final = 64  # blocks of the index between two looks at the keyboard
_PATIENCE: Final = 5.0  # seconds for the files to come
_GATHER: Final = 0.25  # seconds in which the pasts of several logs are put in order
_MOST_FILES: Final = 253


class NoFiles(Exception):
    """This engine does not hand files over."""


@dataclass(frozen=True, slots=True)
class Container:
    """Whose log it is."""

    id: str
    name: str
    tty: bool


class Handed:
    """One log that is handed over: its file, and what is said of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pending = b""
        self._fds: list[int] = []
        self._next: LogFile | None = None
        self.file: LogFile | None = None

    def close(self) -> None:
        """Close connection and files."""
        self._sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        for file in (self.file, self._next):
            if file is not None:
                file.close()

    async def next(self) -> str:
        """`files` (`turn` to them), `grown` or `ended`. Raises NoFiles, OSError."""
        while b"\n" not in self._pending:
            await _readable(self._sock)
            data, fds, _, _ = socket.recv_fds(self._sock, 4096, _MOST_FILES, socket.MSG_CMSG_CLOEXEC)
            self._fds += fds
            if not data:
                return "ended"
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            message = json.loads(line)
            if "files" not in message:
                return "ended" if "ended" in message else "grown"
            numbers = [int(number) for number in message["files"]]
        except (ValueError, TypeError) as error:
            raise NoFiles from error
        if len(numbers) > len(self._fds):
            raise NoFiles
        new, self._fds = self._fds[: len(numbers)], self._fds[len(numbers) :]
        self._next = LogFile(new, numbers)
        return "files"

    def turn(self) -> bool:
        """Go on in what came last; nobody may be reading in `file`. True: that is another one now."""
        if self.file is not None and self._next is not None and self.file.take(self._next):
            self._next = None
            return False
        if self.file is not None:
            self.file.close()
        self.file, self._next = self._next, None
        return True


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)


class Feed:
    """Feeds a view until it is cancelled. The view shows the log of one container, or of several merged."""

    def __init__(self, view: LogView, calls: Calls, containers: Sequence[Container], tail: int) -> None:
        """`tail` lines of each past are asked for where lines are sent."""
        self._view = view
        self._calls = calls
        self._containers = containers
        self._tail = tail
        self._reading = asyncio.Lock()
        self._again = asyncio.Event()
        self._gathered = False

    async def run(self) -> None:
        """Feed. Raises the EngineError of the failure, in a group where there are several."""
        try:
            await self._from_files()
            return
        except NoFiles:
            pass  # not our engine, or not on this machine
        async with asyncio.TaskGroup() as group:
            early: list[tuple[int, Stream, bytes, int]] | None = [] if len(self._containers) > 1 else None
            for number in range(len(self._containers)):
                group.create_task(self._sent(number, early))
            if early is not None:
                await asyncio.sleep(_GATHER)
                early.sort(key=lambda line: line[0])
                gathered, early[:] = early[:], []
                self._gathered = True
                for time, stream, line, number in gathered:
                    self._view.append(stream, time or None, line, number)

    async def _sent(self, number: int, early: list[tuple[int, Stream, bytes, int]] | None) -> None:
        reader, one = LogReader(), self._containers[number]
        async for stream, data in self._calls.logs(one.id, tty=one.tty, tail=self._tail):
            for time, line in reader.feed(stream, data):
                if early is not None and not self._gathered:
                    early.append((time or 0, stream, line, number))
                else:
                    self._view.append(stream, time, line, number)

    async def _from_files(self) -> None:
        with ExitStack() as stack:
            handed = [await self._ask(one, stack) for one in self._containers]
            stack.callback(self._let_go)
            self._view.on_heard = self._again.set
            self._again.set()
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(handed))
                followers = [group.create_task(self._follow(one)) for one in handed]
                await asyncio.wait(followers)
                self._view.more()
                del keeper  # it goes on: what was muted may be heard again

    def _let_go(self) -> None:
        self._view.on_heard = None
        self._view.pull = None
        self._view.show_store(None)

    async def _ask(self, one: Container, stack: ExitStack) -> Handed:
        """The files of a container's log. Raises NoFiles."""
        try:
            hijacked = await self._calls.client.hijack(f"/onggi/v1/containers/{one.id}/log")
        except (EngineUnreachable, EngineError) as error:
            raise NoFiles from error
        handed = Handed(hijacked.sock)
        stack.callback(handed.close)
        if hijacked.early or hijacked.sock.family != socket.AF_UNIX:
            raise NoFiles
        try:
            await asyncio.get_running_loop().sock_sendall(hijacked.sock, b"\0")
            async with asyncio.timeout(_PATIENCE):
                if await handed.next() != "files":
                    raise NoFiles
            handed.turn()
        except (OSError, TimeoutError) as error:
            raise NoFiles from error
        return handed

    async def _follow(self, handed: Handed) -> None:
        while True:
            said = await handed.next()
            if said == "ended":
                return
            if said == "files":
                async with self._reading:
                    another = handed.turn()
                if another:
                    self._again.set()
            self._view.more()

    async def _keep(self, handed: Sequence[Handed]) -> None:
        """Show the files that are heard, anew whenever those are others; and make the index longer meanwhile."""
        while True:
            self._again.clear()
            heard = self._view.sources.heard if len(handed) > 1 else (0,)
            files = [(handed[number].file, number) for number in heard]
            store = FileStore([file for file, _ in files if file is not None], [n for file, n in files if file])
            for file in store.files:
                file.measure()
            store.begin()
            self._view.pull = partial(self._pull, store)
            store.look_back(step_back(store.files, store.front))
            self._view.show_store(store)
            while not store.complete and not self._again.is_set():
                async with self._reading:
                    spans = await asyncio.to_thread(_spans, store)
                for span in spans:
                    store.look_back(span)
                self._view.more()
            await self._again.wait()

    def _pull(self, store: FileStore) -> int | None:
        try:
            return store.refresh()
        except (Shrunk, OSError):
            self._again.set()
            return None


def _spans(store: FileStore) -> list[Span | None]:
    found: list[Span | None] = []
    front = store.front
    for _ in range(_AT_ONCE):
        span = step_back(store.files, front)
        found.append(span)
        if span is None:
            break
        front = span.starts
    return found
