"""What takes much memory to do, done in a child of the shim that ends at once.

Reading the specification, planning and launching touch, and so copy, megabytes that the shim shares with the
zygote; an idle shim must be small. The shim is a subreaper: what the child has started becomes the shim's
when the child ends.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace

from core import cgroups, packets
from core.cgroups import Cgroup
from core.errors import SystemFailure, from_wire, to_wire
from core.linux.mounts import mount_overlay
from core.linux.process import set_parent_death_signal
from core.oci.runtime import Process, Resources, Spec, decode
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


def start(
    config: ShimConfig, *, mounted: bool, stdio: tuple[int, int, int], netns: int | None, owned: tuple[int, ...]
) -> Answer:
    """Mount the root (unless `mounted`), make the cgroup, launch: `{pid, oom_kills}` and the terminal's master.

    `owned` are the pipes that belong to the container's user afterwards. Raises InitFailed (126, 127 where the
    program is at fault), InvalidSpec, SyscallFailed.
    """
    rootfs = os.path.join(config.bundle, "rootfs")
    if not mounted:
        _mount(config, rootfs)
    with open(os.path.join(config.bundle, "config.json"), "rb") as file:
        spec = Spec.from_json(file.read(_SPEC_LIMIT))
    cgroup = _cgroup(config, spec.linux.resources)
    before = cgroup.oom_kills() if cgroup else 0
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    process = resolved(spec.process, root, config.user, config.groups, home=config.default_home)
    _own(owned, process.user.uid)
    launched = create.launch(
        replace(spec, process=process),
        bundle=config.bundle,
        rootfs=rootfs,
        stdio=stdio,
        netns_fd=netns,
        cgroup=cgroup,
    )
    master = launched.wait_exec()
    return {"pid": launched.pid, "oom_kills": before}, [] if master is None else [master]


def _mount(config: ShimConfig, rootfs: str) -> None:
    os.makedirs(rootfs, 0o700, exist_ok=True)
    mount_overlay(config.rootfs.lower, config.rootfs.upper, config.rootfs.work, rootfs)


def _cgroup(config: ShimConfig, resources: Resources | None) -> Cgroup | None:
    return cgroups.detect().create(config.cgroup, resources or Resources()) if config.cgroup else None


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
    with open(os.path.join(config.bundle, "config.json"), "rb") as file:
        spec = Spec.from_json(file.read(_SPEC_LIMIT))
    root = os.open(f"/proc/{init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    groups = tuple(map(str, message.get("groups") or ()))
    process = resolved(process, root, str(message.get("user") or ""), groups, home=config.default_home)
    _own(owned, process.user.uid)
    launched = execution.enter(
        replace(process, terminal=bool(message.get("tty"))),
        pidfd=pidfd,
        stdio=stdio,
        cgroup=cgroups.detect().open(config.cgroup) if config.cgroup else None,
        seccomp_program=create.seccomp_program(spec),
    )
    master = launched.wait_exec()
    return {"pid": launched.pid}, [] if master is None else [master]


def resolved(process: Process, root: int, user: str, groups: tuple[str, ...], *, home: bool) -> Process:
    """`process` with the user's numbers and, with `home`, HOME: both from the container's own passwd."""
    found = users.resolve(root, user, groups)
    env = process.env
    if home and not any(entry.startswith("HOME=") for entry in env):
        env = (*env, f"HOME={found.home}")
    return replace(process, user=replace(found.user, umask=process.user.umask), env=env)


def _own(pipes: tuple[int, ...], uid: int) -> None:
    """Let a process that is not root open /dev/stdout anew."""
    for fd in pipes:
        os.fchown(fd, uid, -1)
