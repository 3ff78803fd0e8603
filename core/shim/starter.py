"""What takes much memory to do, done in a child of the shim that ends at once.

Reading the specification, planning and launching touch, and so copy, megabytes that the shim shares with the
zygote; an idle shim must be small. The shim is a subreaper: what the child has started becomes the shim's
when the child ends.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from core import cgroups, packets
from core.cgroups import Cgroup
from core.cgroups.files import close_all
from core.errors import SystemFailure, from_wire, to_wire
from core.linux.constants import CLONE_NEWPID
from core.linux.mounts import mount_overlay
from core.linux.namespaces import children_in
from core.linux.process import set_parent_death_signal
from core.oci.runtime import Process, Resources, Spec, decode
from core.packets import Message
from core.runtime import create, users
from core.runtime import exec as execution
from core.runtime.handshake import FirstProcess, died
from core.shim.protocol import ShimConfig

_SPEC_LIMIT = 4 * 1024 * 1024

Answer = tuple[Message, list[int]]


def in_child(work: Callable[[], Answer]) -> Answer:
    """Do `work` in a forked child and return what it returns. Raises what it raises, SystemFailure if it dies.

    After a success the child is left to the caller's reaper: giving its memory back takes it a millisecond or two.
    """

    def answer(sock: socket.socket) -> None:
        packets.send(sock, *work())

    with _forked(answer) as (pid, ours):
        received = _received(pid, ours)
    if received is None:
        raise SystemFailure("start process: its launcher died")
    return received


def become_first(work: Callable[[socket.socket], None]) -> Answer:
    """Have a forked child do `work`, which makes it the first process of a new pid namespace and container.

    Its answer, to which its pid is added, and the terminal's master. Raises as `Launch.wait_exec`.
    """
    with children_in(CLONE_NEWPID), _forked(work) as (pid, ours):
        received = _received(pid, ours)
        if received is None:
            raise died(os.waitpid(pid, 0)[1])
        answer, master = received
        try:
            _received(pid, ours)  # the end, or what became of the execve
        except BaseException:
            close_all(master)
            raise
    return {**answer, "pid": pid}, master


@contextmanager
def _forked(work: Callable[[socket.socket], None]) -> Iterator[tuple[int, socket.socket]]:
    ours, theirs = packets.pair()
    with ours:
        pid = os.fork()
        if pid == 0:
            _work(work, theirs.detach())
        theirs.close()
        yield pid, ours


def _received(pid: int, ours: socket.socket) -> Answer | None:
    """What the child says next, None for its end. Raises the error that it reports, with the child reaped."""
    received = packets.receive(ours)
    if received is not None and "error" in received[0]:
        os.waitpid(pid, 0)
        raise from_wire(received[0]["error"])
    return received


def _work(work: Callable[[socket.socket], None], reply: int) -> None:
    """In the child. Never returns."""
    try:
        set_parent_death_signal(signal.SIGKILL)  # nobody would own what it starts
        signal.set_wakeup_fd(-1)  # the shim's, which would hear of our children
        sock = socket.socket(fileno=reply)
        try:
            work(sock)
        except Exception as error:
            packets.send(sock, {"error": to_wire(error)})
    finally:
        os._exit(0)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the container's first process. `owned` are the pipes that belong to its user afterwards."""

    config: ShimConfig
    mounted: bool
    stdio: tuple[int, int, int]
    netns: int | None
    owned: tuple[int, ...]

    def run(self) -> Answer:
        """Mount the root (unless `mounted`), make the cgroup, start: `{pid, oom_kills}` and the terminal's master.

        Raises InitFailed (126, 127 where the program is at fault), InvalidSpec, SyscallFailed.
        """
        if self.config.own_pids:
            return become_first(self._become)  # a process less, and its memory is made ready once
        return in_child(self._launch)

    def _become(self, sock: socket.socket) -> None:
        spec, arguments, before = self._prepare()
        create.become(spec, FirstProcess(sock, {"oom_kills": before}), **arguments)

    def _launch(self) -> Answer:
        spec, arguments, before = self._prepare()
        launched = create.launch(spec, **arguments)
        master = launched.wait_exec()
        return {"pid": launched.pid, "oom_kills": before}, [] if master is None else [master]

    def _prepare(self) -> tuple[Spec, dict[str, Any], int]:
        config = self.config
        rootfs = os.path.join(config.bundle, "rootfs")
        if not self.mounted:
            _mount(config, rootfs)
        with open(os.path.join(config.bundle, "config.json"), "rb") as file:
            spec = Spec.from_json(file.read(_SPEC_LIMIT))
        cgroup = _cgroup(config, spec.linux.resources)
        before = cgroup.oom_kills() if cgroup else 0
        root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        process = resolved(spec.process, root, config.user, config.groups, home=config.default_home)
        os.close(root)
        _own(self.owned, process.user.uid)
        arguments = {
            "bundle": config.bundle,
            "rootfs": rootfs,
            "stdio": self.stdio,
            "netns_fd": self.netns,
            "cgroup": cgroup,
        }
        return replace(spec, process=process), arguments, before


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
