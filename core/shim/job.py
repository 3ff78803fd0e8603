"""The zygote's job `shim`: the forked child becomes a container's shim, at once or when its turn comes."""

from __future__ import annotations

import os
import socket
from typing import Any

from core import packets
from core.errors import EngineError, to_wire
from core.linux.process import set_child_subreaper, set_name
from core.shim.first import First
from core.shim.loop import Loop
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.supervisor import Supervisor
from core.shim.task import Task, leave_mounts
from core.shim.warmup import warm_up


def wait(sock: socket.socket) -> None:
    """Be a shim ahead: do what needs no container, and become the one that comes over `sock`.

    Returns at once where nobody asks any more. Raises OSError, EngineError.
    """
    set_name("onggi-spare")
    _detach()
    leave_mounts()
    first = First(own_pids=True, warm=warm_up)
    received = packets.receive(sock)
    sock.close()
    if received is None:
        first.discard()
    else:
        args, fds = received
        _become(args, socket.socket(fileno=fds[0]), first)


def become(args: dict[str, Any], reply: socket.socket) -> None:
    """Be the shim that `args` describe, with `reply` as the engine's link, until its container is over."""
    try:
        _detach()
    except OSError as error:
        packets.send(reply, {"event": "failed", "seq": 0, "error": to_wire(error)})
        return
    _become(args, reply, None)


def _become(args: dict[str, Any], reply: socket.socket, first: First | None) -> None:
    set_name("onggi-shim")
    try:
        config = ShimConfig.from_message(args)
        task = Task(config, args, first)
    except EngineError as error:
        packets.send(reply, {"event": "failed", "seq": 0, "error": to_wire(error)})
        if first:
            first.discard()
        return
    try:
        task.prepare()
    except (EngineError, OSError):
        pass  # tried again, and told, by the start
    supervisor = Supervisor(config, reply, task, Loop(), Reaper())
    supervisor.watch_signals()
    supervisor.run()


def _detach() -> None:
    """A session of its own, and nothing of the engine's terminal."""
    os.setsid()
    set_child_subreaper()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
