"""A container's stream on this terminal: keys in, bytes out, until one side ends.

One thread, one poll: a blocked reader of our output holds the container as a full pipe does, and nothing is held in
memory. The engine is not in the way of a byte; when it dies, the session goes on.
"""

from __future__ import annotations

import os
import select
from _socket import MSG_DONTWAIT, SHUT_WR

from core.cli import rawmode, terminal
from core.cli.exitwatch import ExitWatch
from core.cli.failure import CommandFailed
from core.cli.keys import Typed
from core.client.transport import Stream
from core.errors import EngineError
from core.wire.streams import STDERR, Unframer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

READ_SIZE = 256 * 1024
_INPUT_SIZE = 64 * 1024
_GRACE_MS = 200  # how long an exit may lag behind the end of the stream when the keys were typed some time before
_READ = select.POLLIN | select.POLLHUP | select.POLLERR

Resize: TypeAlias = "Callable[[int, int], object]"
Forward: TypeAlias = "Callable[[str], object]"


class Session:
    """Joins a stream to descriptors 0, 1 and 2.

    `tty`: bytes go as they are, and through a raw terminal where `stdin` is; else the stream is framed.
    `outputs` are the streams to show (1, 2). `resize(height, width)` and `forward(signal name)` ask the engine.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        tty: bool,
        stdin: bool,
        keys: bytes,
        outputs: frozenset[int] = frozenset({1, 2}),
        exit_watch: ExitWatch | None = None,
        resize: Resize | None = None,
        forward: Forward | None = None,
    ) -> None:
        self._stream = stream
        self._sock = stream.sock
        self._tty = tty
        self._stdin = stdin
        self._outputs = outputs
        self._exit = exit_watch
        self._resize = resize
        self._forward = forward
        self._typed = Typed(keys)
        self._unframer = Unframer()
        self._pending = b""
        self._input_open = stdin
        self._writable = True

    def run(self) -> bool:
        """Until the stream ends; True when it ended because the user typed the detach keys."""
        signals: tuple[int, ...] = (rawmode.RESIZED,) if self._tty and self._resize else ()
        if self._forward:
            signals += rawmode.FORWARDED
        typed = self._tty and self._stdin and os.isatty(0)
        with rawmode.Raw(0 if typed else -1), rawmode.SignalPipe(signals) as told:
            try:
                if not self._stdin:
                    self._close_input()
                if self._stream.early:
                    self._show(self._stream.early)
                while self._turn(told):
                    pass
                return self._detached()
            finally:
                self._stream.close()

    def _turn(self, told: int) -> bool:
        """Wait for something and handle it; False at the end of the stream."""
        watch = self._exit.fileno() if self._exit else -1
        ready = dict(self._poll(told, watch))
        if told in ready:
            self._signalled(told)
        if watch in ready and self._exit:
            self._exit.step()
        events = ready.get(self._sock.fileno(), 0)
        if events & select.POLLOUT:
            self._flush()
        if 0 in ready:
            self._read_input()
        return not events & _READ or self._read_stream()

    def _poll(self, told: int, watch: int) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._pending else 0))
        for fd in (told, watch, 0 if self._input_open and not self._pending else -1):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        return poll.poll()

    def _read_stream(self) -> bool:
        try:
            data = self._sock.recv(READ_SIZE)
        except ConnectionResetError:
            # It ended without having read all input. unix(7): the error comes once, before what it had written.
            return True
        if data:
            self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        if self._tty:
            if 1 in self._outputs:
                _write(1, data)
            return
        try:
            pieces = self._unframer.feed(data)
        except ValueError as error:
            raise CommandFailed(f"the stream is broken: {error}", 125) from error
        for stream, piece in pieces:
            fd = 2 if stream == STDERR else 1
            if fd in self._outputs:
                _write(fd, piece)

    def _read_input(self) -> None:
        try:
            data = os.read(0, _INPUT_SIZE)
        except OSError:  # EIO: the terminal has gone, or we are in the background
            data = b""
        if not data:
            self._input_open = False
            self._close_input()
            return
        if self._tty:
            self._typed.add(data)
        self._pending = data
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._pending, MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:  # nobody takes input any more; output may still come
            self._pending = b""
            self._input_open = False
            return
        self._pending = self._pending[sent:]

    def _close_input(self) -> None:
        if self._writable:
            self._writable = False
            try:
                self._sock.shutdown(SHUT_WR)
            except OSError:
                pass  # the other end is gone

    def _signalled(self, told: int) -> None:
        for number in set(os.read(told, 256)):
            try:
                if number == rawmode.RESIZED:
                    if self._resize:
                        self._resize(*terminal.size())
                elif self._forward and number in rawmode.FORWARDED:
                    self._forward(rawmode.name_of(number))
            except EngineError:
                pass  # an engine that is away must not end the session

    def _detached(self) -> bool:
        if not self._typed.seen:
            return False
        if self._exit is None or self._exit.result is not None:
            return self._exit is None
        fd = self._exit.fileno()
        if fd >= 0:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if poll.poll(0 if self._typed.at_end else _GRACE_MS):
                self._exit.step()
        return self._exit.result is None


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # someone else made our output non-blocking
            select.select([], [fd], [])
