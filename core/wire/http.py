"""HTTP/1.1 over a raw non-blocking socket: h11 does the grammar, asyncio waits, and the socket can be given away.

No asyncio transport stands between: hijacking a connection (attach, exec) is just not reading it any more and
taking what h11 has already buffered. RFC 9112; Docker Engine API, "Hijacking".
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import h11

from core.errors import EngineUnreachable, InvalidArgument

READ_SIZE = 256 * 1024
HEAD_LIMIT = 64 * 1024  # bytes of request line and headers together

Headers = list[tuple[str, str]]


class ConnectionLost(Exception):
    """The other side went away in the middle of a message."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its headers; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status line and its headers; header names are lower case."""

    status: int
    reason: str
    headers: dict[str, str]


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class _Channel:
    """One socket and one h11 state machine."""

    def __init__(self, sock: socket.socket, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._h11 = h11.Connection(role, max_incomplete_event_size=HEAD_LIMIT)
        self._loop = asyncio.get_running_loop()
        self._ended = False  # the other side has closed its end

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._h11.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            try:
                data = await self._loop.sock_recv(self.sock, READ_SIZE)
            except ConnectionError:
                data = b""
            self._ended = not data
            self._h11.receive_data(data)

    async def _send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            await self._write(data)

    async def _write(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self.sock, data)
        except (ConnectionError, OSError) as error:
            raise ConnectionLost(str(error)) from error

    async def body(self) -> AsyncIterator[bytes]:
        """The other side's body, in pieces as they come. Raises ConnectionLost when it is cut short."""
        try:
            while not isinstance(event := await self._event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    raise ConnectionLost("connection was closed inside a message")
                yield bytes(event.data)
        except h11.RemoteProtocolError as error:
            raise ConnectionLost(str(error)) from error

    async def read_body(self, limit: int) -> bytes:
        """The whole body. Raises InvalidArgument when it is larger than `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        async for piece in self.body():
            size += len(piece)
            if size > limit:
                raise InvalidArgument(f"request body is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def detach(self) -> tuple[socket.socket, bytes]:
        """The socket, now the caller's, and the bytes that were read past the message."""
        return self.sock, self._h11.trailing_data[0]

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class ServerConnection(_Channel):
    """The server's end: `next_request`, then the body, then one response; again while it is kept alive."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, h11.SERVER)

    async def next_request(self) -> RequestHead | None:
        """The next request; None when the client is done. Raises InvalidArgument for what is not HTTP."""
        try:
            event = await self._event()
        except h11.RemoteProtocolError as error:
            raise InvalidArgument(f"bad request: {error}") from error
        if not isinstance(event, h11.Request):
            return None
        method, target = event.method.decode("ascii"), event.target.decode("latin-1")
        return RequestHead(method, target, _headers(event.headers))

    async def body(self) -> AsyncIterator[bytes]:
        """See `_Channel.body`; a client that waits to be told so is told to go on (RFC 9110, 100 Continue)."""
        if self._h11.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        async for piece in super().body():
            yield piece

    @property
    def body_is_read(self) -> bool:
        """Whether the request was read to its end."""
        return self._h11.their_state is not h11.SEND_BODY

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """One whole response in one write."""
        bodiless = status in (204, 304)
        if not bodiless:
            headers = [*headers, ("Content-Length", str(len(body)))]
        data = (
            self._h11.send(h11.Response(status_code=status, headers=_raw(headers), reason=_reason(status))) or b""
        )
        if body and not bodiless:
            data += self._h11.send(h11.Data(data=body)) or b""
        data += self._h11.send(h11.EndOfMessage()) or b""
        await self._write(data)

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a response whose body comes piece by piece, chunked."""
        await self._send(h11.Response(status_code=status, headers=_raw(headers), reason=_reason(status)))

    async def send(self, data: bytes) -> None:
        """One piece of the body."""
        if data:
            await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """The end of a body."""
        await self._send(h11.EndOfMessage())

    def again(self) -> bool:
        """Make ready for the next request; False when the connection must be closed."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True


class ClientConnection(_Channel):
    """The client's end: `request`, then `response`, then the body; again while it is kept alive."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, h11.CLIENT)
        self.headers: dict[str, str] = {}  # of the last answer, names in lower case

    async def request(self, method: str, target: str, headers: Headers, body: bytes = b"") -> None:
        """One request with its whole body."""
        headers = [("Host", "onggi"), *headers]
        if body or method in ("POST", "PUT"):
            headers.append(("Content-Length", str(len(body))))
        await self.start(method, target, headers)
        if body:
            await self.send(body)
        await self.finish()

    async def start(self, method: str, target: str, headers: Headers) -> None:
        """The head of a request; the body follows by `send` and `finish`."""
        await self._send(h11.Request(method=method, target=target, headers=_raw(headers)))

    async def send(self, data: bytes) -> None:
        """One piece of the body."""
        if data:
            await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """The end of the body."""
        await self._send(h11.EndOfMessage())

    async def response(self) -> ResponseHead:
        """The head of the answer. Raises EngineUnreachable when none comes."""
        try:
            while True:
                event = await self._event()
                if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                    continue
                if isinstance(event, h11.Response | h11.InformationalResponse):
                    reason = event.reason.decode("latin-1")
                    self.headers = _headers(event.headers)
                    return ResponseHead(event.status_code, reason, self.headers)
                raise EngineUnreachable("the engine closed the connection without an answer")
        except h11.RemoteProtocolError as error:
            if self._ended:  # h11 takes an end where an answer is due for a breach of the protocol
                raise EngineUnreachable("the engine closed the connection without an answer") from error
            raise EngineUnreachable(f"the engine's answer is not HTTP: {error}") from error

    def again(self) -> bool:
        """Make ready for the next request; False when the connection must be closed."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True


_REASONS = {
    101: b"UPGRADED", 200: b"OK", 201: b"Created", 204: b"No Content", 304: b"Not Modified", 400: b"Bad Request",
    401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed", 409: b"Conflict",
    500: b"Internal Server Error", 501: b"Not Implemented", 503: b"Service Unavailable",
}  # fmt: skip


def _reason(status: int) -> bytes:
    return _REASONS.get(status, b"")


def hijack_head(content_type: str, *, upgrade: bool) -> bytes:
    """The head that turns the connection into a raw stream, whole.

    Written by hand because an HTTP library adds `Transfer-Encoding: chunked` to a 200 without a length.
    """
    if upgrade:
        first = f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        first = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
    return first.encode("latin-1") + b"\r\n"
