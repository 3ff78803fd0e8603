"""Large bodies on their way out."""

from __future__ import annotations

import asyncio

import pytest

from core.api.spool import QUEUE, Write, pipe_out
from core.errors import CorruptStore


async def test_an_empty_piece_is_not_the_end() -> None:
    """A tar member of whole blocks has no padding; what follows it must still come."""

    async def work(write: Write) -> None:
        await write(b"head")
        await write(b"")
        for _ in range(2 * QUEUE):
            await write(b".")

    async with asyncio.timeout(5):
        got = b"".join([piece async for piece in pipe_out(work)])
    assert got == b"head" + b"." * 2 * QUEUE


async def test_what_fails_midway_is_raised() -> None:
    async def work(write: Write) -> None:
        await write(b"head")
        raise CorruptStore("layer is damaged")

    got = []
    with pytest.raises(CorruptStore):
        async for piece in pipe_out(work):
            got.append(piece)  # noqa: PERF401 (a comprehension would lose what came before the failure)
    assert got == [b"head"]
