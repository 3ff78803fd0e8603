"""A container's life in one process: wait for `start`, run, restart, tell the engine, go.

created --start--> running --exit--> restarting --delay--> running
                      |                  |
                      +---- exited <-----+        (told, acknowledged, clients served: the shim ends)
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from core.errors import EngineError, InvalidArgument, NoSuchExec, WrongState, to_wire
from core.logs.jsonfile import timestamp
from core.logs.writer import LogWriter
from core.packets import Message
from core.shim import protocol
from core.shim.attach import AttachOptions
from core.shim.execs import Execs
from core.shim.history import History
from core.shim.loop import Loop, child_signals
from core.shim.outbox import Outbox
from core.shim.packing import Packer
from core.shim.parking import Found, Keeper, Luggage, Patience
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.restart import RestartPolicy, RestartState, decide
from core.shim.streams import Streams
from core.shim.task import Task

STOP_PATIENCE = 10.0  # seconds between the stop signal and SIGKILL when the machine goes down

Handler = Callable[[Message, list[int]], Message]


class Supervisor:
    """Owns the loop, the streams, the task and the link; `run` returns when the container's life is over.

    With a keeper it also returns when all is quiet and everything lies with the keeper; `found` is that.
    """

    def __init__(
        self,
        config: ShimConfig,
        link: socket.socket | None,
        task: Task,
        loop: Loop,
        reaper: Reaper,
        *,
        keeper: Keeper | None = None,
        found: Found | None = None,
    ) -> None:
        self._config = config
        self._task = task
        self._loop = loop
        self._reaper = reaper
        self._keeper = keeper
        self._outbox = Outbox(self._loop, config, link, self._handle, self._maybe_end, found=found)
        self._packer = None
        if config.log and config.log_compress:
            self._packer = Packer(loop, reaper, config.log, keeper.pid if keeper else os.getpid())
        self._streams = Streams(
            self._loop,
            tty=config.tty,
            stdin_once=config.open_stdin and config.stdin_once,
            log=self._log(),
            history=History(),
            on_detach=lambda: self._outbox.event({"event": "detached"}),
            on_output=self._output,
            on_empty=self._maybe_end,
        )
        self._execs = Execs(self._loop, self._reaper, self._outbox, task, self._maybe_end)
        self._policy = config.restart
        self._restarts = RestartState(config.restart_count)
        self._status = "created"
        self._exit_code = 0
        self._final = False
        self._began = 0.0
        self._parked = False
        self._terminated = (
            False  # a machine that goes down sends SIGTERM to us and to the keeper, which passes it on
        )
        self._restart_timer: Any = None
        self._ops: dict[str, Handler] = {
            "hello": self._hello,
            "attach": self._attach,
            "start": self._start,
            "resize": self._resize,
            "signal": self._signal,
            "exec": self._exec,
            "attach-exec": self._attach_exec,
            "watch-log": self._watch_log,
            "update": self._update,
        }
        self._patience = Patience()
        if found:
            self._unpack(found)

    def _log(self) -> LogWriter | None:
        config = self._config
        if not config.log:
            return None
        rotated = self._packer.rotated if self._packer else lambda: None
        return LogWriter(config.log, max_size=config.log_max_size, max_file=config.log_max_file, on_rotated=rotated)

    def watch_signals(self) -> None:
        """Reap children, the keeper's too, and stop the container on SIGTERM."""
        if self._keeper:
            self._keeper.watch(self._loop, self._reaper.ended, self._on_signal)
        numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        child_signals(self._loop, self._on_signal, numbers)

    def run(self) -> None:
        """Serve until the last exit is acknowledged (or journaled, when no engine is there)."""
        if self._status == "created":
            self._outbox.listen(self._keeper.pid if self._keeper else os.getpid())
        if self._keeper:
            self._loop.run(lambda: self._patience.pause, self._park)
        else:
            self._loop.run()
        if self._parked:
            return
        self._streams.close()
        if self._packer:
            self._packer.finish()
        self._task.close()
        self._outbox.close()

    def _park(self) -> None:
        """Leave everything to the keeper, where nothing is going on."""
        parts = (self._streams, self._outbox)
        if self._keeper is None or self._status != "running" or self._loop.waits or not self._execs.empty:
            return
        if not all(part.quiet for part in parts) or (self._packer and self._packer.busy):
            return
        luggage = Luggage()
        state = {
            "task": self._task.pack(luggage),
            "streams": self._streams.pack(luggage),
            "outbox": self._outbox.pack(luggage),
            "policy": (self._policy.name, self._policy.maximum),
            "restarts": (self._restarts.count, self._restarts.delay),
            "final": self._final,
            "began": self._began,
            "pause": self._patience.pause,
            "parked": time.monotonic(),
        }
        try:
            self._keeper.hand_over(luggage, self._task.pid, state)
        except OSError:
            return  # tried again when something has happened
        self._parked = True
        self._loop.stop()

    def _unpack(self, found: Found) -> None:
        """Go on where `_park` was called."""
        state = found.state
        self._status = "running"
        self._policy = RestartPolicy(*state["policy"])
        self._restarts = RestartState(*state["restarts"])
        self._final, self._began = state["final"], state["began"]
        self._patience = Patience(state["pause"], time.monotonic() - state["parked"])
        self._reaper.expect(self._task.pid, self._exited)
        self._streams.unpack(found)

    def _output(self) -> None:
        self._patience.output()
        self._outbox.log_grew()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reaper.reap()
        elif number == signal.SIGTERM and self._status == "running" and not self._terminated:
            self._terminated = True
            self._final = True
            self._task.signal(self._config.stop_signal)
            self._loop.call_later(STOP_PATIENCE, lambda: self._task.signal(signal.SIGKILL))

    def _handle(self, message: Message, fds: list[int]) -> tuple[Message, list[int]]:
        """One request as an answer; descriptors that no handler took are closed here."""
        try:
            if message.get("op") == "netns":
                return {}, self._task.netns()
            handler = self._ops.get(str(message.get("op")))
            if handler is None:
                raise InvalidArgument(f"unknown request {message.get('op')!r}")
            return handler(message, fds), []
        except (EngineError, OSError) as error:
            return {"error": to_wire(error)}, []
        except (KeyError, TypeError, ValueError) as error:
            return {"error": to_wire(InvalidArgument(f"read request {message.get('op')}: {error!r}"))}, []
        finally:
            for fd in fds:
                os.close(fd)

    def _hello(self, message: Message, fds: list[int]) -> Message:
        if message.get("version") not in protocol.SPOKEN:
            raise InvalidArgument(f"this shim speaks version {protocol.VERSION}, not {message.get('version')}")
        state = {
            "status": self._status,
            "pid": self._task.pid,
            "started_at": self._task.started_at,
            "exit_code": self._exit_code,
            "restart_count": self._restarts.count,
            "execs": self._execs.pids(),
            "exec_details": self._execs.details(),
        }
        return {"version": protocol.VERSION, "state": state}

    def _attach(self, message: Message, fds: list[int]) -> Message:
        if self._status not in ("created", "running"):
            raise WrongState("container is not running")
        self._streams.attach(fds.pop(0), AttachOptions.from_message(message))
        return {}

    def _start(self, message: Message, fds: list[int]) -> Message:
        if self._status != "created":
            raise WrongState(f"container is {self._status}")
        if fds:
            self._task.join_network(fds.pop(0))
        try:
            self._launch()
        except (EngineError, OSError) as error:
            self._status = "exited"
            self._outbox.event({"event": "failed", "error": to_wire(error)})
            self._streams.finish()
            raise
        return {"pid": self._task.pid, "started_at": self._task.started_at}

    def _launch(self) -> None:
        channels = self._task.start()
        self._began = time.monotonic()
        self._status = "running"
        self._reaper.expect(self._task.pid, self._exited)
        self._outbox.event(
            {
                "event": "started",
                "pid": self._task.pid,
                "started_at": self._task.started_at,
                "restart_count": self._restarts.count,
            }
        )
        self._streams.bind(channels)

    def _exited(self, code: int) -> None:
        self._streams.finish()
        oom = self._task.ended()
        if oom:
            self._outbox.event({"event": "oom"})
        self._settle(code, oom=oom, error="")

    def _settle(self, code: int, *, oom: bool, error: str) -> None:
        """Decide what comes after an exit, and tell it."""
        self._exit_code = code
        delay, self._restarts = decide(
            self._policy,
            self._restarts,
            exit_code=code,
            ran_for=time.monotonic() - self._began,
            final=self._final,
        )
        event = {
            "event": "exited",
            "exit_code": code,
            "oom": oom,
            "finished_at": timestamp(time.time_ns()),
            "restarting_in": delay,
        }
        self._status = "exited" if delay is None else "restarting"
        self._outbox.event(event | ({"error": error} if error else {}))
        if delay is not None:
            self._restart_timer = self._loop.call_later(delay, self._restart)
        self._maybe_end()

    def _restart(self) -> None:
        try:
            self._launch()
        except (EngineError, OSError) as error:
            self._began = time.monotonic()
            code = error.exit_code if isinstance(error, EngineError) else 125
            self._streams.finish()
            self._settle(code, oom=False, error=str(error))

    def _resize(self, message: Message, fds: list[int]) -> Message:
        height, width = int(message["height"]), int(message["width"])
        name = message.get("exec")
        streams = self._streams if name is None else self._execs.streams(str(name))
        if streams is None:
            raise NoSuchExec(f"No such exec instance: {name}")
        streams.resize(height, width)
        return {}

    def _signal(self, message: Message, fds: list[int]) -> Message:
        number, final = int(message["signal"]), bool(message.get("final"))
        if self._status == "restarting" and final:
            self._restart_timer.cancel()
            self._final = True
            self._settle(self._exit_code, oom=False, error="")
            return {}
        if self._status != "running":
            raise WrongState("container is not running")
        self._final = self._final or final
        self._task.signal(number)
        return {}

    def _exec(self, message: Message, fds: list[int]) -> Message:
        if self._status != "running":
            raise WrongState("container is not running")
        return {"pid": self._execs.start(message, fds.pop(0) if fds else None)}

    def _attach_exec(self, message: Message, fds: list[int]) -> Message:
        streams = self._execs.running(str(message["exec"]))
        streams.attach(fds.pop(0), AttachOptions.from_message(message))
        return {}

    def _watch_log(self, message: Message, fds: list[int]) -> Message:
        self._outbox.watch_log(bool(message.get("on")))
        return {}

    def _update(self, message: Message, fds: list[int]) -> Message:
        self._policy = protocol.policy(message["restart"])
        return {}

    def _maybe_end(self) -> None:
        """End once the last exit is known to an engine or left in the journal, and clients have all."""
        nothing_ran = self._status == "created" and not self._outbox.connected
        over = self._status == "exited" and self._outbox.told and self._streams.empty and self._execs.empty
        if nothing_ran or over:
            self._loop.stop()
