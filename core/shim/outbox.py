"""What goes to the engine: answers and events over the newest link, and into the journal until acknowledged."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable

from core.packets import Message
from core.shim.journal import Event, Journal
from core.shim.link import EngineLink
from core.shim.loop import READ, Loop, Timer
from core.shim.parking import Found, Luggage, State
from core.shim.protocol import ShimConfig

LOG_PAUSE = 0.02  # seconds between two `log` events

_LISTENER = int(socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)

Handle = Callable[[Message, list[int]], tuple[Message, list[int]]]


class Outbox:
    """Owns the link, the socket `run/shim.sock` where later engines connect, and the journal.

    `handle` turns a request into an answer with descriptors (closed here after sending); `on_change` is
    called when events were acknowledged or the engine has gone.
    """

    def __init__(
        self,
        loop: Loop,
        config: ShimConfig,
        link: socket.socket | None,
        handle: Handle,
        on_change: Callable[[], None],
        *,
        found: Found | None = None,
    ) -> None:
        """`found` is what `pack` has left, of which the links are a part."""
        self._loop = loop
        self._run = config.run
        self._handle = handle
        self._on_change = on_change
        self._listener: socket.socket | None = None
        self._watching = False
        self._log_timer: Timer | None = None
        self._log_sent = 0.0
        self._greeted = True
        self._former: EngineLink | socket.socket | None = None
        self._link: EngineLink | None = None
        self._journal = self._unpack(config, found) if found else Journal(config.journal)
        if link is not None:
            self._link = EngineLink(loop, link, self._message, self._link_ended)

    @property
    def connected(self) -> bool:
        """Whether an engine is there."""
        return self._link is not None

    @property
    def told(self) -> bool:
        """Whether the engine knows every event, or will read them in the journal."""
        return self._link is None or not self._journal.waiting

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way."""
        return self._link is None or self._link.drained

    def pack(self, luggage: Luggage) -> State:
        """What another needs to go on."""
        assert self._listener is not None
        return {
            "listener": luggage.watch(self._listener.fileno()),
            "link": luggage.watch(self._link.fileno()) if self._link else None,
            "former": luggage.hold(self._former.fileno()) if self._former and self._former.fileno() >= 0 else None,
            "greeted": self._greeted,
            "watching": self._watching,
            "seq": self._journal.seq,
            "waiting": self._journal.waiting,
        }

    def _unpack(self, config: ShimConfig, found: Found) -> Journal:
        state = found.state["outbox"]
        self._greeted, self._watching = state["greeted"], state["watching"]
        self._listener = socket.socket(fileno=found.fd(state["listener"]))
        self._loop.watch(self._listener.fileno(), READ, self._accept)
        if state["former"]:
            self._former = socket.socket(fileno=found.fd(state["former"]))
        if state["link"]:
            link = socket.socket(fileno=found.fd(state["link"]))
            self._link = EngineLink(self._loop, link, self._message, self._link_ended)
        return Journal(config.journal, (state["seq"], state["waiting"]))

    def listen(self, pid: int) -> None:
        """Make `run/shim.sock` (0600) and `run/pid`, which says who is to be killed. Raises OSError."""
        try:
            os.mkdir(self._run, 0o700)
        except FileExistsError:
            pass
        directory = os.open(self._run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # By descriptor, because the path of a socket is limited to 107 bytes. unix(7)
            path = f"/proc/self/fd/{directory}/shim.sock"
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            self._listener = socket.socket(socket.AF_UNIX, _LISTENER)
            self._listener.bind(path)
            os.chmod(path, 0o600)
            self._listener.listen(8)
            # Not as text: an encoder and three layers of files would be copied into every idle shim.
            file = os.open("pid", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=directory)
            os.write(file, b"%d" % pid)
            os.close(file)
        finally:
            os.close(directory)
        self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _accept(self, _: int) -> None:
        if self._listener is None:
            return
        try:
            peer, _address = self._listener.accept()
        except OSError:
            return
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] not in (0, os.geteuid()):
            peer.close()
            return
        for link in (self._link, self._former):
            if link is not None:
                link.close()
        self._former = None
        self._greeted = self._watching = False
        self._link = EngineLink(self._loop, peer, self._message, self._link_ended)

    def _message(self, link: EngineLink, message: Message, fds: list[int]) -> None:
        if message.get("op") == "ack":
            self._journal.acknowledge(int(message.get("seq") or 0))
            self._on_change()
            return
        answer, answer_fds = self._handle(message, fds)
        link.send({"re": message.get("n")} | answer, answer_fds)
        for fd in answer_fds:
            os.close(fd)
        if message.get("op") == "hello" and "error" not in answer:
            self._greeted = True
            for event in self._journal.waiting:
                link.send(event)

    def _link_ended(self, link: EngineLink) -> None:
        if link is self._link:
            self._link, self._former = None, link
            self._watching = False
            self._on_change()

    def event(self, event: Event) -> None:
        """Journal `event` and send it, if an engine that has said hello is there."""
        numbered = self._journal.append(event)
        if self._link is not None and self._greeted:
            self._link.send(numbered)

    def watch_log(self, on: bool) -> None:
        """Begin or end to tell that the log has grown."""
        self._watching = on

    def log_grew(self) -> None:
        """Tell it, at most every LOG_PAUSE seconds."""
        if not self._watching or self._log_timer is not None:
            return
        wait = self._log_sent + LOG_PAUSE - time.monotonic()
        if wait > 0:
            self._log_timer = self._loop.call_later(wait, self._tell_log)
        else:
            self._tell_log()

    def _tell_log(self) -> None:
        self._log_timer = None
        self._log_sent = time.monotonic()
        if self._link is not None and self._watching:
            self._link.send({"event": "log"})

    def close(self) -> None:
        """End the link and take the run directory away: nothing of this life is left but the journal."""
        self._journal.close()
        if self._listener is not None:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
        for name in ("shim.sock", "pid"):
            try:
                os.unlink(os.path.join(self._run, name))
            except OSError:
                pass
        try:
            os.rmdir(self._run)
        except OSError:
            pass
        for link in (self._link, self._former):
            if link is not None:
                link.close()
