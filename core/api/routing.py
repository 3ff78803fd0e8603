"""Requests, replies and the table that joins a method and a path to a function."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from core.engine.engine import Engine
from core.errors import InvalidArgument, NotFound
from core.oci.document import encode
from core.wire.codec import API_VERSION, MINIMUM_API_VERSION
from core.wire.http import Headers, RequestHead, ServerConnection, hijack_head
from core.wire.streams import MULTIPLEXED_STREAM, RAW_STREAM

Version = tuple[int, int]
_VERSION = re.compile(r"/v(\d{1,3})\.(\d{1,3})(?=/)")
_FALSE = frozenset({"", "0", "no", "false", "none"})


def _version(text: str) -> Version:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


NEWEST, OLDEST = _version(API_VERSION), _version(MINIMUM_API_VERSION)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, taken apart. `arguments` are the named parts of the path."""

    head: RequestHead
    connection: ServerConnection
    version: Version
    arguments: dict[str, str]
    query: dict[str, list[str]]
    body: bytes = b""

    def text(self, name: str, default: str = "") -> str:
        """The query member `name`."""
        return self.query.get(name, [default])[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of the query member `name`."""
        return tuple(self.query.get(name, ()))

    def flag(self, name: str, default: bool = False) -> bool:
        """The query member `name` as Docker reads booleans: anything but "", 0, no, false, none is true."""
        if name not in self.query:
            return default
        return self.text(name).strip().lower() not in _FALSE

    def number(self, name: str, default: int | None = None) -> int | None:
        """The query member `name` as an integer. Raises InvalidArgument."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise InvalidArgument(f"invalid {name} {text!r}: must be a number") from error

    def header(self, name: str) -> str:
        """The header `name` (lower case)."""
        return self.head.headers.get(name, "")

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.arguments["id"]

    @property
    def upgrades(self) -> bool:
        """Whether the client asked for the raw stream by `Upgrade: tcp`."""
        return self.header("upgrade").lower() == "tcp"

    def stream_head(self, *, tty: bool) -> bytes:
        """The head that begins a raw stream, as this client's API version has it."""
        multiplexed = not tty and self.version >= (1, 42)
        return hijack_head(MULTIPLEXED_STREAM if multiplexed else RAW_STREAM, upgrade=self.upgrades)

    def raw_head(self, content_type: str) -> bytes:
        """The head that begins a raw stream of onggi's own."""
        return hijack_head(content_type, upgrade=self.upgrades)

    def take_over(self) -> tuple[socket.socket, bytes]:
        """The connection's socket, now the caller's, and what the client sent early."""
        return self.connection.detach()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `then` is called once it has been sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = field(default_factory=list)
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that comes piece by piece; its head goes out at once, before the first piece.

    `held`: the head waits for the first piece, and an EngineError instead of it is the whole answer.
    """

    pieces: AsyncGenerator[bytes, None]
    content_type: str = "application/json"
    headers: Headers = field(default_factory=list)
    held: bool = False


class TakenOver:
    """The connection belongs to somebody else now; the server must not touch it any more."""


Answer = Reply | Stream | TakenOver
Handler = Callable[[Engine, Request], Awaitable[Answer]]


def json_reply(value: Any, status: int = 200) -> Reply:
    """`value` as the whole answer."""
    return Reply(status, encode(value))


def no_content() -> Reply:
    """Done, and nothing to say."""
    return Reply(204)


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a pattern like `/containers/{id}/start`; `{name:path}` may hold slashes.

    `streams_body`: the function reads the body itself, because it may be large.
    """

    method: str
    pattern: str
    handler: Handler
    streams_body: bool = False


class Table:
    """All routes, first match wins."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, re.compile(_expression(route.pattern))) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request and the named parts of its path. Raises NotFound."""
        wanted = "GET" if method == "HEAD" else method
        for route, expression in self._routes:
            if route.method == wanted and (match := expression.fullmatch(path)):
                return route, {name: unquote(part) for name, part in match.groupdict().items()}
        raise NotFound("page not found")


def _expression(pattern: str) -> str:
    pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", pattern)
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)


def split_target(target: str) -> tuple[str, Version, dict[str, list[str]]]:
    """A request target as path, API version and query. Raises InvalidArgument for a version not spoken here."""
    path, _, query = target.partition("?")
    version = NEWEST
    match = _VERSION.match(path)
    if match:
        version = int(match[1]), int(match[2])
        path = path[match.end() :]
        said = f"{version[0]}.{version[1]}"
        if version > NEWEST:
            raise InvalidArgument(
                f"client version {said} is too new. Maximum supported API version is {API_VERSION}"
            )
        if version < OLDEST:
            raise InvalidArgument(
                f"client version {said} is too old. Minimum supported API version is {MINIMUM_API_VERSION}, "
                "please upgrade your client to a newer version"
            )
    try:
        return path, version, parse_qs(query, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise InvalidArgument(f"bad query: {error}") from error


async def pieces(source: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """`source` as the generator that a Stream wants."""
    async for piece in source:
        yield piece
