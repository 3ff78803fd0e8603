"""Archives by descriptor: a client on this machine hands its file over instead of sending what is in it.

The connection becomes a raw stream; the client sends one byte with the descriptor (unix(7), SCM_RIGHTS), and gets
the lines of a progress stream; the last one is an `aux` or an error, so that an end too early can be told.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
from collections.abc import AsyncIterator

from core.api.progress import Work, progress_stream
from core.api.routing import Answer, Request, Route, TakenOver
from core.engine.engine import Engine
from core.engine.images import Report
from core.errors import EngineError, InvalidArgument
from core.wire.codec import json_line, one_line
from core.wire.http import hijack_head
from core.wire.streams import RAW_STREAM

_PATIENCE = 30.0  # seconds for the descriptor to come


async def load(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/load"""
    if not request.upgrades:
        raise InvalidArgument("load by descriptor: ask for an upgrade to tcp")
    quiet = request.flag("quiet")
    sock, _ = request.take_over()
    try:
        await asyncio.get_running_loop().sock_sendall(sock, hijack_head(RAW_STREAM, upgrade=True))
        await _load(engine, sock, quiet=quiet)
    except OSError:
        pass  # the client has gone
    finally:
        sock.close()
    return TakenOver()


async def _load(engine: Engine, sock: socket.socket, *, quiet: bool) -> None:
    try:
        archive = await asyncio.wait_for(receive_file(sock), _PATIENCE)
    except TimeoutError:
        return
    except EngineError as error:
        await _send(sock, json_line({"errorDetail": {"message": error.message}, "error": one_line(error.message)}))
        return

    async def work(report: Report) -> list[dict[str, object]]:
        lines: list[dict[str, object]] = [
            {"stream": f"{line}\n"} for line in await engine.images.load(archive, report)
        ]
        return [*lines, {"aux": {"Images": len(lines)}}]

    try:
        await _follow(sock, work, quiet=quiet)
    finally:
        os.close(archive)


async def _follow(sock: socket.socket, work: Work, *, quiet: bool) -> None:
    """Send what the work says; it is given up when the client goes."""
    pieces = progress_stream(work, quiet=quiet)
    loop = asyncio.get_running_loop()
    pump = asyncio.create_task(_pump(sock, pieces))
    gone = asyncio.create_task(loop.sock_recv(sock, 1))
    try:
        await asyncio.wait([pump, gone], return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            pump.result()
    finally:
        for task in (pump, gone):
            task.cancel()
        await asyncio.gather(pump, gone, return_exceptions=True)
        await pieces.aclose()


async def _pump(sock: socket.socket, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        await _send(sock, piece)


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def receive_file(sock: socket.socket) -> int:
    """The regular file that the client sends, the caller's to close. Raises InvalidArgument for anything else.

    A pipe or a device would let the client decide how long we wait for it.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
    data, fds, _, _ = socket.recv_fds(sock, 1, 4, socket.MSG_CMSG_CLOEXEC)
    try:
        if not data:
            raise ConnectionError("the client has gone")
        if len(fds) != 1:
            raise InvalidArgument("load by descriptor: exactly one descriptor is needed")
        mode = fcntl.fcntl(fds[0], fcntl.F_GETFL) & (os.O_ACCMODE | os.O_PATH)
        if mode not in (os.O_RDONLY, os.O_RDWR) or not stat.S_ISREG(os.fstat(fds[0]).st_mode):
            raise InvalidArgument("load by descriptor: it is no regular file that is open for reading")
        return os.dup(fds[0])
    finally:
        for fd in fds:
            os.close(fd)


ROUTES = (Route("POST", "/onggi/v1/images/load", load),)
