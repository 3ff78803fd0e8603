"""Large bodies, in through a file and out through a queue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.api.spool import BATCH, QUEUE, Write, pipe_out, spool
from core.errors import CorruptStore, DiskFull
from core.paths import Paths
from core.storage import content


async def test_an_empty_piece_is_not_the_end() -> None:
    """A tar member of whole blocks has no padding; what follows it must still come."""

    async def work(write: Write) -> None:
        await write(b"head")
        await write(b"")
        for _ in range(2 * QUEUE):
            await write(b".")

    async with asyncio.timeout(60):
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


async def test_a_client_that_goes_while_the_queue_is_full_ends_the_work() -> None:
    """Work that outlives its client would hold what it holds, the collector of garbage first of all, for ever."""
    ended = asyncio.Event()

    async def work(write: Write) -> None:
        try:
            while True:
                await write(b".")
        finally:
            ended.set()

    async with asyncio.timeout(60):
        pieces = pipe_out(work)
        await anext(pieces)
        for _ in range(3 * QUEUE):
            await asyncio.sleep(0)
        await pieces.aclose()
    assert ended.is_set()


async def test_a_body_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield bytes(BATCH)

    paths = Paths(tmp_path, tmp_path)
    disk = os.statvfs(tmp_path)
    monkeypatch.setattr(content, "RESERVE", disk.f_bavail * disk.f_frsize - 3 * BATCH)
    async with asyncio.timeout(30):
        with pytest.raises(DiskFull, match=r"no space left to take in the request's body: it needs more"):
            await spool(paths, body())
    assert not list(tmp_path.iterdir())
