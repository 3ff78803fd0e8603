"""Routes that send images to another engine and take them in from one, over streams that a client joins."""

from __future__ import annotations

import asyncio

from core.api.routing import Answer, Request, Route, Stream, TakenOver
from core.api.spool import pipe_out
from core.engine.engine import Engine
from core.errors import InvalidArgument

CONTENT_TYPE = "application/vnd.onggi.images"


def _names(engine: Engine, request: Request) -> tuple[str, ...]:
    names = tuple(name for name in request.texts("names") if name)
    if not names:
        raise InvalidArgument("no image to send: give at least one name")
    engine.transfers.check(names)
    return names


async def send(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/images/send: all of it, for a stream that goes one way"""
    names = _names(engine, request)
    return Stream(pipe_out(lambda write: engine.transfers.send(names, write)), CONTENT_TYPE)


async def talk(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/send: a raw stream, on which the receiver's answer comes back"""
    names = _names(engine, request)
    head = request.raw_head(CONTENT_TYPE)
    sock, early = request.take_over()
    await asyncio.get_running_loop().sock_sendall(sock, head)
    await engine.transfers.talk(names, sock, early)
    return TakenOver()


async def receive(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/receive: a raw stream; what comes back are lines of a progress stream"""
    head = request.raw_head(CONTENT_TYPE)
    sock, early = request.take_over()
    await asyncio.get_running_loop().sock_sendall(sock, head)
    await engine.transfers.receive(sock, early)
    return TakenOver()


ROUTES = (
    Route("GET", "/onggi/v1/images/send", send),
    Route("POST", "/onggi/v1/images/send", talk),
    Route("POST", "/onggi/v1/images/receive", receive),
)
