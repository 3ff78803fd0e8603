"""Bytes from an archive into the store, in pieces: the loop sees each one, so progress and cancelling are plain."""

from __future__ import annotations

from collections.abc import Callable

from core.aio import off_loop_to_end

PIECE = 4 << 20  # bytes between two looks at the loop
CHUNK = 1 << 18

ReadSome = Callable[[int], bytes]


async def copy(read_some: ReadSome, write: Callable[[bytes], object], advance: Callable[[int], None]) -> int:
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
