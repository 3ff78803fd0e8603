"""Bytes from an archive into the store, in pieces: the loop sees each one, so progress and cancelling are plain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from core.aio import off_loop_to_end

PIECE = 4 << 20  # bytes between two looks at the loop
CHUNK = 1 << 18

LOOK = 0.1  # seconds between two looks at how far a process is

ReadSome = Callable[[int], bytes]
Advance = Callable[[int], None]


async def copy(read_some: ReadSome, write: Callable[[bytes], object], advance: Advance) -> int:
    """Everything from `read_some` to `write`; `advance` hears the bytes so far. The number of bytes."""
    total = 0
    while count := await off_loop_to_end(_piece, read_some, write):
        total += count
        advance(total)
    return total


def _piece(read_some: ReadSome, write: Callable[[bytes], object]) -> int:
    count = 0
    while count < PIECE and (data := read_some(CHUNK)):
        write(data)
        count += len(data)
    return count


@asynccontextmanager
async def looked_at(advance: Advance) -> AsyncIterator[int]:
    """A file for another process, which writes 8 bytes, little-endian, at its beginning: what `advance` hears, and
    once more at the end, as they change. A number in memory, because nobody needs to be woken for each."""
    fd = os.memfd_create("progress", os.MFD_CLOEXEC)
    said = 0

    def look() -> None:
        nonlocal said
        now = int.from_bytes(os.pread(fd, 8, 0), "little")
        if now > said:
            said = now
            advance(now)

    async def watch() -> None:
        while True:
            await asyncio.sleep(LOOK)
            look()

    watching = asyncio.create_task(watch())
    try:
        yield fd
        look()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        os.close(fd)
