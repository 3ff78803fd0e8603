"""A shim's life played a few times in the zygote, without a container, before anything is forked.

What the interpreter makes on first use (type hints of the specification, specialised bytecode, caches) is
then shared by every shim instead of being made in each: starts take less time, idle shims less memory.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from functools import partial

from core import cgroups, packets
from core.cgroups import CgroupView
from core.oci.runtime import Spec, encode
from core.runtime import spec_defaults as defaults
from core.runtime import users
from core.runtime.plan import plan
from core.shim.loop import READ, Loop
from core.shim.protocol import ShimConfig
from core.shim.reaper import Reaper
from core.shim.starter import in_child
from core.shim.stdio import Channels, open_pipes
from core.shim.supervisor import Supervisor
from core.shim.task import Task

ROUNDS = 8  # CPython 3.11 specialises a function at its eighth call

_PROCESS = {"args": ["/bin/true"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}


class _StandIn(Task):
    """A task without a process. Its pid is our own, which nobody reaps."""

    def start(self) -> Channels:
        channels, ends = open_pipes(stdin=True)
        ends.close()
        self.pid = os.getpid()
        self.started_at = "rehearsed"
        return channels


def rehearse(folder: str) -> Iterator[None]:
    """Play ROUNDS lives in `folder`, which is made and removed; one a step. No signal is used, none is lost.

    Raises OSError and EngineError; the engine works without, a little slower.
    """
    shutil.rmtree(folder, ignore_errors=True)  # left by one that was killed in the middle
    os.makedirs(folder, 0o700)
    try:
        for number in range(ROUNDS):
            _live(os.path.join(folder, str(number)))
            _prepare(_specification())
            in_child(partial(_prepare, _specification()))
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _live(folder: str) -> None:
    os.makedirs(folder, 0o700)
    paths = {"bundle": folder, "run": f"{folder}/run", "journal": f"{folder}/journal", "log": f"{folder}/log"}
    config = ShimConfig.from_message({"id": "0" * 64, **paths, "rootfs": {"lower": [folder]}})
    engine, link = packets.pair()
    ours, theirs = socket.socketpair()
    with engine, ours, theirs:
        packets.send(engine, {"op": "hello", "n": 1, "version": 1})
        packets.send(engine, {"op": "attach", "n": 2, "stdin": True}, [theirs.fileno()])
        packets.send(engine, {"op": "start", "n": 3})
        packets.send(engine, {"op": "watch-log", "n": 4, "on": True})
        loop, reaper = Loop(), Reaper()
        loop.watch(engine.fileno(), READ, partial(_play_engine, engine, reaper))
        Supervisor(config, link, _StandIn(config), loop, reaper).run()
        loop.close()


def _play_engine(engine: socket.socket, reaper: Reaper, _: int) -> None:
    received = packets.receive(engine)
    message = received[0] if received else {}
    if "seq" in message:
        packets.send(engine, {"op": "ack", "seq": message["seq"]})
    if message.get("event") == "started":
        reaper.ended(os.getpid(), 0)


def _prepare(text: bytes) -> tuple[dict[str, object], list[int]]:
    """The launcher's part as far as it needs no container."""
    spec = Spec.from_json(text)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        users.resolve(root, "")
    finally:
        os.close(root)
    plan(spec, bundle="/", cgroup=CgroupView(1), seccomp=None)
    cgroups.detect()
    return {}, []


def _specification() -> bytes:
    document = {
        "root": {"path": "rootfs"},
        "process": {**_PROCESS, "capabilities": {"bounding": list(defaults.CAPABILITIES)}},
        "mounts": encode(defaults.mounts(shm_size=1 << 20)),
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount", "network", "cgroup")],
            "devices": encode(defaults.DEVICES),
            "resources": {"memory": {"limit": 1 << 30}, "devices": encode(defaults.device_rules())},
            "maskedPaths": list(defaults.MASKED_PATHS),
            "readonlyPaths": list(defaults.READONLY_PATHS),
        },
    }
    return json.dumps(document).encode()
