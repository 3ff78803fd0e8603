"""The OCI runtime's operations: create, start, state, kill, delete, exec. runtime-spec runtime.md, "Operations".

Between `create` and `start` the container's first process waits in accept(2) on a socket in its state folder.
"""

from __future__ import annotations

import array
import os
import signal
import socket
from dataclasses import dataclass, replace

from core import cgroups
from core.errors import InvalidArgument, InvalidSpec, NotFound, SyscallFailed, WrongState
from core.oci.runtime import Process, Resources, Spec
from core.runtime.create import Launch, launch, seccomp_program
from core.runtime.exec import enter
from core.runtime.handshake import Launcher
from core.runtime.spec_defaults import with_default_devices
from core.runtime.state import GATE, State, States, process_start_time

_SPEC_LIMIT = 4 * 1024 * 1024  # bytes
_GATE_PATH = "/proc/self/fd/{}/" + GATE  # a socket's name is at most 107 bytes, a state folder's may be longer


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a new process's terminal goes, which file gets its pid, how many descriptors from 3 on it keeps."""

    console_socket: str = ""
    pid_file: str = ""
    preserve_fds: int = 0


def load_spec(bundle: str) -> Spec:
    """The bundle's config.json. Raises InvalidSpec, SyscallFailed."""
    try:
        with open(os.path.join(bundle, "config.json"), "rb") as file:
            data = file.read(_SPEC_LIMIT + 1)
    except OSError as error:
        raise SyscallFailed.of("read", error) from error
    if len(data) > _SPEC_LIMIT:
        raise InvalidSpec("config.json is larger than 4 MiB")
    return with_default_devices(Spec.from_json(data))


def create(states: States, ident: str, bundle: str, streams: Streams) -> None:
    """Everything but the program. Raises any error of `launch`, NameInUse."""
    bundle = os.path.realpath(bundle)
    spec = load_spec(bundle)
    if spec.process.terminal != bool(streams.console_socket):
        raise InvalidSpec("a terminal and --console-socket come together")
    folder = states.reserve(ident)
    path = "/" + (spec.linux.cgroups_path or f"onggi/{ident}").strip("/")
    group = None
    try:
        group = cgroups.detect().create(path, spec.linux.resources or Resources())
        with _gate(folder) as gate:
            launched = launch(
                spec,
                bundle=bundle,
                rootfs=os.path.join(bundle, spec.root.path),
                stdio=(0, 1, 2),
                cgroup=group,
                gate=gate,
                preserve=range(3, 3 + streams.preserve_fds),
            )
            console = launched.wait_ready()
        _hand_over(launched, console, streams)
        states.store(State(ident, bundle, launched.pid, process_start_time(launched.pid), path, spec.annotations))
    except BaseException:
        if group is not None:
            group.kill()
            group.delete()
        states.remove(ident)
        raise


def _gate(folder: str) -> socket.socket:
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        gate.bind(_GATE_PATH.format(fd))
        gate.listen(1)
    finally:
        os.close(fd)
    return gate


def _hand_over(launched: Launch, console: int | None, streams: Streams) -> None:
    """Send the terminal's master away and write the pid file."""
    try:
        if console is not None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(streams.console_socket)
                rights = array.array("i", [console])
                sock.sendmsg([b"/dev/ptmx"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            os.close(console)
        if streams.pid_file:
            temporary = f"{streams.pid_file}.new"
            with open(temporary, "w", encoding="ascii") as file:
                file.write(str(launched.pid))
            os.replace(temporary, streams.pid_file)
    except OSError as error:
        launched.abandon()
        raise SyscallFailed.of("hand over process", error) from error


def start(states: States, ident: str) -> None:
    """Let the program run. Raises WrongState, InitFailed."""
    state = states.load(ident)
    if state.status != "created":
        raise WrongState(f"cannot start a container that is {state.status}")
    fd = os.open(states.folder(ident), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    channel = Launcher(gate)
    try:
        gate.connect(_GATE_PATH.format(fd))
        if not channel.wait_ready() or channel.wait_ready():
            raise WrongState(f"container {ident} ended before its program ran")
        states.mark_started(state)
    except OSError as error:
        raise SyscallFailed.of("start container", error) from error
    finally:
        os.close(fd)
        channel.close()


def kill(states: States, ident: str, name: str, *, everything: bool = False) -> None:
    """Send a signal to the first process, or with `everything` to all. Raises WrongState, InvalidArgument."""
    number = signal_number(name)
    state = states.load(ident)
    if everything and number == signal.SIGKILL:
        cgroups.detect().open(state.cgroup).kill()
        return
    if state.status == "stopped":
        raise WrongState("container not running")
    pids = cgroups.detect().open(state.cgroup).pids() if everything else [state.pid]
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def signal_number(name: str) -> int:
    """`9`, `KILL` or `SIGKILL`. Raises InvalidArgument."""
    try:
        number = int(name) if name.isdigit() else signal.Signals["SIG" + name.upper().removeprefix("SIG")].value
    except KeyError:
        raise InvalidArgument(f"unknown signal {name!r}") from None
    if not 0 < number <= 64:
        raise InvalidArgument(f"unknown signal {name!r}")
    return number


def delete(states: States, ident: str, *, force: bool = False) -> None:
    """Forget a stopped container and its cgroup; with `force` end it first. Raises WrongState, NoSuchContainer."""
    try:
        state = states.load(ident)
    except NotFound:
        if force:
            states.remove(ident)
            return
        raise
    group = cgroups.detect().open(state.cgroup)
    if state.status != "stopped":
        if not force and state.status == "running":
            raise WrongState(f"cannot delete container {ident} that is not stopped: {state.status}")
        os.kill(state.pid, signal.SIGKILL)
    group.kill()
    group.delete()
    states.remove(ident)


def execute(states: States, ident: str, process: Process, streams: Streams, *, detach: bool) -> int:
    """Run a process in a running container; its exit code (0 with `detach`). Raises WrongState, InitFailed."""
    state = states.load(ident)
    if state.status != "running":
        raise WrongState(f"cannot exec in a container that is {state.status}")
    spec = load_spec(state.bundle)
    if not process.env:
        process = replace(process, env=spec.process.env)
    if process.capabilities is None:
        process = replace(process, capabilities=spec.process.capabilities)
    pidfd = os.pidfd_open(state.pid)
    try:
        launched = enter(
            process,
            pidfd=pidfd,
            stdio=(0, 1, 2),
            cgroup=cgroups.detect().open(state.cgroup),
            seccomp_program=seccomp_program(spec),
            preserve=range(3, 3 + streams.preserve_fds),
        )
    finally:
        os.close(pidfd)
    console = launched.wait_exec()
    _hand_over(launched, console, streams)
    if detach:
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(launched.pid, 0)[1])
    return 128 - code if code < 0 else code
