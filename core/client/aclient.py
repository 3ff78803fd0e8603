"""The app's client: the same calls as `transport`, on the running loop.

One connection a call, so that cancelling a call is closing its connection and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

from core.aio import off_loop
from core.client.address import Value, parse_host, target
from core.client.failure import failure
from core.errors import EngineUnreachable
from core.wire.http import ClientConnection, ConnectionLost, Headers, ResponseHead

BODY_LIMIT = 256 * 1024 * 1024  # bytes of an answer that is read whole
UPLOAD_PIECE = 1 << 20

Own = Mapping[str, str]
"""Headers of the caller's own: credentials of a registry come with the asking client."""

NO_HEADERS: Own = MappingProxyType({})

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0 = not known)."""


@dataclass(frozen=True, slots=True)
class HijackedSocket:
    """A connection that has become a raw stream, non-blocking; `early` came with the head: read it first."""

    sock: socket.socket
    head: ResponseHead
    early: bytes

    @property
    def history(self) -> int:
        """How many of the first bytes are history (`history=1`), else 0."""
        text = self.head.headers.get("onggi-history", "0")
        return int(text) if text.isdigit() else 0


class AsyncClient:
    """An engine at `host` (`unix:///path` or `tcp://address:port`).

    Every method raises the EngineError of a failure; EngineUnreachable: nobody answers, or the answer breaks off.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._address = parse_host(host)

    async def get(self, path: str, **query: Value) -> Any:
        """GET, the whole answer decoded; None when it has no body."""
        return await self._whole("GET", path, query)

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Value
    ) -> Any:
        """POST with a JSON body, and with headers of the caller's own."""
        return await self._whole("POST", path, query, body, headers or {})

    async def delete(self, path: str, **query: Value) -> Any:
        """DELETE."""
        return await self._whole("DELETE", path, query)

    async def stream(
        self, path: str, *, method: str = "GET", body: object = None, headers: Own = NO_HEADERS, **query: Value
    ) -> AsyncGenerator[Any, None]:
        """An answer that is a stream of JSON values, one a line, each as it comes."""
        asked = self.pieces(path, method=method, body=body, headers=headers, **query)
        async with contextlib.aclosing(asked) as pieces:
            async for value in _values(pieces):
                yield value

    async def pieces(
        self, path: str, /, *, method: str = "GET", body: object = None, headers: Own = NO_HEADERS, **query: Value
    ) -> AsyncGenerator[bytes, None]:
        """An answer as bytes, in pieces as they come (logs)."""
        async with self._request(method, path, query, body, headers) as connection:
            async for piece in connection.body():
                yield piece

    async def hijack(self, path: str, body: object = None, **query: Value) -> HijackedSocket:
        """A POST that turns its connection into a raw stream, the caller's to close."""
        connection = await self._connect()
        try:
            with _translated():
                headers: Headers = [("Connection", "Upgrade"), ("Upgrade", "tcp")]
                data = _encode(body, headers)
                await connection.request("POST", target(path, query), headers, data)
                head = await _checked(connection)
                if head.status != 101:
                    raise EngineUnreachable(f"the engine does not give the stream away: status {head.status}")
            sock, early = connection.detach()
        except BaseException:
            connection.close()
            raise
        return HijackedSocket(sock, head, early)

    async def upload(
        self,
        path: str,
        file: IO[bytes],
        progress: Progress | None = None,
        headers: Own = NO_HEADERS,
        **query: Value,
    ) -> AsyncGenerator[Any, None]:
        """POST a file and yield the JSON values of the answer. Sending goes on while the answer comes."""
        connection = await self._connect()
        try:
            with _translated():
                sent: Headers = [("Host", "onggi"), ("Content-Type", "application/x-tar"), *headers.items()]
                sent.append(("Transfer-Encoding", "chunked"))
                await connection.start("POST", target(path, query), sent)
                with contextlib.suppress(ConnectionLost):  # the engine may answer before it has read everything
                    await _send_file(connection, file, progress)
                await _checked(connection)
                async for value in _values(connection.body()):
                    yield value
        finally:
            connection.close()

    async def download(self, path: str, file: IO[bytes], progress: Progress | None = None, **query: Value) -> int:
        """GET into `file`; the number of bytes. `progress` hears those so far, and how many there will be (0 = not
        known)."""
        done = 0
        async with self._request("GET", path, query) as connection:
            told = connection.headers.get("onggi-size", "")
            total = int(told) if told.isascii() and told.isdigit() else 0
            async for piece in connection.body():
                await off_loop(file.write, piece)
                done += len(piece)
                if progress:
                    progress(done, total)
        return done

    async def _connect(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        unix = isinstance(self._address, str)
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, self._address)
        except OSError as error:
            sock.close()
            reason = (error.strerror or str(error)).lower()
            raise EngineUnreachable(f"cannot connect to the engine at {self.host}: {reason}") from error
        except BaseException:
            sock.close()
            raise
        return ClientConnection(sock)

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Value],
        body: object = None,
        own: Own = NO_HEADERS,
    ) -> AsyncIterator[ClientConnection]:
        connection = await self._connect()
        try:
            with _translated():
                headers: Headers = [("Connection", "close"), *own.items()]
                data = _encode(body, headers)
                await connection.request(method, target(path, query), headers, data)
                await _checked(connection)
                yield connection
        finally:
            connection.close()

    async def _whole(
        self,
        method: str,
        path: str,
        query: Mapping[str, Value],
        body: object = None,
        own: Own = NO_HEADERS,
    ) -> Any:
        async with self._request(method, path, query, body, own) as connection:
            data = await connection.read_body(BODY_LIMIT)
        try:
            return json.loads(data) if data.strip() else None
        except ValueError as error:
            raise EngineUnreachable("the engine's answer is not JSON") from error


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ConnectionLost as error:
        raise EngineUnreachable(f"the engine closed the connection: {error}") from error


def _encode(body: object, headers: Headers) -> bytes:
    if body is None:
        return b""
    headers.append(("Content-Type", "application/json"))
    return json.dumps(body).encode()


async def _checked(connection: ClientConnection) -> ResponseHead:
    """The answer's head. Raises the error that the answer is."""
    head = await connection.response()
    if head.status >= 400:
        raise failure(head.status, await connection.read_body(BODY_LIMIT))
    if head.status == 304:
        raise failure(304, b'{"message": "already in that state"}')
    return head


async def _send_file(connection: ClientConnection, file: IO[bytes], progress: Progress | None) -> None:
    total = await off_loop(_size, file)
    done = 0
    while piece := await off_loop(file.read, UPLOAD_PIECE):
        await connection.send(piece)
        done += len(piece)
        if progress:
            progress(done, total)
    await connection.finish()


def _size(file: IO[bytes]) -> int:
    if not file.seekable():
        return 0
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end - here


async def _values(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    pending = b""
    async for piece in pieces:
        *lines, pending = (pending + piece).split(b"\n")
        for value in _decoded(lines):
            yield value
    for value in _decoded([pending]):
        yield value


def _decoded(lines: Sequence[bytes]) -> list[Any]:
    try:
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise EngineUnreachable("the engine's answer is not JSON") from error
