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
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from core.aio import off_loop_to_end
from core.api.images import import_file
from core.api.progress import Work, progress_stream
from core.api.routing import Answer, Request, Route, TakenOver
from core.engine.engine import Engine
from core.engine.images import Report
from core.errors import EngineError, InvalidArgument, SyscallFailed
from core.model.events import Progress
from core.wire.codec import json_line, one_line
from core.wire.http import hijack_head
from core.wire.streams import RAW_STREAM

_WORTH = 1 << 20  # bytes that are worth a line
_PATIENCE = 30.0  # seconds for the descriptor to come

Lines = list[dict[str, object]]
FileWork = Callable[[int, Report], Awaitable[Lines]]


async def load(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/load"""

    async def work(archive: int, report: Report) -> Lines:
        lines: Lines = [{"stream": f"{line}\n"} for line in await engine.images.load(archive, report)]
        return [*lines, {"aux": {"Images": len(lines)}}]

    return await _serve(request, work, writable=False)


async def import_(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/import"""

    async def work(archive: int, report: Report) -> Lines:
        ident = await import_file(engine, request, archive, report)
        return [{"status": ident}, {"aux": {"ID": ident}}]

    return await _serve(request, work, writable=False)


async def save(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/save"""
    names = tuple(part for name in request.texts("names") for part in name.split(",") if part)
    if not names:
        raise InvalidArgument("no image to save: give at least one name")
    engine.images.check_saved(names)

    total = await engine.images.saved_size(names)

    async def work(archive: int, report: Report) -> Lines:
        size = told = 0

        async def write(piece: bytes) -> None:
            nonlocal size, told
            size += len(piece)
            if size - told >= _WORTH:
                told = size
                report(Progress(status="Saving", current=size, total=total))
            try:
                await off_loop_to_end(_write_all, archive, piece)
            except OSError as error:
                raise SyscallFailed.of("write archive", error) from error

        await engine.images.save(names, write)
        return [{"aux": {"Bytes": size}}]

    return await _serve(request, work, writable=True)


def _write_all(fd: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


async def _serve(request: Request, work: FileWork, *, writable: bool) -> Answer:
    if not request.upgrades:
        raise InvalidArgument("work on a descriptor: ask for an upgrade to tcp")
    quiet = request.flag("quiet")
    sock, _ = request.take_over()
    try:
        await asyncio.get_running_loop().sock_sendall(sock, hijack_head(RAW_STREAM, upgrade=True))
        await _with_file(sock, work, quiet=quiet, writable=writable)
    except OSError:
        pass  # the client has gone
    finally:
        sock.close()
    return TakenOver()


async def _with_file(sock: socket.socket, work: FileWork, *, quiet: bool, writable: bool) -> None:
    try:
        file = await asyncio.wait_for(receive_file(sock, writable=writable), _PATIENCE)
    except TimeoutError:
        return
    except EngineError as error:
        await _send(sock, json_line({"errorDetail": {"message": error.message}, "error": one_line(error.message)}))
        return
    try:
        await _follow(sock, lambda report: work(file, report), quiet=quiet)
    finally:
        os.close(file)


async def _follow(sock: socket.socket, work: Work, *, quiet: bool) -> None:
    """Send what the work says; it is given up when the client goes."""
    pieces = progress_stream(work, quiet=quiet)
    await until_gone(sock, _pump(sock, pieces), pieces)


async def until_gone(
    sock: socket.socket, work: Coroutine[Any, Any, None], source: AsyncGenerator[Any, None]
) -> None:
    """Do `work` until it is done or the client closes `sock`; `source`, which it reads, is closed in the end."""
    pump = asyncio.create_task(work)
    gone = asyncio.create_task(asyncio.get_running_loop().sock_recv(sock, 1))
    try:
        await asyncio.wait([pump, gone], return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            pump.result()
    finally:
        for task in (pump, gone):
            task.cancel()
        await asyncio.gather(pump, gone, return_exceptions=True)
        await source.aclose()


async def _pump(sock: socket.socket, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        await _send(sock, piece)


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def receive_file(sock: socket.socket, *, writable: bool = False) -> int:
    """The regular file that the client sends, open for reading or writing, the caller's to close.

    Raises InvalidArgument for anything else: a pipe or a device would let the client decide how long we wait.
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
            raise InvalidArgument("work on a descriptor: exactly one descriptor is needed")
        mode = fcntl.fcntl(fds[0], fcntl.F_GETFL) & (os.O_ACCMODE | os.O_PATH)
        wanted = (os.O_WRONLY, os.O_RDWR) if writable else (os.O_RDONLY, os.O_RDWR)
        if mode not in wanted or not stat.S_ISREG(os.fstat(fds[0]).st_mode):
            way = "writing" if writable else "reading"
            raise InvalidArgument(f"work on a descriptor: it is no regular file that is open for {way}")
        return os.dup(fds[0])
    finally:
        for fd in fds:
            os.close(fd)


ROUTES = (
    Route("POST", "/onggi/v1/images/load", load),
    Route("POST", "/onggi/v1/images/import", import_),
    Route("POST", "/onggi/v1/images/save", save),
)
