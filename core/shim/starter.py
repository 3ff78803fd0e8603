"""A further process in a running container, made in a child of the shim that ends at once.

Reading the specification, planning and launching touch, and so copy, megabytes that the shim shares with the
zygote; an idle shim must be small. The shim is a subreaper: what the child has started becomes the shim's
when the child ends.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace

from core import cgroups, packets
from core.errors import SystemFailure, from_wire, to_wire
from core.linux.process import set_parent_death_signal
from core.oci.runtime import Process, Spec, decode
from core.packets import Message
from core.runtime import create, users
from core.runtime import exec as execution
from core.shim.protocol import ShimConfig

_SPEC_LIMIT = 4 * 1024 * 1024

Answer = tuple[Message, list[int]]


def in_child(work: Callable[[], Answer]) -> Answer:
    """Do `work` in a forked child and return what it returns. Raises what it raises, SystemFailure if it dies.

    After a success the child is left to the caller's reaper: giving its memory back takes it a millisecond or two.
    """
    ours, theirs = packets.pair()
    with ours:
        pid = os.fork()
        if pid == 0:
            _work(work, theirs.detach())
        theirs.close()
        received = None
        try:
            received = packets.receive(ours)
        finally:
            if received is None or "error" in received[0]:
                os.waitpid(pid, 0)
    if received is None:
        raise SystemFailure("start process: its launcher died")
    answer, fds = received
    if "error" in answer:
        raise from_wire(answer["error"])
    return answer, fds


def _work(work: Callable[[], Answer], reply: int) -> None:
    """In the child. Never returns."""
    try:
        set_parent_death_signal(signal.SIGKILL)  # nobody would own what it starts
        signal.set_wakeup_fd(-1)  # the shim's, which would hear of our children
        sock = socket.socket(fileno=reply)
        try:
            packets.send(sock, *work())
        except Exception as error:
            packets.send(sock, {"error": to_wire(error)})
    finally:
        os._exit(0)


def enter(
    config: ShimConfig,
    message: Message,
    *,
    init_pid: int,
    pidfd: int,
    stdio: tuple[int, int, int],
    owned: tuple[int, ...],
) -> Answer:
    """Run `message["process"]` in the running container: `{pid}` and the terminal's master. Raises as `start`."""
    process = decode(message["process"], Process, "process")
    spec = specification(config.bundle)
    root = os.open(f"/proc/{init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    groups = tuple(map(str, message.get("groups") or ()))
    process = resolved(process, root, str(message.get("user") or ""), groups, home=config.default_home)
    own(owned, process.user.uid)
    launched = execution.enter(
        replace(process, terminal=bool(message.get("tty"))),
        pidfd=pidfd,
        stdio=stdio,
        cgroup=cgroups.detect().open(config.cgroup) if config.cgroup else None,
        seccomp_program=create.seccomp_program(spec),
    )
    master = launched.wait_exec()
    return {"pid": launched.pid}, [] if master is None else [master]


def specification(bundle: str) -> Spec:
    """What the bundle holds. Raises InvalidSpec, OSError."""
    with open(os.path.join(bundle, "config.json"), "rb") as file:
        return Spec.from_json(file.read(_SPEC_LIMIT))


def resolved(process: Process, root: int, user: str, groups: tuple[str, ...], *, home: bool) -> Process:
    """`process` with the user's numbers and, with `home`, HOME: both from the container's own passwd."""
    found = users.resolve(root, user, groups)
    env = process.env
    if home and not any(entry.startswith("HOME=") for entry in env):
        env = (*env, f"HOME={found.home}")
    return replace(process, user=replace(found.user, umask=process.user.umask), env=env)


def own(pipes: Iterable[int], uid: int) -> None:
    """Let a process that is not root open /dev/stdout anew."""
    for fd in pipes:
        os.fchown(fd, uid, -1)
