"""Images from engine to engine: the socket that a client has joined to the other side, and what is told of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from core.engine.events import Events
from core.errors import BadArchive, EngineError
from core.images.offer import LINE_LIMIT, line
from core.images.receive import Receiver
from core.images.send import Sender
from core.model.image import Image

IDLE = 300.0  # seconds without a byte after which the other side is given up
READ_SIZE = 1 << 20

Write = Callable[[bytes], Awaitable[None]]


class Images(Protocol):
    """Which images names mean."""

    def chosen(self, references: Sequence[str]) -> tuple[Image, ...]: ...


class Talk:
    """A raw socket as lines and pieces. Reading raises ConnectionError where it ends, or is silent for too long."""

    def __init__(self, sock: socket.socket, early: bytes) -> None:
        self._sock = sock
        self._buffer = bytearray(early)

    async def line(self, limit: int) -> bytes:
        """Up to the next newline, without it."""
        looked = 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            looked = len(self._buffer)
            if looked > limit:
                raise BadArchive("the other side sends a line without end")
            await self._fill()
        if end > limit:
            raise BadArchive("the other side sends a line without end")
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found

    async def some(self, limit: int) -> bytes:
        """At least one byte, at most `limit`."""
        if not self._buffer:
            await self._fill()
        found = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return found

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises ConnectionError, or TimeoutError where the other side takes nothing any more."""
        try:
            async with asyncio.timeout(IDLE):
                await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except TimeoutError as error:
            raise ConnectionAbortedError("the other side takes nothing any more") from error

    async def _fill(self) -> None:
        try:
            async with asyncio.timeout(IDLE):
                data = await asyncio.get_running_loop().sock_recv(self._sock, READ_SIZE)
        except TimeoutError as error:
            raise ConnectionAbortedError("the other side says nothing any more") from error
        if not data:
            raise ConnectionAbortedError("the stream has ended early; sent again, it goes on from there")
        self._buffer += data


class Transfers:
    """Sends and receives images."""

    def __init__(self, images: Images, sender: Sender, receiver: Receiver, events: Events) -> None:
        self._images = images
        self._sender = sender
        self._receiver = receiver
        self._events = events

    def check(self, references: Sequence[str]) -> None:
        """Raises NoSuchImage for what cannot be sent."""
        self._images.chosen(references)

    async def send(self, references: Sequence[str], write: Write) -> None:
        """Everything that `references` mean through `write`, for whoever reads it."""
        await self._sender.send(references, write)
        self._tell(references)

    async def talk(self, references: Sequence[str], sock: socket.socket, early: bytes) -> None:
        """Send through a socket on which the other side says what it lacks; closes it."""
        talk = Talk(sock, early)
        with sock:
            try:
                await self._sender.send(references, talk.write, lambda: talk.line(LINE_LIMIT))
            except (EngineError, ConnectionError):
                return  # the receiver has said why, or hears the stream break off
        self._tell(references)

    async def receive(self, sock: socket.socket, early: bytes) -> None:
        """Take in what a socket brings, saying how far it is; closes it."""
        talk = Talk(sock, early)
        with sock:
            try:
                images = await self._receiver.receive(talk, talk.write)
            except (EngineError, ConnectionError) as error:
                await self._say_error(talk, str(error))
                return
        for image in images:
            self._events.publish("image", "load", image.id, {"name": image.id})

    @staticmethod
    async def _say_error(talk: Talk, message: str) -> None:
        try:
            await talk.write(line({"errorDetail": {"message": message}, "error": message}))
        except ConnectionError:
            pass

    def _tell(self, references: Sequence[str]) -> None:
        for image in self._images.chosen(references):
            self._events.publish("image", "save", image.id, {"name": image.id})
