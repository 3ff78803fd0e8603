"""One shim forked ahead, so that what a fork costs is paid before somebody waits for it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from core import packets
from core.packets import Message


class Spare:
    """The zygote's end of it. It ends when this end is closed, and so with the zygote."""

    def __init__(self) -> None:
        self._pid = 0
        self._sock: socket.socket | None = None

    def make(self, fork: Callable[[socket.socket], int]) -> None:
        """Have one, by `fork(its end)`, unless there is one. Raises OSError."""
        if self._sock is not None:
            return
        ours, theirs = packets.pair()
        with theirs:
            try:
                self._pid = fork(theirs)
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self._sock = ours

    def give(self, message: Message, fds: Sequence[int]) -> bool:
        """Make it the shim that `message` asks for; False where there is none."""
        sock, self._sock, self._pid = self._sock, None, 0
        if sock is None:
            return False
        with sock:
            try:
                packets.send(sock, message, fds)
            except OSError:
                return False
        return True

    def ended(self, pid: int) -> None:
        """This child was reaped; if it was the spare, there is none until the next start is over."""
        if pid == self._pid and self._sock is not None:
            self._sock.close()
            self._sock, self._pid = None, 0
