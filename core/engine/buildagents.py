"""`RUN --mount=type=ssh`: a socket for one step, each connection of which goes to the agent of the build's client.

Keys stay with the client; nothing of it is written down. draft-miller-ssh-agent: what may be asked is the client's
to decide, who lets nothing through but the list of keys and signatures.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from core.aio import off_loop, off_loop_to_end
from core.engine.buildsessions import PIECE, SSH, Session
from core.errors import EngineError

_AT_ONCE = 16  # connections of a step


@asynccontextmanager
async def serve_agent(
    session: Session, ident: str, path: Path, mode: int, uid: int, gid: int
) -> AsyncIterator[None]:
    """Listen at `path` while inside; what is left of connections ends with it."""
    listening = await off_loop(_listen, path, mode, uid, gid)
    work: set[asyncio.Task[None]] = set()
    try:
        accepting = asyncio.create_task(_accept(listening, session, ident, work))
        work.add(accepting)
        yield
    finally:
        for task in tuple(work):
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        listening.close()
        await off_loop_to_end(path.unlink, True)


def _listen(path: Path, mode: int, uid: int, gid: int) -> socket.socket:
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listening.bind(str(path))
        os.chown(path, uid, gid)
        path.chmod(mode)
        listening.listen(_AT_ONCE)
    except BaseException:
        listening.close()
        raise
    return listening


async def _accept(listening: socket.socket, session: Session, ident: str, work: set[asyncio.Task[None]]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        sock, _ = await loop.sock_accept(listening)
        if len(work) > _AT_ONCE:
            sock.close()
            continue
        task = asyncio.create_task(_join(sock, session, ident))
        work.add(task)
        task.add_done_callback(work.discard)


async def _join(sock: socket.socket, session: Session, ident: str) -> None:
    """One connection of the step's, to the agent and back, until either ends."""
    with sock, suppress(OSError, EngineError):
        async with session.stream(SSH, Name=ident) as stream:
            there = asyncio.create_task(_pump(sock, stream.sock))
            back = asyncio.create_task(_pump(stream.sock, sock, stream.early))
            try:
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (there, back):
                    task.cancel()
                await asyncio.gather(there, back, return_exceptions=True)


async def _pump(source: socket.socket, target: socket.socket, early: bytes = b"") -> None:
    loop = asyncio.get_running_loop()
    piece = early or await loop.sock_recv(source, PIECE)
    while piece:
        await loop.sock_sendall(target, piece)
        piece = await loop.sock_recv(source, PIECE)
