"""`wait`: the future behind it goes with its client, whenever that leaves."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.api import container_streams
from core.api.routing import Request, Stream


class Containers:
    """Gives the one future it has."""

    def __init__(self) -> None:
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def wait(self, reference: str, condition: object) -> asyncio.Future[int]:
        return self.future


async def asked() -> tuple[Containers, Stream]:
    containers = Containers()
    engine: Any = SimpleNamespace(containers=containers)
    request: Any = SimpleNamespace(id="c", text=lambda name: "")
    answer = await container_streams.wait(engine, cast(Request, request))
    assert isinstance(answer, Stream)
    return containers, answer


@pytest.mark.parametrize("read", [False, True])
async def test_a_client_that_leaves_is_not_waited_for(read: bool) -> None:
    containers, answer = await asked()
    if read:
        piece = asyncio.ensure_future(anext(answer.pieces))
        await asyncio.sleep(0)
        piece.cancel()
        await asyncio.gather(piece, return_exceptions=True)
    await answer.pieces.aclose()
    assert containers.future.cancelled()


async def test_the_code_comes_when_it_is_known() -> None:
    containers, answer = await asked()
    containers.future.set_result(7)
    pieces = [piece async for piece in answer.pieces]
    assert json.loads(b"".join(pieces)) == {"Error": None, "StatusCode": 7}
    assert all(pieces), "an empty piece would end the answer"
