"""Further processes in a running container."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from core.errors import Conflict, WrongState
from core.packets import Message
from core.shim.attach import AttachOptions
from core.shim.history import History
from core.shim.loop import Loop, Timer
from core.shim.outbox import Outbox
from core.shim.reaper import Reaper
from core.shim.streams import Streams
from core.shim.task import Task

_WORDS, _WORD = 32, 256  # words of a command that are kept, and characters of each


class Execs:
    """Every exec by its id, from its start until its clients have all its output."""

    def __init__(
        self, loop: Loop, reaper: Reaper, outbox: Outbox, task: Task, on_change: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._reaper = reaper
        self._outbox = outbox
        self._task = task
        self._on_change = on_change
        self._streams: dict[str, Streams] = {}
        self._pids: dict[str, int] = {}
        self._limits: dict[str, Timer] = {}
        self._details: dict[str, Message] = {}

    @property
    def empty(self) -> bool:
        """Whether none is left, running or with clients to serve."""
        return not self._streams

    def pids(self) -> dict[str, int]:
        """The running ones."""
        return dict(self._pids)

    def details(self) -> dict[str, Message]:
        """What the running ones are, for an engine that did not start them: `{args, user, tty, stdin}`."""
        return dict(self._details)

    def streams(self, name: str) -> Streams | None:
        """The streams of one, for resizing."""
        return self._streams.get(name)

    def running(self, name: str) -> Streams:
        """The streams of one that runs, for a further client. Raises WrongState."""
        if name not in self._pids:
            raise WrongState(f"exec {name} is not running")
        return self._streams[name]

    def start(self, message: Message, client: int | None) -> int:
        """Run `message["process"]`; its pid as the host sees it. `client` is owned here.

        Raises InitFailed (126, 127 where the program is at fault) and the other engine errors.
        """
        try:
            name = str(message["exec"])
            if name in self._streams:
                raise Conflict(f"exec {name} runs already")
            tty, stdin = bool(message.get("tty")), bool(message.get("stdin"))
            pid, channels = self._task.enter(message, tty=tty, stdin=stdin and client is not None)
        except BaseException:
            if client is not None:
                os.close(client)
            raise
        streams = Streams(
            self._loop,
            tty=tty,
            stdin_once=True,
            history=History() if tty else None,
            on_detach=lambda: self._outbox.event({"event": "detached"}),
            on_empty=lambda: self._forget(name),
        )
        self._streams[name] = streams
        self._pids[name] = pid
        self._details[name] = _described(message)
        self._reaper.expect(pid, lambda code: self._exited(name, code))
        limit = float(message.get("limit") or 0)
        if limit > 0:
            self._limits[name] = self._loop.call_later(limit, lambda: self._kill(name))
        if client is not None:
            streams.attach(client, AttachOptions.from_message(message))
        streams.bind(channels)
        return pid

    def _kill(self, name: str) -> None:
        """Its time is over. It leads a session, and is not reaped while it is listed: the number is its own."""
        try:
            os.killpg(self._pids[name], signal.SIGKILL)
        except OSError:
            pass

    def _exited(self, name: str, code: int) -> None:
        del self._pids[name], self._details[name]
        limit = self._limits.pop(name, None)
        if limit is not None:
            limit.cancel()
        self._streams[name].finish()
        self._outbox.event({"event": "exec-exited", "exec": name, "exit_code": code})

    def _forget(self, name: str) -> None:
        """Its last client has left; while the process runs, its streams are still needed."""
        if name not in self._pids:
            self._streams.pop(name, None)
            self._on_change()


def _described(message: Message) -> Message:
    """What is kept of a request. It stays in memory as long as the process runs, so a long command is cut."""
    args = [str(word)[:_WORD] for word in message["process"].get("args", ())[:_WORDS]]
    return {
        "args": args,
        "user": str(message.get("user") or "")[:_WORD],
        "tty": bool(message.get("tty")),
        "stdin": bool(message.get("stdin")),
    }
