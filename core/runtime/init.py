"""The container's first process from its fork to its exec: does the steps of a plan, one after the other.

It decides nothing. It runs in a process that is about to be the container's, so it imports nothing once it has
begun (from pivot_root on an import would be looked for in the image), keeps no descriptor, and does not return.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from core import cgroups
from core.errors import EngineError, InitFailed, SyscallFailed
from core.linux import caps, process, pty, seccomp
from core.linux.namespaces import KINDS, set_link_up
from core.linux.syscalls import setdomainname, setns, unshare
from core.runtime import program
from core.runtime import steps as do
from core.runtime.handshake import Init
from core.runtime.mounting import Root

_TO_EXECUTE = b"ONGGI_EXEC"  # the variable that tells `--init` what to start
_WORDS = 300  # characters of a failed step's description


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the launcher hands over beside the plan: descriptors and paths of the host's."""

    rootfs: str
    stdio: tuple[int, int, int]
    gate: socket.socket | None = None
    preserve: tuple[int, ...] = ()
    doors: tuple[int, ...] = ()
    oom_score_adj: int | None = None


class Performer:
    """Does steps. The state is what one step leaves for a later one."""

    def __init__(self, around: Surroundings, channel: Init, root_fd: int) -> None:
        self._around = around
        self._channel = channel
        self._root = Root(around.rootfs, channel)
        self._root.fd = root_fd
        self._program = ""
        self._table: dict[type[do.Step], Callable[[Any], None]] = {
            do.Join: self._join,
            do.Unshare: self._unshare,
            do.OpenRoot: self._root.open,
            do.MakeMount: self._root.make_mount,
            do.BindMount: self._root.bind,
            do.MakeNode: self._root.make_node,
            do.MakeLink: self._root.make_link,
            do.OpenConsole: self._root.open_console,
            do.MakeFolder: self._root.make_folder,
            do.Protect: self._root.protect,
            do.Mask: self._root.mask,
            do.SealRoot: self._root.seal,
            do.PivotRoot: self._root.pivot,
            do.SetHostname: self._set_hostname,
            do.SetSysctl: self._root.set_sysctl,
            do.NewSession: self._new_session,
            do.SetLimit: self._set_limit,
            do.EnterFolder: self._root.enter_folder,
            do.NoNewPrivs: lambda step: process.set_no_new_privs(),
            do.LoadFilter: lambda step: seccomp.load(step.program, step.flags),
            do.BecomeUser: self._become_user,
            do.FindProgram: self._find_program,
            do.WaitAtGate: self._wait_at_gate,
            do.Execute: self._execute,
            do.ExecuteUnder: self._execute_under,
        }

    def perform(self, step: do.Step) -> None:
        """Do one. Raises InitFailed with the step's own words in front."""
        try:
            self._table[type(step)](step)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InitFailed(f"{_shortened(str(step))}: {reason}") from error

    def _join(self, step: do.Join) -> None:
        fd = os.open(step.path, os.O_RDONLY | os.O_CLOEXEC)
        setns(fd, KINDS[step.kind][0])
        os.close(fd)

    def _unshare(self, step: do.Unshare) -> None:
        flags = 0
        for kind in step.kinds:
            flags |= KINDS[kind][0]
        unshare(flags)
        if "network" in step.kinds:
            set_link_up("lo")

    def _set_hostname(self, step: do.SetHostname) -> None:
        if step.hostname:
            socket.sethostname(step.hostname)
        if step.domainname:
            setdomainname(step.domainname)

    def _new_session(self, step: do.NewSession) -> None:
        console = self._root.console
        stdio = self._around.stdio if console is None else (console, console, console)
        for number, fd in enumerate(_out_of_the_way(stdio)):
            os.dup2(fd, number, inheritable=True)
        os.setsid()
        if console is not None:
            pty.make_controlling(0)
        process.join_session_keyring()

    def _set_limit(self, step: do.SetLimit) -> None:
        try:
            resource.prlimit(0, step.resource, (step.soft, step.hard))
        except PermissionError:
            # Without CAP_SYS_RESOURCE not even root may raise one: as much as it may.
            most = resource.prlimit(0, step.resource)[1]
            soft = most if step.soft == -1 or step.soft > most else step.soft
            resource.prlimit(0, step.resource, (soft, most))
            self._channel.warn(f"{step}: may not go above {most}")

    def _become_user(self, step: do.BecomeUser) -> None:
        os.umask(step.umask)
        available = caps.bounding()
        caps.drop_bounding(step.bounding)
        caps.keep_over_setuid()
        os.setgroups(step.groups)
        os.setresgid(step.gid, step.gid, step.gid)
        os.setresuid(step.uid, step.uid, step.uid)
        sets = (step.effective & available, step.permitted & available, step.inheritable & available)
        caps.set_process(*sets)
        caps.set_ambient(step.ambient & available)

    def _find_program(self, step: do.FindProgram) -> None:
        self._program = program.look_up(step.name, step.search)

    def _wait_at_gate(self, step: do.WaitAtGate) -> None:
        assert self._around.gate is not None
        self._channel.ready()
        self._channel.sock.close()
        accepted, _ = self._around.gate.accept()
        self._around.gate.close()
        self._channel.sock = accepted

    def _execute(self, step: do.Execute) -> None:
        self._channel.ready()
        try:
            os.execve(self._program, step.args, dict(step.env))
        except OSError as error:
            raise program.cannot(self._program, "", error.errno or errno.EIO) from error

    def _execute_under(self, step: do.ExecuteUnder) -> None:
        self._channel.ready()
        # Last, where it is looked for and taken away; it has no way to look a program up.
        env = {name: value for name, value in step.env if name != _TO_EXECUTE}
        env[_TO_EXECUTE] = os.fsencode(self._program)
        try:
            os.execve(step.init, (os.fsencode(step.init), b"--", *step.args), env)
        except OSError as error:
            raise program.cannot(step.init, "", error.errno or errno.EIO) from error


def _shortened(words: str) -> str:
    """A path may have 4 KiB; the line that a user reads may not."""
    return words if len(words) <= _WORDS else f"{words[:_WORDS]}..."


def run(plan: do.Plan, around: Surroundings, channel: Init, before: Callable[[], int]) -> NoReturn:
    """Do the plan in this process, which was just forked or will do nothing else any more.

    `before` enters a running container and returns a descriptor of its root; for a new one there is none yet (-1).
    """
    code = 1
    try:
        _harden()
        code = _perform(plan, around, channel, before)
    finally:
        os._exit(code)


def _perform(plan: do.Plan, around: Surroundings, channel: Init, before: Callable[[], int]) -> int:
    try:
        _settle_in(around, channel)
        root_fd = before()
        _forget_imports()
        performer = Performer(around, channel, root_fd)
        process.close_on_exec_from(3)
        for fd in around.preserve:
            os.set_inheritable(fd, True)
        for step in plan:
            performer.perform(step)
    except EngineError as error:
        channel.fail(error)
    except Exception as error:
        channel.fail(InitFailed(f"start container: {type(error).__name__}: {error}"))
    return 1


def _settle_in(around: Surroundings, channel: Init) -> None:
    """First of all: what follows is counted in the container's cgroup."""
    try:
        cgroups.enter(around.doors)
    except OSError as error:
        raise SyscallFailed.of("put process into its cgroup", error) from error
    if around.oom_score_adj is not None:
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write(str(around.oom_score_adj))
        except PermissionError:
            # Lowering it takes CAP_SYS_RESOURCE, which some machines deny even root.
            channel.warn(f"set oom_score_adj: {around.oom_score_adj} is not permitted")


def _harden() -> None:
    """Nothing of the shim's is collected, no signal state stays. That nobody may trace us is inherited."""
    gc.disable()
    signal.set_wakeup_fd(-1)
    process.reset_signals()
    os.umask(0)


def _forget_imports() -> None:
    """From here on a forgotten import fails instead of running what the image holds under that name."""
    sys.path.clear()
    sys.meta_path.clear()
    sys.path_hooks.clear()


def _out_of_the_way(fds: tuple[int, int, int]) -> list[int]:
    """The same descriptors above 2, so that filling 0 to 2 overwrites none of them."""
    moved = {fd: os.dup(fd) if fd < 3 else fd for fd in fds}
    while any(fd < 3 for fd in moved.values()):
        moved = {key: os.dup(fd) if fd < 3 else fd for key, fd in moved.items()}
    return [moved[fd] for fd in fds]
