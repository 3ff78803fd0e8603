"""The zygote's job `shim`: the forked child becomes a container's shim."""

from __future__ import annotations

import os
import socket
from typing import Any

from core.errors import to_wire
from core.linux.process import set_child_subreaper
from core.packets import send
from core.shim.loop import Loop
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.supervisor import Supervisor
from core.shim.task import Task


def become(args: dict[str, Any], reply: socket.socket) -> None:
    """Be the shim that `args` describe, with `reply` as the engine's link, until its container is over."""
    try:
        config = ShimConfig.from_message(args)
        _detach()
    except Exception as error:
        send(reply, {"event": "failed", "seq": 0, "error": to_wire(error)})
        return
    supervisor = Supervisor(config, reply, Task(config), Loop(), Reaper())
    supervisor.watch_signals()
    supervisor.run()


def _detach() -> None:
    """A session of its own, nothing of the engine's terminal, and a name in ps."""
    os.setsid()
    set_child_subreaper()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write("onggi-shim")
