"""What a client holds for its build while it goes on: folders with caches, and its ssh agent.

The client keeps one connection open, on which the engine asks for streams by JSON lines, `{"Id", "Kind", …}`; the
client makes a connection for each. So nothing of the client's is ever at the engine but for the moment it is used.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from core.errors import Conflict, DataLoss, InvalidArgument, NotFound, Unavailable

SSH, READ, MISSING, WRITE, NAME = "ssh", "read", "missing", "write", "name"
PATIENCE = 60.0  # seconds for the client to make a connection, and for each piece on it
PIECE = 1 << 18
_ANSWER = 4 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """One connection of the client's. `early` came with its head."""

    sock: socket.socket
    early: bytes = b""

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, up to its end. Raises Unavailable when nothing does for long."""
        if self.early:
            yield self.early
        loop = asyncio.get_running_loop()
        try:
            while piece := await asyncio.wait_for(loop.sock_recv(self.sock, PIECE), PATIENCE):
                yield piece
        except OSError as error:  # TimeoutError among them
            raise Unavailable("the client of the build sends nothing any more") from error

    async def answer(self) -> Any:
        """A JSON value, all that comes. Raises DataLoss, Unavailable."""
        data = bytearray()
        async for piece in self.pieces():
            data += piece
            if len(data) > _ANSWER:
                raise DataLoss("the answer of the build's client is too long")
        try:
            found = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise DataLoss("the answer of the build's client is not JSON") from error
        if isinstance(found, dict) and found.get("error"):
            raise InvalidArgument(str(found["error"])[:1000])
        return found

    async def send(self, data: bytes) -> None:
        """Send it. Raises Unavailable."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.sock, data), PATIENCE)
        except OSError as error:
            raise Unavailable("the client of the build takes nothing any more") from error

    def finish(self) -> None:
        """Nothing more will be sent."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)


class Session:
    """What one client holds."""

    def __init__(self, sock: socket.socket, waiting: dict[str, asyncio.Future[Stream]]) -> None:
        self._sock = sock
        self._waiting = waiting
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def stream(self, kind: str, **fields: object) -> AsyncIterator[Stream]:
        """A connection for what `kind` and `fields` say. Raises Unavailable when the client is gone."""
        ident = secrets.token_hex(16)
        came = self._waiting[ident] = asyncio.get_running_loop().create_future()
        line = msgspec.json.encode({"Id": ident, "Kind": kind, **fields}) + b"\n"
        try:
            async with self._asking:
                await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self._sock, line), PATIENCE)
            stream = await asyncio.wait_for(came, PATIENCE)
        except OSError as error:
            raise Unavailable("the client of the build does not answer") from error
        finally:
            del self._waiting[ident]
        try:
            yield stream
        finally:
            stream.sock.close()

    def close(self) -> None:
        """The build is over, and with it all that the client holds for it."""
        self._sock.close()


class Sessions:
    """Those of one engine, by the name that the client has chosen."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._waiting: dict[str, asyncio.Future[Stream]] = {}

    def begin(self, ident: str, take: Callable[[], socket.socket]) -> None:
        """A client is there. Raises InvalidArgument, Conflict, before it `take`s the connection over."""
        if len(ident) < 32 or not ident.isalnum() or not ident.isascii():
            raise InvalidArgument("invalid session: its name must be long and of letters and digits")
        if ident in self._sessions:
            raise Conflict("there is a session of this name")
        self._sessions[ident] = Session(take(), self._waiting)

    def stream(self, ident: str, take: Callable[[], Stream]) -> None:
        """A client has made the connection that was asked for. Raises NotFound before it `take`s it over."""
        future = self._waiting.get(ident)
        if future is None or future.done():
            raise NotFound("No such stream: nobody waits for it")
        future.set_result(take())

    def take(self, ident: str) -> Session:
        """The session of a build that begins; it is the build's from here on. Raises InvalidArgument."""
        session = self._sessions.pop(ident, None)
        if session is None:
            raise InvalidArgument("the session of this build is not here")
        return session

    def close(self) -> None:
        """At the engine's end."""
        for session in self._sessions.values():
            session.close()
