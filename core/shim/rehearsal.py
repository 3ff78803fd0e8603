"""A shim's life played a few times in the zygote, without a container, before anything is forked.

What the interpreter makes on first use (type hints of the specification, specialised bytecode, caches) is
then shared by every shim instead of being made in each: starts take less time, idle shims less memory.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from functools import partial

from core import packets
from core.packets import Message
from core.shim.first import First
from core.shim.loop import READ, Loop
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.starter import Answer, in_child
from core.shim.supervisor import Supervisor
from core.shim.task import Task
from core.shim.warmup import warm_up

ROUNDS = 8  # CPython 3.11 specialises a function at its eighth call


class _StandIn(First):
    """A first process that is none. Its pid is our own, which nobody reaps."""

    def __init__(self) -> None:
        self.own_pids = False

    def prepare(self, config: Message, *, mounted: bool) -> None:
        pass

    def start(self, stdio: tuple[int, int, int], netns: int | None, owned: Sequence[int]) -> Answer:
        return {"pid": os.getpid(), "oom_kills": 0}, []


def rehearse(folder: str) -> Iterator[None]:
    """Play ROUNDS lives in `folder`, which is made and removed; one a step. No signal is used, none is lost.

    Raises OSError and EngineError; the engine works without, a little slower.
    """
    shutil.rmtree(folder, ignore_errors=True)  # left by one that was killed in the middle
    os.makedirs(folder, 0o700)
    try:
        for number in range(ROUNDS):
            _live(os.path.join(folder, str(number)))
            warm_up()
            in_child(_warm_answer)
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _live(folder: str) -> None:
    os.makedirs(folder, 0o700)
    paths = {"bundle": folder, "run": f"{folder}/run", "journal": f"{folder}/journal", "log": f"{folder}/log"}
    message = {"id": "0" * 64, **paths, "rootfs": {"lower": [folder]}, "restart": {"name": "no", "max": 0}}
    config = ShimConfig.from_message(message)
    engine, link = packets.pair()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        packets.send(engine, {"op": "hello", "n": 1, "version": 1})
        packets.send(engine, {"op": "attach", "n": 2, "stdin": True}, [theirs.fileno()])
        packets.send(engine, {"op": "start", "n": 3})
        loop, reaper = Loop(), Reaper()
        first, second = _Engine(reaper, restarts=True), _Engine(reaper, restarts=False)
        loop.watch(engine.fileno(), READ, partial(first.hears, loop, engine, f"{folder}/run", second))
        task = Task(config, message, _StandIn())
        task.prepare()
        Supervisor(config, link, task, loop, reaper).run()
        loop.close()


class _Engine:
    """One that greets, hears that the container runs, goes, and comes again to hear the end."""

    def __init__(self, reaper: Reaper, *, restarts: bool) -> None:
        self._reaper = reaper
        self._restarts = restarts

    def hears(self, loop: Loop, sock: socket.socket, run: str, successor: _Engine, _: int) -> None:
        received = packets.receive(sock)
        message = received[0] if received else {}
        if "seq" in message:
            packets.send(sock, {"op": "ack", "seq": message["seq"]})
        if received is None or (self._restarts and message.get("event") == "started"):
            loop.forget(sock.fileno())
            sock.close()
        if self._restarts and message.get("event") == "started":
            loop.call_later(0, partial(successor.comes, loop, run))

    def comes(self, loop: Loop, run: str) -> None:
        folder = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(f"/proc/self/fd/{folder}/shim.sock")
        os.close(folder)
        packets.send(sock, {"op": "hello", "n": 1, "version": 1})
        packets.send(sock, {"op": "watch-log", "n": 2, "on": True})
        loop.watch(sock.fileno(), READ, partial(self.hears, loop, sock, run, self))
        loop.call_later(0, lambda: self._reaper.ended(os.getpid(), 0))


def _warm_answer() -> Answer:
    warm_up()
    return {}, []
