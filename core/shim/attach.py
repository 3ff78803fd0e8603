"""One attached client: its socket, its detach keys, and how far it may hold the container back.

A client without a terminal is part of a pipeline: it is never dropped, its full socket stops the container
as a full pipe does. A client with a terminal that takes nothing for ten seconds is passed over and gets
what it missed when it reads again. A viewer (`viewer=1`) never holds the container.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from core.shim.detach import DEFAULT_KEYS, RELEASE_AFTER, DetachMatcher
from core.shim.loop import GONE, READ, WRITE, Loop, Timer

STALL_LIMIT = 10.0  # seconds
VIEWER_LIMIT = 1024 * 1024  # bytes queued for a viewer before it is passed over
_READ_SIZE = 64 * 1024
_IN_FLIGHT = 32 * 1024  # bytes, of which the kernel makes twice as many; socket(7), SO_SNDBUF
_IOV = 64


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """What a client asked for. `detach_keys` None = Docker's default, () = none.

    `head` is the response still to be written, `early` what the client typed behind its request's head.
    """

    stdin: bool = True
    stdout: bool = True
    stderr: bool = True
    detach_keys: tuple[int, ...] | None = None
    history: bool = False
    viewer: bool = False
    head: str = ""
    early: bytes = b""

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> AttachOptions:
        """The members of an `attach` or `exec` request."""
        keys = message.get("detach_keys")
        return cls(
            stdin=bool(message.get("stdin", True)),
            stdout=bool(message.get("stdout", True)),
            stderr=bool(message.get("stderr", True)),
            detach_keys=None if keys is None else tuple(int(key) & 0xFF for key in keys),
            history=bool(message.get("history")),
            viewer=bool(message.get("viewer")),
            head=str(message.get("head") or ""),
            early=str(message.get("early") or "").encode("latin-1"),
        )


class Room(Protocol):
    """What a client tells the streams it is attached to."""

    def typed(self, client: Client, data: bytes) -> None: ...
    def input_ended(self, client: Client) -> None: ...
    def detached(self, client: Client) -> None: ...
    def left(self, client: Client) -> None: ...
    def relieved(self, client: Client) -> None: ...


class Client:
    """A client's socket on the loop; it owns `fd`."""

    def __init__(self, loop: Loop, fd: int, options: AttachOptions, *, tty: bool, room: Room) -> None:
        os.set_blocking(fd, False)
        if tty:
            _keep_little_in_flight(fd)
        self._loop = loop
        self._fd = fd
        self._room = room
        self._tty = tty
        self._options = options
        keys = DEFAULT_KEYS if options.detach_keys is None else options.detach_keys
        self._matcher = DetachMatcher(keys if tty else ())
        self._release: Timer | None = None
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._progress = 0.0
        self._stall: Timer | None = None
        self._stalled = False
        self._reading = options.stdin
        self._suspended = False
        self._ending = False
        self.missed_from: int | None = None
        self._watch()

    @property
    def open(self) -> bool:
        return self._fd >= 0

    @property
    def stdin(self) -> bool:
        """Whether this client is a source of the container's stdin."""
        return self._options.stdin

    @property
    def ending(self) -> bool:
        """Whether `finish` was called: nothing but the rest is to come."""
        return self._ending

    @property
    def drained(self) -> bool:
        """Whether the socket has taken everything so far."""
        return not self._queued

    @property
    def holds(self) -> bool:
        """Whether the container must wait for this client."""
        return self._queued > 0 and not self._options.viewer and not self._stalled

    def begin(self) -> None:
        """Take in what came with the request."""
        if self._options.early and self._reading:
            self._take(self._options.early)

    def offer(self, stream: int, data: bytes, position: int) -> None:
        """Give the client a piece of output that stands at `position` of the history."""
        if not (self._options.stdout if stream == 1 else self._options.stderr) or not self.open:
            return
        if self.missed_from is None and self._over_limit():
            self.missed_from = position
        if self.missed_from is None:
            self.send(data if self._tty else frame_header(stream, len(data)), b"" if self._tty else data)

    def _over_limit(self) -> bool:
        return self._stalled or (self._options.viewer and self._queued >= VIEWER_LIMIT)

    def send(self, *parts: bytes) -> None:
        """Send `parts`, whatever the limits; what the socket does not take is queued."""
        self._queue.extend(memoryview(part) for part in parts if part)
        first = self._queued == 0
        self._queued += sum(map(len, parts))
        if first and self._queued:
            self._progress = time.monotonic()
            self._flush()

    def _flush(self) -> None:
        while self._queue:
            try:
                written = os.writev(self._fd, [self._queue[i] for i in range(min(_IOV, len(self._queue)))])
            except BlockingIOError:
                break
            except OSError:
                self._leave()
                return
            self._progress = time.monotonic()
            self._queued -= written
            self._consume(written)
        self._watch()
        if self._queue:
            self._watch_stall()
        else:
            self._stalled = False
            if self._ending and self.missed_from is None:
                self.close()

    def _consume(self, written: int) -> None:
        while written:
            head = self._queue[0]
            if len(head) > written:
                self._queue[0] = head[written:]
                return
            written -= len(head)
            self._queue.popleft()

    def _watch_stall(self) -> None:
        patient = not self._tty and not self._options.viewer
        if self._stall is None and not patient:
            self._stall = self._loop.call_later(STALL_LIMIT, self._check_stall)

    def _check_stall(self) -> None:
        self._stall = None
        if not self._queue or not self.open:
            return
        idle = time.monotonic() - self._progress
        if idle < STALL_LIMIT:
            self._stall = self._loop.call_later(STALL_LIMIT - idle, self._check_stall)
        elif self._ending:
            self._leave()
        else:
            self._stalled = True
            self._room.relieved(self)

    def _ready(self, events: int) -> None:
        if events & READ and self._reading:
            self._receive()
        if self.open and events & WRITE:
            self._flush()
            if not self._queue:
                self._room.relieved(self)
        if self.open and events & GONE and not events & READ:
            self._hung_up()

    def _hung_up(self) -> None:
        if self._suspended and self._reading:
            # What it typed before it left is still to be read, once the container takes input again.
            self._loop.forget(self._fd)
            self._queue.clear()
            self._queued = 0
            self._room.relieved(self)
        else:
            self._leave()

    def _receive(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self._leave()
            return
        if data:
            self._take(data)
        else:
            # Half-closed: it still wants the output. Left in the read set it would spin.
            self._reading = False
            self._watch()
            self._room.input_ended(self)

    def _take(self, data: bytes) -> None:
        forward, detached = self._matcher.feed(data)
        self._arm_release()
        if forward:
            self._room.typed(self, forward)
        if detached and self.open:
            self._room.detached(self)

    def _arm_release(self) -> None:
        if self._release:
            self._release.cancel()
            self._release = None
        if self._matcher.holding:
            self._release = self._loop.call_later(RELEASE_AFTER, self._released)

    def _released(self) -> None:
        self._release = None
        held = self._matcher.release()
        if held and self.open:
            self._room.typed(self, held)

    def suspend(self, suspended: bool) -> None:
        """Stop or go on reading what the client types: the container's stdin is full."""
        if self.open and suspended != self._suspended:
            self._suspended = suspended
            self._watch()

    def _watch(self) -> None:
        if self.open:
            reading = READ if self._reading and not self._suspended else 0
            self._loop.watch(self._fd, reading | (WRITE if self._queue else 0), self._ready)

    def finish(self) -> None:
        """No more output will come: close once everything is delivered."""
        self._ending = True
        self._reading = False
        if self._queue:
            self._watch()
            self._watch_stall()
        elif self.missed_from is None:
            self.close()

    def _leave(self) -> None:
        self.close()
        self._room.left(self)

    def close(self) -> None:
        """Close the socket now. The peer sees the end as soon as nobody else holds a copy."""
        if not self.open:
            return
        self._loop.forget(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._queue.clear()
        self._queued = 0
        for timer in (self._release, self._stall):
            if timer:
                timer.cancel()


def _keep_little_in_flight(fd: int) -> None:
    """In a flood all that lies in the socket is shown before the answer to a Ctrl-C: let that not be 200 KiB."""
    copy = os.dup(fd)
    try:
        peer = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)  # no socket
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _IN_FLIGHT)
    peer.close()


def frame_header(stream: int, size: int) -> bytes:
    """Docker's stream frame: `[stream, 0, 0, 0, size as 32 bits big-endian]`."""
    return bytes((stream, 0, 0, 0)) + size.to_bytes(4, "big")
