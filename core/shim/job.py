"""The zygote's job `shim`: the forked child becomes a container's shim, at once or when its turn comes."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from core import packets
from core.errors import EngineError, to_wire
from core.linux.process import set_name
from core.shim.first import First
from core.shim.keeper import keep
from core.shim.loop import Loop
from core.shim.parking import Found, Keeper
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.supervisor import Supervisor
from core.shim.task import Task, leave_mounts
from core.shim.warmup import warm_up

SPARE, WORKER = "onggi-spare", "onggi-worker"


def stand_by(sock: int) -> None:
    """Be the keeper of a shim ahead, which becomes the one that comes over `sock`.

    Returns when its container is over, at once where nobody asks any more. Raises OSError.
    """
    set_name(SPARE)
    keep(_wait, _go_on, (sock,))


def become(args: dict[str, Any], reply: socket.socket) -> None:
    """Be the shim that `args` describe, with `reply` as the engine's link, until its container is over."""
    try:
        leave_terminal()

        def begin(control: int, passed: Sequence[int]) -> None:
            _become(args, socket.socket(fileno=passed[0]), None, Keeper(control))

        keep(begin, _go_on, (reply.detach(),))
    except OSError as error:
        packets.send(reply, {"event": "failed", "seq": 0, "error": to_wire(error)})


def leave_terminal() -> None:
    """Nothing of the engine's terminal."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)


def _wait(control: int, passed: Sequence[int]) -> None:
    """The first worker of a shim ahead: do what needs no container, then wait for one.

    Raises OSError, EngineError.
    """
    set_name(SPARE)
    leave_mounts()
    first = First(own_pids=True, warm=warm_up)
    with socket.socket(fileno=passed[0]) as sock:
        received = packets.receive(sock)
    if received is None:
        first.discard()
    else:
        args, fds = received
        _become(args, socket.socket(fileno=fds[0]), first, Keeper(control))


def _become(args: dict[str, Any], reply: socket.socket, first: First | None, keeper: Keeper) -> None:
    keeper.take()
    set_name(WORKER)
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
    supervisor = Supervisor(config, reply, task, Loop(), Reaper(), keeper=keeper)
    supervisor.watch_signals()
    supervisor.run()


def _go_on(control: int, held: Sequence[int]) -> None:
    """A later worker: something has happened."""
    set_name(WORKER)
    found = Found(held)
    config = ShimConfig.from_message(found.state["task"]["message"])
    task = Task.unpack(config, found)
    supervisor = Supervisor(config, None, task, Loop(), Reaper(), keeper=Keeper(control), found=found)
    supervisor.watch_signals()
    supervisor.run()
