"""A container's root file system as one tar: `export`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from core.engine.announce import announce
from core.engine.events import Events
from core.model.container import ContainerRecord
from core.packets import Message

PIECE = 256 * 1024


class Jobs(Protocol):
    """The part of the zygote's client that runs jobs."""

    async def run(self, job: str, args: Message, fds: Sequence[int] = ()) -> tuple[Message, list[int]]: ...


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


class Exporting:
    """Streams root file systems out."""

    def __init__(self, jobs: Jobs, snapshots: Snapshots, events: Events) -> None:
        self._jobs = jobs
        self._snapshots = snapshots
        self._events = events

    async def export(self, record: ContainerRecord) -> AsyncGenerator[bytes, None]:
        """The tar in pieces. A running container is read through its own root, never by a second mount.

        Raises what the job raises, before the first piece where it can.
        """
        live = bool(record.state.pid)
        rootfs = {"pid": record.state.pid} if live else dict(self._snapshots.rootfs(record.id))
        pieces = await self.stream("copy-out", {"rootfs": rootfs, "path": "/", "flat": True})
        announce(self._events, record, "export")
        return pieces

    async def stream(self, job_name: str, args: Message) -> AsyncGenerator[bytes, None]:
        """What a job writes, in pieces. Raises what the job raises, before the first piece where it can."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        job = asyncio.create_task(self._jobs.run(job_name, args, [theirs.fileno()]))
        job.add_done_callback(lambda _: theirs.close())
        pieces = self._pieces(ours, job)
        try:
            first = await anext(pieces, b"")
        except BaseException:
            await pieces.aclose()
            raise
        return _with_first(first, pieces)

    @staticmethod
    async def _pieces(
        ours: socket.socket, job: asyncio.Task[tuple[Message, list[int]]]
    ) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        try:
            while piece := await loop.sock_recv(ours, PIECE):
                yield piece
            await job
        finally:
            # Closing our end ends the job too: its next write fails, and nobody asks why.
            ours.close()
            job.add_done_callback(_forget)


def _forget(job: asyncio.Task[tuple[Message, list[int]]]) -> None:
    if not job.cancelled():
        job.exception()


async def _with_first(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()
