"""Large bodies: in through a file without a name, out through a queue of pieces."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import IO

from core.aio import off_loop
from core.errors import SyscallFailed
from core.paths import Paths

BATCH = 1 << 20  # bytes gathered before the disk is asked
QUEUE = 8  # pieces a slow client may lag behind

Write = Callable[[bytes], Awaitable[None]]


async def spool(paths: Paths, pieces: AsyncIterator[bytes]) -> IO[bytes]:
    """The whole body in an unnamed file under ROOT, at its beginning; the caller closes it.

    Raises SyscallFailed, for one when the disk is full; nothing stays behind.
    """
    file = await off_loop(lambda: tempfile.TemporaryFile(dir=paths.root))  # noqa: SIM115 (the caller's)
    try:
        batch = bytearray()
        async for piece in pieces:
            batch += piece
            if len(batch) >= BATCH:
                await off_loop(file.write, bytes(batch))
                batch.clear()
        await off_loop(_finish, file, bytes(batch))
    except OSError as error:
        file.close()
        raise SyscallFailed.of("write the request's body", error) from error
    except BaseException:
        file.close()
        raise
    return file


def _finish(file: IO[bytes], rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)


async def pipe_out(work: Callable[[Write], Awaitable[None]]) -> AsyncGenerator[bytes, None]:
    """What `work` writes, piece by piece; it waits when nobody takes them. Raises what `work` raises."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)

    async def write(piece: bytes) -> None:
        if piece:  # an empty one is the end
            await queue.put(piece)

    async def run() -> None:
        try:
            await work(write)
        finally:
            await queue.put(b"")

    task = asyncio.create_task(run())
    try:
        while piece := await queue.get():
            yield piece
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
