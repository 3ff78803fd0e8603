"""A download that is cancelled keeps what has come, each byte once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from core.oci.digest import Digest
from core.oci.image import Descriptor
from core.registry.download import PIECE, fetch

BLOB = bytes(range(256)) * (3 * PIECE // 256)


class Line:
    """A repository's side of `fetch`: a blob from where it is asked for, in pieces as a line brings them."""

    path = "x"
    session = SimpleNamespace(transport=SimpleNamespace(stall=30.0), url=str)

    @asynccontextmanager
    async def blob(self, _: Descriptor, start: int) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(start, len(BLOB), 65536):
                yield BLOB[at : at + 65536]

        yield start, pieces()


class Sink:
    """Writes in a thread's way: what was begun is done, also for one who is cancelled meanwhile."""

    def __init__(self, cancelled_at: int) -> None:
        self.data = b""
        self._writes = cancelled_at

    @property
    def size(self) -> int:
        return len(self.data)

    async def write(self, data: bytes) -> None:
        self.data += data
        self._writes -= 1
        if self._writes == 0:
            raise asyncio.CancelledError

    async def restart(self) -> None:
        self.data = b""


@pytest.mark.parametrize("write", [1, 2, 3])
async def test_a_cancelled_write_is_not_written_again(write: int) -> None:
    descriptor = Descriptor("application/octet-stream", Digest.of(BLOB), len(BLOB))
    sink = Sink(cancelled_at=write)
    with pytest.raises(asyncio.CancelledError):
        await fetch(Line(), descriptor, sink, lambda _: None)  # type: ignore[arg-type]
    assert sink.data == BLOB[: write * PIECE]
    await fetch(Line(), descriptor, sink, lambda _: None)  # type: ignore[arg-type]
    assert sink.data == BLOB
