"""The shim's end of its link to the engine: packets that never block the container."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from core import packets
from core.packets import Message
from core.shim.loop import GONE, READ, WRITE, Loop

OnMessage = Callable[["EngineLink", Message, list[int]], None]


class EngineLink:
    """One SEQPACKET connection on the loop. `on_message` owns the descriptors it is given."""

    def __init__(
        self, loop: Loop, sock: socket.socket, on_message: OnMessage, on_end: Callable[[EngineLink], None]
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._on_message = on_message
        self._on_end = on_end
        self._ended = False
        self._queue: deque[tuple[Message, list[int]]] = deque()
        loop.watch(sock.fileno(), READ, self._ready)

    @property
    def open(self) -> bool:
        return not self._ended

    @property
    def drained(self) -> bool:
        """Whether everything was sent."""
        return not self._queue

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._sock.fileno()

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send `message` with copies of `fds`; queued while the engine is slow, dropped when it is gone."""
        if not self.open:
            return
        self._queue.append((message, [os.dup(fd) for fd in fds]))
        self._flush()

    def _flush(self) -> None:
        while self._queue:
            message, fds = self._queue[0]
            try:
                packets.send(self._sock, message, fds)
            except BlockingIOError:
                self._loop.watch(self._sock.fileno(), READ | WRITE, self._ready)
                return
            except OSError:
                self.close()
                self._on_end(self)
                return
            self._queue.popleft()
            for fd in fds:
                os.close(fd)
        self._loop.watch(self._sock.fileno(), READ, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self.open and events & (READ | GONE):
            self._receive()

    def _receive(self) -> None:
        try:
            received = packets.receive(self._sock)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            received = None
        if received is None:
            self._end()  # not closed: whoever hangs up may wait until we have put our things away
            self._on_end(self)
        else:
            self._on_message(self, *received)

    def close(self) -> None:
        """End the connection; what was queued is lost (the journal has it)."""
        self._end()
        self._sock.close()

    def _end(self) -> None:
        if self.open:
            self._ended = True
            self._loop.forget(self._sock.fileno())
        while self._queue:
            for fd in self._queue.popleft()[1]:
                os.close(fd)
