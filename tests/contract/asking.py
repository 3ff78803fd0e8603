"""The two clients behind one face."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import IO, Any, Protocol

from core.client.aclient import AsyncClient
from core.client.transport import Client
from core.errors import NotModified


class Asking(Protocol):
    """What the command line and the app both ask of an engine."""

    def get(self, path: str, **query: Any) -> Any: ...
    def post(self, path: str, body: Any = None, **query: Any) -> Any: ...
    def delete(self, path: str, **query: Any) -> Any: ...
    def values(self, path: str, **query: Any) -> list[Any]: ...
    def data(self, path: str, **query: Any) -> bytes: ...
    def upload(self, path: str, file: IO[bytes], **query: Any) -> list[Any]: ...
    def hijack(self, path: str, **query: Any) -> tuple[socket.socket, bytes]: ...


class Blocking:
    """The command line's. It leaves a 304, which its verbs take for success, to whoever asks for the status."""

    def __init__(self, host: str) -> None:
        self._client = Client(host)

    def _whole(self, method: str, path: str, query: Any, body: Any = None) -> Any:
        response = self._client.open(method, path, query, body)
        if response.status == 304:
            response.close()
            raise NotModified("already in that state")
        return response.json()

    def get(self, path: str, **query: Any) -> Any:
        return self._whole("GET", path, query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return self._whole("POST", path, query, body)

    def delete(self, path: str, **query: Any) -> Any:
        return self._whole("DELETE", path, query)

    def values(self, path: str, **query: Any) -> list[Any]:
        return list(self._client.open("GET", path, query).values())

    def data(self, path: str, **query: Any) -> bytes:
        return self._client.open("GET", path, query).read()

    def upload(self, path: str, file: IO[bytes], **query: Any) -> list[Any]:
        return list(self._client.open("POST", path, query, file).values())

    def hijack(self, path: str, **query: Any) -> tuple[socket.socket, bytes]:
        stream = self._client.hijack(path, query)
        return stream.sock, stream.early


class OnALoop:
    """The app's, one loop a call."""

    def __init__(self, host: str) -> None:
        self._client = AsyncClient(host)

    def get(self, path: str, **query: Any) -> Any:
        return asyncio.run(self._client.get(path, **query))

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return asyncio.run(self._client.post(path, body, **query))

    def delete(self, path: str, **query: Any) -> Any:
        return asyncio.run(self._client.delete(path, **query))

    def values(self, path: str, **query: Any) -> list[Any]:
        return asyncio.run(_all(self._client.stream(path, **query)))

    def data(self, path: str, **query: Any) -> bytes:
        return b"".join(asyncio.run(_all(self._client.pieces(path, **query))))

    def upload(self, path: str, file: IO[bytes], **query: Any) -> list[Any]:
        return asyncio.run(_all(self._client.upload(path, file, **query)))

    def hijack(self, path: str, **query: Any) -> tuple[socket.socket, bytes]:
        stream = asyncio.run(self._client.hijack(path, **query))
        stream.sock.setblocking(True)
        return stream.sock, stream.early


async def _all(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


BOTH = (Blocking, OnALoop)
