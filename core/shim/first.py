"""The process that will be the container's first: forked ahead of its start, made ready, and told when to begin.

It is born as pid 1 of a new pid namespace and becomes the container by its exec: reading the specification,
planning and mounting touch, and so copy, megabytes that the shim shares with the zygote, and all of that goes
with the exec. Where the container shares the host's processes it forks once more instead, and ends.

| message | from -> to | descriptors | |
| --- | --- | --- | --- |
| config mounted | shim -> first | | mount the root (unless `mounted`), make the cgroup |
| owned | shim -> first | stdio, netns or none | start; `owned` of stdio are pipes for the user to have |
| oom_kills pid? | first -> shim | the terminal's master or none | all is done but the exec; end of file = it runs |
| error | first -> shim | | what failed, instead of the above or behind it |
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from core import cgroups, packets
from core.cgroups import Cgroup
from core.cgroups.files import close_all, whole
from core.errors import EngineError, InitFailed, from_wire, to_wire
from core.linux.mounts import mount_overlay
from core.linux.namespaces import fork_first
from core.linux.process import set_name, set_parent_death_signal
from core.oci.runtime import Resources, Spec
from core.packets import Message
from core.runtime import create
from core.runtime.handshake import FirstProcess, died
from core.shim.protocol import ShimConfig
from core.shim.starter import Answer, own, resolved, specification

FIRST = "onggi-first"
Warm = Callable[[], object]


class First:
    """The shim's end of one."""

    def __init__(self, *, own_pids: bool, warm: Warm | None = None) -> None:
        """Fork it; with `warm` it does that before it listens. Raises OSError."""
        ours, theirs = packets.pair()
        try:
            pid = fork_first() if own_pids else os.fork()
            if pid == 0:
                ours.close()
                _live(theirs, own_pids, warm)
        finally:
            theirs.close()
        self._sock = ours
        self._pid = pid
        self.own_pids = own_pids

    def prepare(self, config: Message, *, mounted: bool) -> None:
        """Tell it whose it is. What fails is told by `start`."""
        self._send({"config": config, "mounted": mounted}, ())

    def start(self, stdio: tuple[int, int, int], netns: int | None, owned: Sequence[int]) -> Answer:
        """Have the program run: `{pid, oom_kills}` and the terminal's master.

        Raises InitFailed (126, 127 where the program is at fault), InvalidSpec, SyscallFailed; it is gone then.
        """
        self._send({"owned": list(owned)}, stdio if netns is None else (*stdio, netns))
        with self._sock:
            received = self._received()
            if received is None:
                raise died(self._reap())
            answer, master = received
            if self.own_pids:
                try:
                    self._received()  # the end, or what became of the execve
                except BaseException:
                    close_all(master)
                    raise
        return {"pid": self._pid, **answer}, master

    def _send(self, message: Message, fds: Sequence[int]) -> None:
        try:
            packets.send(self._sock, message, fds)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was killed: nothing will be received

    def _received(self) -> Answer | None:
        """What it says next, None for its end. Raises the error that it reports."""
        try:
            received = packets.receive(self._sock)
        except ConnectionResetError:
            return None
        if received is not None and "error" in received[0]:
            self._reap()
            raise from_wire(received[0]["error"])
        return received

    def _reap(self) -> int:
        try:
            return os.waitpid(self._pid, 0)[1]
        except ChildProcessError:  # it ended before anything was asked of it, and was collected with the orphans
            return 0

    def discard(self) -> None:
        """It is not needed; wait until it has put away what it was just making."""
        self._sock.close()
        self._reap()


def _live(sock: socket.socket, own_pids: bool, warm: Warm | None) -> NoReturn:
    """In the child."""
    try:
        set_parent_death_signal(signal.SIGKILL)  # nobody would own what it starts
        set_name(FIRST)
        signal.set_wakeup_fd(-1)  # the shim's, which would hear of our children
        if warm:
            warm()
        _serve(sock, own_pids)
    finally:
        os._exit(0)


def _serve(sock: socket.socket, own_pids: bool) -> None:
    asked = packets.receive(sock)
    if asked is None:
        return
    made, trouble = None, None
    try:
        made = _Root(ShimConfig.from_message(asked[0]["config"]), mounted=asked[0]["mounted"])
    except (EngineError, OSError) as error:
        trouble = error
    begin = packets.receive(sock)
    if begin is None:
        return
    try:
        if made is None:
            raise trouble or InitFailed("start container: it could not be made ready")
        spec, arguments = made.start(begin[1], begin[0]["owned"])
        if own_pids:
            create.become(spec, FirstProcess(sock, {"oom_kills": made.oom_kills}), **arguments)
        launched = create.launch(spec, **arguments)
        master = launched.wait_exec()
        answer = {"pid": launched.pid, "oom_kills": made.oom_kills}
        packets.send(sock, answer, [] if master is None else [master])
    except Exception as error:
        packets.send(sock, {"error": to_wire(error)})


class _Root:
    """What a container needs before it is known what it runs: its mounted root and its cgroup."""

    def __init__(self, config: ShimConfig, *, mounted: bool) -> None:
        """Raises OSError, SyscallFailed."""
        self._config = config
        self._rootfs = os.path.join(config.bundle, "rootfs")
        if not mounted:
            os.makedirs(self._rootfs, 0o700, exist_ok=True)
            root = config.rootfs
            mount_overlay(root.lower, root.upper, root.work, self._rootfs, volatile=root.volatile)
        self._root = os.open(self._rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._cgroup: Cgroup | None = None
        if config.cgroup:
            self._cgroup = cgroups.detect().create(config.cgroup, Resources())
        self.oom_kills = self._cgroup.oom_kills() if self._cgroup else 0

    def start(self, fds: list[int], owned: Sequence[int]) -> tuple[Spec, dict[str, Any]]:
        """What to start, and the rest of what `create.become` and `create.launch` take.

        Raises InvalidArgument for a user that is not there, InvalidSpec, SyscallFailed, KernelLacks.
        """
        config = self._config
        spec = specification(config.bundle)
        if self._cgroup:
            with whole(self._cgroup.delete):
                self._cgroup.apply(spec.linux.resources or Resources())
        process = resolved(spec.process, self._root, config.user, config.groups, home=config.default_home)
        own((fds[number] for number in owned), process.user.uid)
        arguments = {
            "bundle": config.bundle,
            "rootfs": self._rootfs,
            "stdio": (fds[0], fds[1], fds[2]),
            "netns_fd": fds[3] if len(fds) > 3 else None,
            "cgroup": self._cgroup,
        }
        return replace(spec, process=process), arguments
