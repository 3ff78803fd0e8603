"""A blob over a line that may break: it goes on where it was, and is bounded by its descriptor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

import httpx

from core.errors import DataLoss, Unavailable
from core.oci.image import Descriptor
from core.registry.answers import Refused, tls_error, unreachable
from core.registry.repository import Repository
from core.registry.session import TRIES, Stumbled

PIECE = 1 << 20  # bytes gathered before they are hashed and written
BEAT = 0.2  # seconds between two words of a line that takes longer for a piece
LEAST = 4096  # bytes that must come within each stall time, or a byte a second would hold a pull for ever


class Sink(Protocol):
    """Where the bytes go; `size` = how many there are already."""

    @property
    def size(self) -> int: ...
    async def write(self, data: bytes) -> None: ...
    async def restart(self) -> None: ...


async def fetch(repository: Repository, descriptor: Descriptor, sink: Sink, advance: Callable[[int], None]) -> None:
    """Bring `sink` to the descriptor's size. `advance` hears the bytes so far. The digest is the caller's to check.

    Raises Refused, Unavailable, DataLoss.
    """
    failures = 0
    if sink.size > descriptor.size:
        await sink.restart()
    while sink.size < descriptor.size:
        before = sink.size
        try:
            await _some(repository, descriptor, sink, advance)
        except Refused as error:
            if error.http_status != 416 or not sink.size:
                raise
            await sink.restart()
            failures += 1
        except Unavailable as error:
            if tls_error(error):
                raise
            failures = 1 if sink.size - before >= LEAST else failures + 1
            if failures >= TRIES:
                raise Unavailable(error.message) from error
            await repository.session.pause(failures - 1, error.after if isinstance(error, Stumbled) else 0.0)


async def _some(repository: Repository, descriptor: Descriptor, sink: Sink, advance: Callable[[int], None]) -> None:
    async with repository.blob(descriptor, sink.size) as (start, pieces):
        if start != sink.size:
            await sink.restart()  # the registry knows no ranges
        gathered, clock, told = bytearray(), asyncio.get_running_loop().time, 0.0
        try:
            async for piece in _lively(pieces, repository.session.transport.stall):
                if sink.size + len(gathered) + len(piece) > descriptor.size:
                    raise DataLoss(
                        f"blob {descriptor.digest} is larger than the {descriptor.size} bytes of its descriptor"
                    )
                gathered += piece
                if len(gathered) >= PIECE:
                    whole = bytes(gathered)
                    gathered.clear()  # before: a write that is cancelled has been done all the same
                    await sink.write(whole)
                elif clock() - told < BEAT:
                    continue
                told = clock()
                advance(sink.size + len(gathered))
        except (httpx.HTTPError, TimeoutError) as error:
            url = repository.session.url(f"{repository.path}/blobs/{descriptor.digest}")
            raise Stumbled(unreachable("Get", url, error).message) from error
        finally:
            if gathered and sink.size + len(gathered) <= descriptor.size:
                with suppress(OSError):  # what has come is not fetched again
                    await sink.write(bytes(gathered))
                advance(sink.size)
    if sink.size < descriptor.size:
        url = repository.session.url(f"{repository.path}/blobs/{descriptor.digest}")
        raise Stumbled(f'Get "{url}": unexpected EOF')


async def _lively(pieces: AsyncIterator[bytes], stall: float) -> AsyncIterator[bytes]:
    """`pieces`, as long as they do not merely drip. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    since, came = loop.time(), 0
    async for piece in pieces:
        came += len(piece)
        now = loop.time()
        if now - since > stall:
            if came < LEAST:
                raise TimeoutError("the line drips")
            since, came = now, 0
        yield piece
