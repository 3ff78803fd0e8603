"""A container's log by descriptor: a client on this machine reads the files itself, anywhere in them.

The connection becomes a raw stream. The client sends one byte, and gets lines of JSON: `{"files": [N, …]}` with as
many descriptors open for reading, oldest file first (unix(7), SCM_RIGHTS), and again after each rotation;
`{"grown": true}` when there is more; `{"ended": true}` when there will be no more. N is a file's number, which it
keeps. The files are in Docker's json-file format, and those but the last may be compressed (`core/gzipped.py`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator

from core.api.handover import until_gone
from core.api.routing import Answer, Request, Route, TakenOver
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.wire.codec import json_line
from core.wire.http import hijack_head
from core.wire.streams import RAW_STREAM

_PATIENCE = 30.0  # seconds for the client to be ready
_BETWEEN = 0.02  # seconds between two words about growth: whoever reads then sees all of it anyway


async def log(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/containers/{id}/log"""
    record = engine.records.get(request.id)
    engine.logs.check(record)
    if not request.upgrades:
        raise InvalidArgument("read a log by descriptor: ask for an upgrade to tcp")
    sock, early = request.take_over()
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, hijack_head(RAW_STREAM, upgrade=True))
        if early or await asyncio.wait_for(loop.sock_recv(sock, 1), _PATIENCE):
            events = engine.logs.watch(record)
            await until_gone(sock, _pump(sock, events), events)
    except (OSError, TimeoutError):
        pass  # the client has gone
    finally:
        sock.close()
    return TakenOver()


async def _pump(sock: socket.socket, events: AsyncGenerator[dict[int, int] | None, None]) -> None:
    loop = asyncio.get_running_loop()
    async for files in events:
        if files is None:
            await loop.sock_sendall(sock, json_line({"grown": True}))
            await asyncio.sleep(_BETWEEN)
            continue
        try:
            await _send_files(sock, files)
        finally:
            for fd in files.values():
                os.close(fd)
    await loop.sock_sendall(sock, json_line({"ended": True}))


async def _send_files(sock: socket.socket, files: dict[int, int]) -> None:
    message = json_line({"files": list(files)})
    loop = asyncio.get_running_loop()
    while True:
        try:
            sent = socket.send_fds(sock, [message], list(files.values()))
            break
        except BlockingIOError:
            writable = asyncio.Event()
            loop.add_writer(sock, writable.set)
            try:
                await writable.wait()
            finally:
                loop.remove_writer(sock)
    await loop.sock_sendall(sock, message[sent:])


ROUTES = (Route("POST", "/onggi/v1/containers/{id}/log", log),)
