"""Accepts connections on one listening socket and answers requests from a route table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from core.api.routing import Answer, Reply, Request, Stream, Table, TakenOver, split_target
from core.engine.engine import Engine
from core.errors import EngineError, InvalidArgument
from core.oci.document import DOCUMENT_LIMIT
from core.wire.codec import API_VERSION, error_body
from core.wire.hangup import Hangups
from core.wire.http import ConnectionLost, Headers, RequestHead, ServerConnection

log = logging.getLogger(__name__)

PRODUCT = "Onggi"
COMMON: Headers = [
    ("Api-Version", API_VERSION),
    ("Docker-Experimental", "false"),
    ("Ostype", "linux"),
    ("Server", PRODUCT),
]


class Server:
    """The API's server: `run` until cancelled."""

    def __init__(self, engine: Engine, table: Table, hangups: Hangups) -> None:
        self._engine = engine
        self._table = table
        self._hangups = hangups
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, listening: socket.socket) -> None:
        """Accept on `listening` until cancelled; then end the connections."""
        listening.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    sock, _ = await loop.sock_accept(listening)
                except OSError as error:
                    # Out of descriptors: those who are here must leave before others can come.
                    log.warning("accept a connection: %s", error)
                    await asyncio.sleep(0.1)
                    continue
                self.adopt(sock)
        finally:
            await self.close()

    def adopt(self, sock: socket.socket) -> None:
        """Serve one connected socket in a task of its own."""
        task = asyncio.create_task(self._serve(ServerConnection(sock)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """End every connection."""
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, connection: ServerConnection) -> None:
        taken = False
        try:
            while not taken and await self._exchange(connection) and connection.again():
                pass
        except _Taken:
            taken = True
        except (ConnectionLost, OSError):
            pass
        except Exception:
            log.exception("a connection failed")  # in the middle of an answer: the client sees it cut short
        finally:
            if not taken:
                connection.close()

    async def _exchange(self, connection: ServerConnection) -> bool:
        """One request and its answer; False when there is no other to come."""
        try:
            head = await connection.next_request()
        except InvalidArgument as error:
            await self._reply(connection, Reply(400, error_body(error)), close=True)
            return False
        if head is None:
            return False
        try:
            path, version, query = split_target(head.target)
            route, arguments = self._table.find(head.method, path)
            body = b"" if route.streams_body else await connection.read_body(DOCUMENT_LIMIT)
            request = Request(head, connection, version, arguments, query, body)
            answer = await route.handler(self._engine, request)
        except EngineError as error:
            answer = Reply(error.status, error_body(error))
        except (ConnectionLost, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("%s %s failed", head.method, head.target)
            answer = Reply(500, error_body(EngineError(f"internal error: {type(error).__name__}: {error}")))
        if not connection.body_is_read and not _has_body(head):
            await connection.read_body(0)
        await self._answer(connection, answer, bodiless=head.method == "HEAD")
        return connection.body_is_read

    async def _answer(self, connection: ServerConnection, answer: Answer, *, bodiless: bool) -> None:
        if isinstance(answer, TakenOver):
            raise _Taken
        if isinstance(answer, Reply):
            await self._reply(connection, answer, close=not connection.body_is_read, bodiless=bodiless)
            if answer.then is not None:
                answer.then()
            return
        if bodiless:
            await answer.pieces.aclose()
            await connection.start(200, _stream_headers(answer))
            await connection.finish()
            return
        pump = asyncio.create_task(self._pump(connection, answer))
        self._hangups.watch(connection.sock, lambda: _cancel(pump))
        try:
            await pump
        except asyncio.CancelledError:
            if not pump.cancelled():
                pump.cancel()
                raise
            raise ConnectionLost("the client has gone") from None
        finally:
            self._hangups.forget(connection.sock)
            with contextlib.suppress(asyncio.CancelledError):
                await answer.pieces.aclose()

    async def _reply(
        self, connection: ServerConnection, reply: Reply, *, close: bool, bodiless: bool = False
    ) -> None:
        headers = [*COMMON, *reply.headers]
        if reply.status not in (204, 304):
            headers.append(("Content-Type", reply.content_type))
        if close:
            headers.append(("Connection", "close"))
        await connection.respond(reply.status, headers, b"" if bodiless else reply.body)

    async def _pump(self, connection: ServerConnection, stream: Stream) -> None:
        first = b""
        if stream.held:
            try:
                first = await anext(stream.pieces, b"")
            except EngineError as error:
                refusal = Reply(error.status, error_body(error))
                await self._reply(connection, refusal, close=not connection.body_is_read)
                return
        await connection.start(200, _stream_headers(stream))
        try:
            if first:
                await connection.send(first)
            async for piece in stream.pieces:
                await connection.send(piece)
        except EngineError as error:
            # The head has gone out: cutting the stream short is the only way left to say it.
            log.warning("a stream ended early: %s", error)
            raise ConnectionLost(str(error)) from error
        await connection.finish()


def _stream_headers(stream: Stream) -> Headers:
    return [*COMMON, ("Content-Type", stream.content_type), *stream.headers]


def _has_body(head: RequestHead) -> bool:
    """RFC 9112, 6.3: only these two headers announce a body in a request."""
    return "transfer-encoding" in head.headers or head.headers.get("content-length", "0") != "0"


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


class _Taken(Exception):
    """Leaves the loop of a connection that is not ours any more."""
