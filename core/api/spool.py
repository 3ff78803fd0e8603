"""Large bodies: in through a file without a name, out through a queue of pieces."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import IO

from core.aio import off_loop
from core.errors import SyscallFailed
from core.paths import Paths
from core.storage.content import free_bytes, shortage

BATCH = 1 << 20  # bytes gathered before the disk is asked
QUEUE = 8  # pieces a slow client may lag behind

Write = Callable[[bytes], Awaitable[None]]


async def spool(paths: Paths, pieces: AsyncIterator[bytes]) -> IO[bytes]:
    """The whole body in an unnamed file under ROOT, at its beginning; the caller closes it.

    Raises DiskFull, SyscallFailed; nothing stays behind.
    """
    file = await off_loop(lambda: tempfile.TemporaryFile(dir=paths.root))  # noqa: SIM115 (the caller's)
    batch, come = bytearray(), 0
    try:
        async for piece in pieces:
            batch += piece
            come += len(piece)
            if len(batch) >= BATCH:
                await off_loop(_write, file, bytes(batch))
                batch.clear()
        await off_loop(_finish, file, bytes(batch))
    except OSError as error:
        file.close()
        if error.errno == errno.ENOSPC:
            raise shortage("take in the request's body", come, paths.root, bound="more than") from error
        raise SyscallFailed.of("write the request's body", error) from error
    except BaseException:
        file.close()
        raise
    return file


def _write(file: IO[bytes], batch: bytes) -> None:
    if free_bytes(file.fileno()) < len(batch):  # the reserve is for those who have containers running
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    file.write(batch)


def _finish(file: IO[bytes], rest: bytes) -> None:
    _write(file, rest)
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
        except Exception:
            await queue.put(b"")
            raise
        await queue.put(b"")  # not when cancelled: nobody takes anything from a full queue any more

    task = asyncio.create_task(run())
    try:
        while piece := await queue.get():
            yield piece
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
