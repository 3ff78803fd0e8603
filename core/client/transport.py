"""The command line's own HTTP/1.1: blocking, a Unix socket, one request a connection.

RFC 9112. Written by hand because a short command spends most of its time importing: an HTTP library would double
it, and `socket` alone (for `enum` and `selectors`) adds a third, so the C type behind it serves here. `aclient` is
the same for asyncio.
"""

from __future__ import annotations

import select
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket

from core.client import jsontext
from core.client.address import Query, parse_host, target
from core.client.failure import failure
from core.errors import EngineUnreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO, Any, TypeAlias

READ_SIZE = 256 * 1024
HEAD_LIMIT = 64 * 1024  # bytes of a status line and its headers
UPLOAD_PIECE = 1 << 20
SILENCE = 5.0  # seconds without an answer until the engine is asked whether it is there

Body: TypeAlias = "dict[str, Any] | list[Any] | bytes | IO[bytes] | None"
Progress: TypeAlias = "Callable[[int], None]"


class AnswerLost(EngineUnreachable):
    """The engine took a request and went away before it had answered: it may have done what was asked, or not."""


class Response:
    """One answer. `status`, `headers` (names in lower case), and the body, read as it comes."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self.status, self.headers = self._head()

    def _fill(self) -> bool:
        try:
            data = self.sock.recv(READ_SIZE)
        except ConnectionError:
            data = b""
        self._buffer += data
        return bool(data)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise EngineUnreachable("the engine's answer is not HTTP: its head is too long")
            if not self._fill():
                raise AnswerLost("the engine closed the connection without an answer")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _head(self) -> tuple[int, dict[str, str]]:
        while True:
            parts = self._line().split(None, 2)
            if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
                raise EngineUnreachable("the engine's answer is not HTTP")
            headers: dict[str, str] = {}
            while line := self._line():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            status = int(parts[1])
            if status >= 200 or status == 101:
                return status, headers

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, as they arrive; then the connection is closed.

        Raises EngineUnreachable when it is cut short.
        """
        try:
            yield from self._body()
        finally:
            self.close()

    def _body(self) -> Iterator[bytes]:
        if self.status in (204, 304):
            return
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            yield from self._chunks()
        elif length := self.headers.get("content-length"):
            if not length.isdigit():
                raise EngineUnreachable("the engine's answer is not HTTP: bad Content-Length")
            yield from self._exactly(int(length))
        else:
            while self._buffer or self._fill():
                yield self._take(len(self._buffer))

    def _take(self, size: int) -> bytes:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer and not self._fill():
                raise AnswerLost("the engine closed the connection inside an answer")
            piece = self._take(size)
            size -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            text = self._line().partition(b";")[0].strip()
            try:
                size = int(text, 16)
            except ValueError:
                raise EngineUnreachable("the engine's answer is not HTTP: bad chunk size") from None
            if not size:
                while self._line():  # trailers
                    pass
                return
            yield from self._exactly(size)
            if self._line():
                raise EngineUnreachable("the engine's answer is not HTTP: bad chunk end")

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self)

    def json(self) -> Any:
        """The whole body as JSON; None when it is empty. Raises EngineUnreachable when it is not JSON."""
        body = self.read()
        try:
            return jsontext.loads(body) if body.strip() else None
        except ValueError as error:
            raise EngineUnreachable("the engine's answer is not JSON") from error

    def values(self) -> Iterator[Any]:
        """The body as a stream of JSON values, each as soon as it is whole (they may share a line or a chunk)."""
        text, pending = "", b""
        for piece in self:
            pending += piece
            head, newline, pending = pending.rpartition(b"\n")
            text = (head + newline).decode("utf-8", "replace").lstrip()
            while text:
                value, end = _decode(text)
                yield value
                text = text[end:].lstrip()
        if pending.strip():
            yield _decode(pending.decode("utf-8", "replace").lstrip())[0]

    @property
    def has_more(self) -> bool:
        """Whether a part of the body has been read from the socket already: polling would not show it."""
        return bool(self._buffer)

    def buffered(self) -> bytes:
        """What was read past the head: the early bytes of a stream that was taken over."""
        return self._take(len(self._buffer))

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()


class Stream:
    """A connection that has become a raw stream. `early` came with the head and is to be read first."""

    def __init__(self, response: Response) -> None:
        self.sock = response.sock
        self.headers = response.headers
        self.early = response.buffered()

    def close(self) -> None:
        """Close the stream: the other end sees a client that left."""
        self.sock.close()


class Client:
    """An engine at `host` (`unix:///path` or `tcp://address:port`).

    Every method raises the EngineError of a failure, OSError when nobody answers.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._address = parse_host(host)

    def connect(self) -> socket:
        """A new connection. Raises OSError when nobody answers."""
        if isinstance(self._address, str):
            sock = socket(AF_UNIX, SOCK_STREAM)
            try:
                sock.connect(self._address)
            except OSError:
                sock.close()
                raise
            return sock
        from socket import create_connection

        return create_connection(self._address)

    def begin(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> socket:
        """Send a request and return its connection, on which `Response` then waits for the answer.

        A file as the body is sent as it is; `progress` gets the number of bytes sent so far.
        """
        sock = self.connect()
        try:
            head = {"Host": "onggi", "Connection": "close", **(headers or {})}
            _send(sock, method, target(path, query), head, body, progress)
        except BaseException:
            sock.close()
            raise
        return sock

    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        """Send a request as `begin` does and return its answer, with the body still to be read."""
        return self.answer(self.begin(method, path, query, body, headers=headers, progress=progress))

    def answer(self, sock: socket) -> Response:
        """Wait for the answer to a request that was begun. Raises the error that it is.

        Some answers take as long as a container takes to stop. But an engine that says nothing to a ping either
        is given up: its socket may be held by a parent whose child cannot start.
        """
        try:
            while not _readable(sock, SILENCE):
                self._ping()
            response = Response(sock)
            if response.status >= 400:
                raise failure(response.status, response.read())
        except BaseException:
            sock.close()
            raise
        return response

    def _ping(self) -> None:
        sock = self.begin("GET", "/_ping")
        try:
            if not _readable(sock, SILENCE):
                raise EngineUnreachable(f"the engine at {self.host} takes connections and does not answer")
        finally:
            sock.close()

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """A request and its whole answer, decoded; None when the answer has no body."""
        return self.open(method, path, query, body, headers=headers).json()

    def get(self, path: str, query: Query | None = None) -> Any:
        """`call` with GET."""
        return self.call("GET", path, query)

    def post(self, path: str, query: Query | None = None, body: Body = None) -> Any:
        """`call` with POST."""
        return self.call("POST", path, query, body)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """`call` with DELETE."""
        return self.call("DELETE", path, query)

    def hijack(self, path: str, query: Query | None = None, body: Body = None) -> Stream:
        """A POST that turns its connection into a raw stream (Docker Engine API, "Hijacking")."""
        upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
        response = self.open("POST", path, query, body, headers=upgrade)
        if response.status not in (101, 200):
            response.close()
            raise EngineUnreachable(f"the engine does not give the stream away: status {response.status}")
        return Stream(response)


def hand_over(sock: socket, fd: int) -> None:
    """Send a descriptor over a Unix socket, with one byte. unix(7), SCM_RIGHTS."""
    sock.sendmsg([b"\0"], [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))])


def _readable(sock: socket, patience: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(patience * 1000))


def _decode(text: str) -> tuple[Any, int]:
    try:
        return jsontext.first(text)
    except ValueError as error:
        raise EngineUnreachable("the engine's answer is not JSON") from error


def _send(
    sock: socket, method: str, where: str, headers: dict[str, str], body: Body, progress: Progress | None
) -> None:
    if isinstance(body, dict | list):
        body = jsontext.dumps(body).encode("utf-8", "surrogateescape")
        headers["Content-Type"] = "application/json"
    if body is None and method in ("POST", "PUT"):
        body = b""
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body))
    elif body is not None:
        headers.setdefault("Content-Type", "application/x-tar")
        headers["Transfer-Encoding"] = "chunked"
    lines = [f"{method} {where} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    data = "\r\n".join(lines).encode("latin-1")
    try:
        sock.sendall(data + body if isinstance(body, bytes) else data)
        if body is not None and not isinstance(body, bytes):
            _send_file(sock, body, progress)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the engine answered before it had read everything; the answer says why


def _send_file(sock: socket, file: IO[bytes], progress: Progress | None) -> None:
    sent = 0
    while piece := file.read(UPLOAD_PIECE):
        sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        sent += len(piece)
        if progress:
            progress(sent)
    sock.sendall(b"0\r\n\r\n")
