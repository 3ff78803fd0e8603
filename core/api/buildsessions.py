"""Routes of what a client holds for its build: its session, and a connection for each thing asked of it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from core.api.routing import Answer, Request, Route, TakenOver
from core.engine.buildsessions import Stream
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.wire.streams import RAW_STREAM


async def session(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/build/session?id=NAME: lines by which the engine asks, on the raw stream"""
    taken: list[socket.socket] = []

    def take() -> socket.socket:
        taken.append(request.take_over()[0])
        return taken[0]

    head = _head(request)
    engine.builds.sessions.begin(request.text("id"), take)
    with suppress(OSError):  # it has gone already: the build will tell
        await asyncio.get_running_loop().sock_sendall(taken[0], head)
    return TakenOver()


async def stream(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/build/stream?id=ID: the raw stream is what was asked for"""
    head = _head(request)

    def take() -> Stream:
        sock, early = request.take_over()
        with suppress(OSError):
            sock.send(head)  # a hundred bytes into an empty buffer
        return Stream(sock, early)

    engine.builds.sessions.stream(request.text("id"), take)
    return TakenOver()


def _head(request: Request) -> bytes:
    if not request.upgrades:
        raise InvalidArgument("hold something for a build: ask for an upgrade to tcp")
    return request.raw_head(RAW_STREAM)


ROUTES = (
    Route("POST", "/onggi/v1/build/session", session),
    Route("POST", "/onggi/v1/build/stream", stream),
)
