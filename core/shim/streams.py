"""One process's streams and everybody attached to them: fan-out, stdin, log, history, terminal size.

The container is held back by not reading its output, and its clients by not reading their input.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable
from functools import partial

from core.logs.writer import LogWriter
from core.shim.attach import AttachOptions, Client, frame_header
from core.shim.history import History
from core.shim.loop import READ, Loop, Timer
from core.shim.parking import Found, Luggage, State
from core.shim.stdin import Stdin
from core.shim.stdio import Channels

_READ_SIZE = 64 * 1024
_FLOOD = 20_000_000  # bytes a second: from here on a pipe is let fill up between two readings
_WINDOW = 0.01  # seconds over which that is measured
_REST = 0.001  # seconds; a pipe of ours takes a megabyte meanwhile
_DRAIN_LIMIT = 8 * 1024 * 1024  # more than any pipe holds
_REPAINT_PAUSE = 0.06  # seconds; a program must see both sizes to paint twice


class Streams:
    """The streams of the container's process (with `log` and `history`) or of one exec."""

    def __init__(
        self,
        loop: Loop,
        *,
        tty: bool,
        stdin_once: bool,
        log: LogWriter | None = None,
        history: History | None = None,
        on_detach: Callable[[], None] = lambda: None,
        on_output: Callable[[], None] = lambda: None,
        on_empty: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._tty = tty
        self._stdin_once = stdin_once
        self._log = log
        self._history = history
        self._on_detach = on_detach
        self._on_output = on_output
        self._on_empty = on_empty
        self._clients: list[Client] = []
        self._channels: Channels | None = None
        self._sources: dict[int, int] = {}
        self._stdin = Stdin(loop, self._pause_typing)
        self._held = False
        self._resting: set[int] = set()
        self._window = (0.0, 0)
        self._size = self._awaited = (0, 0)
        self._repaint: Timer | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody is attached."""
        return not self._clients

    @property
    def quiet(self) -> bool:
        """Whether a process runs and nobody is attached to it, and nothing is on its way."""
        rests = self._channels is not None and not self._resting and self._repaint is None
        return rests and not self._clients and not self._stdin.queued

    def pack(self, luggage: Luggage) -> State:
        """What another needs to go on; for quiet ones."""
        channels = self._channels
        assert channels is not None
        pending = self._log.pending if self._log else {}
        places = {fd: luggage.watch(fd) for fd in self._sources}
        for fd in channels.outputs.keys() - places.keys():
            places[fd] = luggage.hold(fd)
        return {
            "stdin": luggage.hold(self._stdin.fd) if self._stdin.fd >= 0 else None,
            "outputs": [[places[fd], stream] for fd, stream in channels.outputs.items()],
            "sources": [places[fd] for fd in self._sources],
            "master": places[channels.master] if channels.master >= 0 else None,
            "size": self._size,
            "log": [[stream, luggage.blob(data)] for stream, data in pending.items()],
            "lost": [self._log.lost, self._log.reason] if self._log else [0, ""],
            "history": self._history.pack(luggage) if self._history else None,
        }

    def unpack(self, found: Found) -> None:
        """Go on where `pack` was called, before anything else."""
        state = found.state["streams"]
        outputs = {found.fd(place): stream for place, stream in state["outputs"]}
        self._channels = Channels(found.fd(state["stdin"]), outputs, found.fd(state["master"]))
        self._sources = {fd: outputs[fd] for fd in map(found.fd, state["sources"])}
        self._size = (state["size"][0], state["size"][1])
        if state["history"]:
            self._history = History.unpack(state["history"], found)
        if self._log:
            self._log.resume({stream: found.blob(number) for stream, number in state["log"]}, *state["lost"])
        self._stdin.bind(self._channels.stdin)
        self._balance(force=True)

    def attach(self, fd: int, options: AttachOptions) -> None:
        """Take a client in; `fd` is owned from here on. With `head` the response is written here."""
        client = Client(self._loop, fd, options, tty=self._tty, room=self)
        client.suspend(self._stdin.full)
        self._clients.append(client)
        past = self._history.since() if options.history and self._history else []
        replay = [part for stream, data in past for part in self._framed(stream, data)]
        if options.head:
            size = f"Onggi-History: {sum(map(len, replay))}\r\n" if options.history else ""
            client.send((options.head + size + "\r\n").encode())
        client.send(*replay)
        if options.history:
            self.repaint()
        client.begin()

    def _framed(self, stream: int, data: bytes) -> tuple[bytes, ...]:
        return (data,) if self._tty else (frame_header(stream, len(data)), data)

    def bind(self, channels: Channels) -> None:
        """Begin with a started process; `channels` are owned from here on."""
        self._channels = channels
        self._sources = dict(channels.outputs)
        if self._size != (0, 0):
            self._set_size(*self._size)
        self._stdin.bind(channels.stdin)
        self._balance(force=True)

    def _readable(self, fd: int, _: int) -> None:
        try:
            data = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last holder of the terminal's other side is gone
            data = b""
        if not data:
            self._loop.forget(fd)
            self._sources.pop(fd, None)
            return
        self._deliver(self._sources[fd], data)
        if not self._tty and len(data) < _READ_SIZE // 2 and self._floods(len(data)):
            self._rest(fd)
        self._balance()

    def _floods(self, size: int) -> bool:
        now = time.monotonic()
        if now - self._window[0] > _WINDOW:
            self._window = (now, 0)
        self._window = (self._window[0], self._window[1] + size)
        return self._window[1] > _FLOOD * _WINDOW

    def _rest(self, fd: int) -> None:
        """Most programs write 4 KiB at a time; taking each by itself would cost more than it carries."""
        self._loop.forget(fd)
        self._resting.add(fd)
        self._loop.call_later(_REST, partial(self._wake, fd))

    def _wake(self, fd: int) -> None:
        self._resting.discard(fd)
        if fd in self._sources and not self._held:
            self._loop.watch(fd, READ, partial(self._readable, fd))

    def _deliver(self, stream: int, data: bytes) -> None:
        position = 0
        if self._history:
            position = self._history.end
            self._history.append(stream, data)
        for client in self._clients:
            client.offer(stream, data, position)
        if self._log:
            self._log.write(stream, data)
            self._on_output()

    def _balance(self, force: bool = False) -> None:
        """Read on exactly while no client holds the container."""
        self._clients = [client for client in self._clients if client.open]
        held = any(client.holds for client in self._clients)
        if held == self._held and not force:
            return
        self._held = held
        for fd in self._sources.keys() - self._resting:
            if held:
                self._loop.forget(fd)
            else:
                self._loop.watch(fd, READ, partial(self._readable, fd))

    def typed(self, client: Client, data: bytes) -> None:
        """A client sent bytes for stdin."""
        self._stdin.write(data)

    def input_ended(self, client: Client) -> None:
        """A client half-closed: that ends a pipeline's stdin; a terminal has no such end."""
        if self._stdin_once and not self._tty:
            self._stdin.end()

    def detached(self, client: Client) -> None:
        """A client typed its detach keys."""
        client.close()
        self._balance()
        self._on_detach()
        self._check_empty()

    def left(self, client: Client) -> None:
        """A client is gone."""
        if client.stdin:
            self.input_ended(client)
        self._balance()
        self._check_empty()

    def relieved(self, client: Client) -> None:
        """A client has taken what was queued for it, or is passed over from now on."""
        if client.open and client.missed_from is not None and client.drained:
            self._catch_up(client)
            if client.ending:
                client.finish()
        self._balance()
        self._check_empty()

    def _catch_up(self, client: Client) -> None:
        missed_from, client.missed_from = client.missed_from or 0, None
        for stream, data in self._history.since(missed_from) if self._history else []:
            client.offer(stream, data, missed_from)
        self.repaint()

    def _pause_typing(self, full: bool) -> None:
        for client in list(self._clients):
            client.suspend(full)

    def _check_empty(self) -> None:
        if self.empty:
            self._on_empty()

    def resize(self, height: int, width: int) -> None:
        """Set the terminal's size; kept for the next start. Nothing without a terminal."""
        if self._repaint and (height, width) == self._awaited:
            return  # it comes back to that in a moment; sooner, and the program would have seen no change
        if self._repaint:
            self._repaint.cancel()
            self._repaint = None
        self._size = (height, width)
        self._set_size(height, width)

    def _set_size(self, height: int, width: int) -> None:
        if self._channels and self._channels.master >= 0:
            packed = struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0)
            fcntl.ioctl(self._channels.master, termios.TIOCSWINSZ, packed)

    def repaint(self) -> None:
        """Change the size by a row and back, which makes a full-screen program paint anew."""
        if not (self._channels and self._channels.master >= 0) or self._repaint:
            return
        packed = fcntl.ioctl(self._channels.master, termios.TIOCGWINSZ, bytes(8))
        height, width = struct.unpack("HHHH", packed)[:2]
        if height < 2 or not width:
            return
        self._set_size(height - 1, width)
        self._awaited = (height, width)
        self._repaint = self._loop.call_later(_REPAINT_PAUSE, self._repainted)

    def _repainted(self) -> None:
        self._repaint = None
        self.resize(*self._awaited)

    def finish(self) -> None:
        """The process is gone: deliver what its pipes still hold, end the log's lines, let clients go."""
        if self._repaint:
            self._repaint.cancel()
            self._repaint = None
        for fd, stream in list(self._sources.items()):
            self._loop.forget(fd)
            self._drain(fd, stream)
        self._sources = {}
        self._resting.clear()
        if self._log:
            self._log.finish()
        self._stdin.close()
        if self._channels:
            self._channels.close()
            self._channels = None
        for client in list(self._clients):
            client.finish()
        self._balance()
        self._check_empty()

    def _drain(self, fd: int, stream: int) -> None:
        for _ in range(_DRAIN_LIMIT // _READ_SIZE):
            try:
                data = os.read(fd, _READ_SIZE)
            except OSError:
                return
            if not data:
                return
            self._deliver(stream, data)

    def close(self) -> None:
        """Drop everybody and close the log."""
        for client in self._clients:
            client.close()
        self._clients = []
        if self._log:
            self._log.close()
