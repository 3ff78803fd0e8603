"""Giving birth to a container: plan, fork inside the new pid namespace, cgroup, `go`, and the wait for its exec."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from core import packets
from core.cgroups.files import close_all
from core.cgroups.model import Cgroup, CgroupView
from core.errors import InvalidSpec, SyscallFailed
from core.linux.constants import CLONE_NEWPID
from core.linux.namespaces import KINDS, children_in
from core.linux.process import set_dumpable
from core.oci.runtime import Process, Spec
from core.runtime import init
from core.runtime.filter import compile_seccomp
from core.runtime.handshake import Init, Launcher, died
from core.runtime.init import Surroundings
from core.runtime.plan import plan
from core.runtime.steps import Plan

SECCOMP_ANNOTATION = "io.onggi.seccomp.program"
_PROGRAM_LIMIT = 32 * 1024  # bytes; BPF_MAXINSNS is 4096 instructions of 8


@dataclass(slots=True)
class Launch:
    """A process on its way to its program. `pid` is as the caller sees it; it is the caller's child."""

    pid: int
    channel: Launcher
    warnings: list[str] = field(default_factory=list)

    def wait_exec(self) -> int | None:
        """Block until the program runs; the terminal's master (now the caller's) where the process has one.

        Raises InitFailed (exit code 126 or 127 where the program is at fault) and other errors of init's; the
        process is reaped then.
        """
        try:
            ready = self.channel.wait_ready()
            if ready and not self.channel.wait_ready():
                self.warnings = self.channel.warnings
                return self.channel.console
        except BaseException:
            self.abandon()
            raise
        finally:
            self.channel.close()
        raise died(self._reap())

    def wait_ready(self) -> int | None:
        """The same for a launch with a gate: block until it waits there."""
        try:
            if self.channel.wait_ready():
                return self.channel.console
        except BaseException:
            self.abandon()
            raise
        finally:
            self.channel.close()
        raise died(self._reap())

    def abandon(self) -> None:
        """End a process that did not get to its program."""
        if self.channel.console is not None:
            os.close(self.channel.console)
            self.channel.console = None
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass
        self._reap()

    def _reap(self) -> int:
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return 0


def launch(
    spec: Spec,
    *,
    bundle: str,
    rootfs: str,
    stdio: tuple[int, int, int],
    netns_fd: int | None = None,
    cgroup: Cgroup | None = None,
    gate: socket.socket | None = None,
    preserve: Sequence[int] = (),
) -> Launch:
    """Start the container's first process in `rootfs`, a mounted root file system.

    With `process.terminal` its streams are a terminal of the container's own devpts, whose master
    `Launch.wait_exec` returns; else they are `stdio`. `netns_fd` is joined in place of a new network namespace.
    Numbers of users are resolved before (`core.runtime.users`). Call from a process of one thread.
    Raises InvalidSpec, Unsupported, SyscallFailed.
    """
    steps, spec = _planned(spec, bundle, netns_fd, cgroup, gate=gate is not None)
    flags, joined = _birth(spec)
    try:
        around = Surroundings(rootfs, stdio, gate=gate, preserve=tuple(preserve))
        return give_birth(steps, around, flags=flags, joined=joined, cgroup=cgroup, process=spec.process)
    finally:
        if joined is not None:
            os.close(joined)


def become(
    spec: Spec,
    channel: Init,
    *,
    bundle: str,
    rootfs: str,
    stdio: tuple[int, int, int],
    netns_fd: int | None = None,
    cgroup: Cgroup | None = None,
) -> NoReturn:
    """The same in this process, born as the first of a new pid namespace, instead of in a child.

    What it has to tell goes over `channel`. Raises InvalidSpec, Unsupported, SyscallFailed before it has begun.
    """
    steps, spec = _planned(spec, bundle, netns_fd, cgroup, gate=False)
    if _birth(spec) != (CLONE_NEWPID, None):
        raise InvalidSpec("the container's first process was born for a pid namespace of its own, and no other")
    set_dumpable(False)
    try:
        doors = tuple(cgroup.doors()) if cgroup else ()
    except OSError as error:
        raise SyscallFailed("open cgroup", error.filename or "", error.errno or 0) from error
    around = Surroundings(rootfs, stdio, doors=doors, oom_score_adj=spec.process.oom_score_adj)
    init.run(steps, around, channel, lambda: -1)


def _planned(
    spec: Spec, bundle: str, netns_fd: int | None, cgroup: Cgroup | None, *, gate: bool
) -> tuple[Plan, Spec]:
    """The steps, and the specification that they are of."""
    if netns_fd is not None:
        spec = _joining(spec, netns_fd)
    view = cgroup.view() if cgroup else CgroupView(1)
    return plan(spec, bundle=bundle, cgroup=view, seccomp=seccomp_program(spec), gate=gate), spec


def _joining(spec: Spec, netns_fd: int) -> Spec:
    namespaces = tuple(
        replace(item, path=f"/proc/self/fd/{netns_fd}") if item.type == "network" else item
        for item in spec.linux.namespaces
    )
    return replace(spec, linux=replace(spec.linux, namespaces=namespaces))


def _birth(spec: Spec) -> tuple[int, int | None]:
    """Flags of the namespaces a child is born into, and a pid namespace to be joined."""
    flags, joined = 0, None
    for item in spec.linux.namespaces:
        if item.type == "pid" and item.path:
            joined = _open(item.path)
        elif item.type in ("pid", "time"):
            flags |= KINDS[item.type][0]
    return flags, joined


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SyscallFailed.of("open namespace", error) from error


def seccomp_program(spec: Spec) -> bytes | None:
    """The filter to load: the compiled file that an annotation names, else `linux.seccomp` compiled."""
    path = spec.annotations.get(SECCOMP_ANNOTATION)
    if path is None:
        if spec.linux.seccomp is None:
            return None
        return compile_seccomp(spec.linux.seccomp, os.uname().machine)
    try:
        with open(path, "rb") as file:
            program = file.read(_PROGRAM_LIMIT + 1)
    except OSError as error:
        raise SyscallFailed.of("read seccomp program", error) from error
    if not program or len(program) % 8 or len(program) > _PROGRAM_LIMIT:
        raise InvalidSpec(f"seccomp program {path} is damaged")
    return program


def give_birth(
    steps: Plan,
    around: Surroundings,
    *,
    flags: int,
    joined: int | None,
    cgroup: Cgroup | None,
    process: Process,
    before: Callable[[], int] = lambda: -1,
) -> Launch:
    """Fork the process that does `steps`; it goes into its cgroup by itself."""
    # Before the fork: a process born into a running container is seen there at once, and the flag is inherited.
    set_dumpable(False)
    ours, theirs = packets.pair()
    doors: list[int] = []
    try:
        doors = cgroup.doors() if cgroup else []
        around = replace(around, doors=tuple(doors), oom_score_adj=process.oom_score_adj)
        with children_in(flags, joined):
            pid = os.fork()
            if pid == 0:
                init.run(steps, around, Init(theirs), before)
    except OSError as error:
        ours.close()
        raise SyscallFailed.of("start process", error) from error
    finally:
        theirs.close()
        close_all(doors)
    return Launch(pid, Launcher(ours))
