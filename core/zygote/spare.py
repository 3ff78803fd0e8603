"""One shim forked ahead, so that what a fork costs is paid before somebody waits for it.

It is forked by a process that does nothing else, the mold. The zygote goes on writing to its memory between two
forks, and each page of that would lie once more in every shim; the mold stays as it is, and its shims share it.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence

from core import packets
from core.linux.process import set_name
from core.packets import Message
from core.shim.job import leave_terminal
from core.shim.loop import set_handler

MOLD = "onggi-mold"
_ROOM = socket.CMSG_SPACE(array.array("i").itemsize)


class Spare:
    """The zygote's end of both. They end when this end is closed, and so with the zygote."""

    def __init__(self) -> None:
        self._mold: socket.socket | None = None
        self._mold_pid = 0
        self._sock: socket.socket | None = None

    def make(self, fork: Callable[[socket.socket], int]) -> None:
        """Have one, unless there is one; where there is no mold, `fork(its end)` makes it first. Raises OSError."""
        if self._sock is not None:
            return
        if self._mold is None:
            self._mold, self._mold_pid = _forked(fork)
        ours, theirs = packets.pair()
        with theirs:
            try:
                socket.send_fds(self._mold, [b"s"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._sock = ours

    def give(self, message: Message, fds: Sequence[int]) -> bool:
        """Make it the shim that `message` asks for; False where there is none."""
        sock, self._sock = self._sock, None
        if sock is None:
            return False
        with sock:
            try:
                packets.send(sock, message, fds)
            except OSError:
                return False
        return True

    def close(self) -> None:
        """End both, soon."""
        for sock in (self._sock, self._mold):
            if sock is not None:
                sock.close()
        self._sock = self._mold = None

    def ended(self, pid: int) -> None:
        """This child was reaped; if it was the mold, the next start makes another."""
        if pid == self._mold_pid and self._mold is not None:
            self._mold.close()
            self._mold, self._mold_pid = None, 0


def _forked(fork: Callable[[socket.socket], int]) -> tuple[socket.socket, int]:
    ours, theirs = packets.pair()
    with theirs:
        try:
            return ours, fork(theirs)
        except BaseException:
            ours.close()
            raise


def be_mold(sock: socket.socket, work: Callable[[int], None]) -> None:
    """In the mold: fork a child that does `work` with each socket that comes, until none will; nothing else.

    Returns in the children too. Raises OSError.
    """
    leave_terminal()
    set_name(MOLD)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for its children
    own = sock.fileno()
    receive, fork, close = sock.recvmsg, os.fork, os.close
    chld, default = int(signal.SIGCHLD), int(signal.SIG_DFL)
    while True:
        data, control, _, _ = receive(1, _ROOM)
        if not data:
            return
        fd = int.from_bytes(control[0][2], sys.byteorder)
        if fork() == 0:
            close(own)
            set_handler(chld, default)
            work(fd)
            return
        close(fd)
