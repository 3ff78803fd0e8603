"""The one way off the loop, and the one way packets come onto it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from core import packets
from core.packets import Message

P = ParamSpec("P")
T = TypeVar("T")

# Disk and zlib work only; more threads than this would fight over the GIL and the disk.
_workers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="worker")


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking `function` in the bounded pool and return its result."""
    return await asyncio.get_running_loop().run_in_executor(_workers, partial(function, *args, **kwargs))


async def off_loop_to_end(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`off_loop` that, when cancelled, first waits for its thread: the caller is about to undo or close
    what the thread works on."""
    task = asyncio.ensure_future(off_loop(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class Link:
    """A SEQPACKET socket on the running loop: `core.packets` for the daemon.

    One reader at a time. `send` never blocks: packets queue when the other end is slow.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._queue: list[tuple[Message, list[int]]] = []

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send `message` with copies of `fds`. Raises OSError when the other end is gone."""
        if self._queue:
            self._queue.append((message, [os.dup(fd) for fd in fds]))
            return
        try:
            packets.send(self._sock, message, fds)
        except BlockingIOError:
            self._queue.append((message, [os.dup(fd) for fd in fds]))
            self._loop.add_writer(self._sock.fileno(), self._drain)

    def _drain(self) -> None:
        while self._queue:
            message, fds = self._queue[0]
            try:
                packets.send(self._sock, message, fds)
            except BlockingIOError:
                return
            except OSError:
                self._discard()
                break
            del self._queue[0]
            _close_all(fds)
        self._loop.remove_writer(self._sock.fileno())

    def _discard(self) -> None:
        for _, fds in self._queue:
            _close_all(fds)
        self._queue.clear()

    async def receive(self) -> tuple[Message, list[int]] | None:
        """The next message and its descriptors, the caller's to close; None when the other end is gone."""
        while True:
            try:
                return packets.receive(self._sock)
            except BlockingIOError:
                await self._readable()
            except ConnectionError:
                return None

    async def _readable(self) -> None:
        ready: asyncio.Future[Any] = self._loop.create_future()
        # By number: of a socket that it does not know yet, the loop makes a text with both addresses, 30 us.
        self._loop.add_reader(self._sock.fileno(), _settle, ready)
        try:
            await ready
        finally:
            if self._sock.fileno() >= 0:  # else `close` has done it
                self._loop.remove_reader(self._sock.fileno())

    def shut(self) -> None:
        """Send nothing more; the other end hears so."""
        self._discard()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone already

    def close(self) -> None:
        """Close the socket and what still waited to be sent."""
        if self._sock.fileno() >= 0:
            self._loop.remove_writer(self._sock.fileno())
            self._loop.remove_reader(self._sock.fileno())
        self._discard()
        self._sock.close()


def _settle(ready: asyncio.Future[Any]) -> None:
    if not ready.done():
        ready.set_result(None)


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
