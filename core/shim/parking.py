"""A worker's way out and the next one's way in: its end of the keeper, and what is handed over.

The state is one memfd: the length of a JSON object, the object, and bytes that the object names by number.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from core.linux.constants import CLONE_NEWNS
from core.linux.syscalls import setns
from core.packets import encode
from core.shim.keeper import DEATH, DONE, REAP, TAKEN, TERMINATE
from core.shim.loop import READ, Loop

FIRST_PAUSE = 0.2  # seconds of quiet after which a worker ends
LONGEST_PAUSE = 30.0
SOON = 10  # pauses; output that comes sooner after a worker's end keeps the next one twice as long

State = dict[str, Any]


class Luggage:
    """What a worker leaves: descriptors, which stay its own until they are sent, and bytes."""

    def __init__(self) -> None:
        self._watched: list[int] = []
        self._held: list[int] = []
        self._blobs: list[bytes] = []

    def watch(self, fd: int) -> list[int]:
        """A descriptor for whose events the next worker is woken; what `Found.fd` takes."""
        self._watched.append(fd)
        return [0, len(self._watched) - 1]

    def hold(self, fd: int) -> list[int]:
        """A descriptor that is only to stay open."""
        self._held.append(fd)
        return [1, len(self._held) - 1]

    def blob(self, data: bytes) -> int:
        """Bytes; what `Found.blob` takes."""
        self._blobs.append(data)
        return len(self._blobs) - 1

    def send(self, sock: socket.socket, first: int, state: State) -> None:
        """Give everything to the keeper; `first` is the container's first process. Raises OSError."""
        blobs = [len(blob) for blob in self._blobs]
        text = encode({"state": state, "watched": len(self._watched), "blobs": blobs}).encode()
        memfd = os.memfd_create("parked", os.MFD_CLOEXEC)
        namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open(memfd, "wb", closefd=False) as file:
                file.write(len(text).to_bytes(8, "big") + text)
                file.writelines(self._blobs)
            fds = [*self._watched, *self._held, namespace, memfd]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))]
            sock.sendmsg([b"%d %d" % (len(self._watched), first)], rights)
        finally:
            os.close(namespace)
            os.close(memfd)


class Found:
    """What the last worker left. The descriptors are the finder's."""

    def __init__(self, held: Sequence[int]) -> None:
        """Read it, and go back into its mount namespace. Raises OSError, ValueError."""
        *rest, namespace, memfd = held
        with open(memfd, "rb") as file:
            file.seek(0)
            size = int.from_bytes(file.read(8), "big")
            content = json.loads(file.read(size))
            self._blobs = [file.read(length) for length in content["blobs"]]
        setns(namespace, CLONE_NEWNS)
        os.close(namespace)
        self.state: State = content["state"]
        self._watched = int(content["watched"])
        self._fds = rest

    def fd(self, place: list[int] | None) -> int:
        """The descriptor at `place`; -1 for none."""
        if place is None:
            return -1
        held, number = place
        return self._fds[number + (self._watched if held else 0)]

    def blob(self, number: int) -> bytes:
        """The bytes."""
        return self._blobs[number]


class Keeper:
    """The worker's end of the process that keeps it."""

    def __init__(self, control: int) -> None:
        self._sock = socket.socket(fileno=control)
        self.pid = os.getppid()

    def take(self) -> None:
        """There is a container from now on."""
        self._sock.send(TAKEN)

    def watch(self, loop: Loop, on_child: Callable[[int, int], None], on_signal: Callable[[int], None]) -> None:
        """Hear of its children (pid, wait status) and of its SIGTERM."""

        def hear(_: int) -> None:
            try:
                said = self._sock.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if said == DEATH:
                self._sock.send(REAP)
                while said != DONE:
                    said = self._sock.recv(64)
                    tell(said)
            else:
                tell(said)

        def tell(said: bytes) -> None:
            if said == TERMINATE:
                on_signal(signal.SIGTERM)
            elif said not in (DEATH, DONE):
                pid, status = said.split()
                on_child(int(pid), int(status))

        loop.watch(self._sock.fileno(), READ, hear)

    def hand_over(self, luggage: Luggage, first: int, state: State) -> None:
        """Leave everything with the keeper; the worker is to end at once. Raises OSError."""
        luggage.send(self._sock, first, state)


class Patience:
    """How long a worker stays though nothing happens: longer, where it was soon needed again."""

    def __init__(self, pause: float = FIRST_PAUSE, woken_after: float | None = None) -> None:
        """`pause` was the last worker's, who had been gone for `woken_after` seconds."""
        self._soon = woken_after is not None and woken_after < SOON * pause
        self._last = pause
        self.pause = FIRST_PAUSE

    def output(self) -> None:
        """The container has written something."""
        if self._soon:
            self._soon = False
            self.pause = min(2 * self._last, LONGEST_PAUSE)
