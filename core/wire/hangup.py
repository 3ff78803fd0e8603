"""Who has hung up, without reading from them.

A client that only closed its writing half (`echo hi | docker run -i`) still wants its answer; one that is gone
does not. epoll(7) always reports EPOLLHUP, so registering with no events at all tells exactly the second.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable


class Hangups:
    """One private epoll on the running loop; `watch` a socket, be called once when its other end is gone."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, sock: socket.socket, gone: Callable[[], None]) -> None:
        """Call `gone` once, from the loop, when the other end of `sock` has closed both halves."""
        self._callbacks[sock.fileno()] = gone
        self._epoll.register(sock.fileno(), 0)

    def forget(self, sock: socket.socket) -> None:
        """Watch `sock` no more; must come before it is closed. Unknown ones are ignored."""
        if self._callbacks.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def _ready(self) -> None:
        for fd, _ in self._epoll.poll(0):
            gone = self._callbacks.pop(fd, None)
            self._epoll.unregister(fd)
            if gone is not None:
                gone()

    def close(self) -> None:
        """Stop watching."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
