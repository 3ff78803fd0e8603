"""The container's process as the shim holds it: mounts, streams, cgroup, network namespace, pidfd."""

from __future__ import annotations

import os
import select
import signal
import time
from functools import partial

from core import cgroups
from core.cgroups import Cgroup
from core.errors import EngineError, InvalidArgument, SyscallFailed, WrongState
from core.linux.constants import CLONE_NEWNS, MNT_DETACH, MS_REC, MS_SLAVE
from core.linux.syscalls import mount, umount2, unshare
from core.logs.jsonfile import timestamp
from core.packets import Message
from core.shim import starter
from core.shim.first import First
from core.shim.parking import Found, Luggage, State
from core.shim.protocol import ShimConfig
from core.shim.stdio import Channels, open_null, open_pipes, terminal


class Task:
    """One container's process over all its lives. Owns what dies with the container."""

    def __init__(self, config: ShimConfig, message: Message, first: First | None = None) -> None:
        """`message` is what `config` was made of; `first` was forked ahead, in the mount namespace of our own."""
        self._config = config
        self._message = message
        self._first = first
        self._own_mounts = first is not None
        self._netns: int | None = None
        self._mounted = False
        self._ran = False
        self._cgroup: Cgroup | None = None
        self._oom_kills = 0
        self._pidfd = -1
        self.pid = 0
        self.started_at = ""

    def pack(self, luggage: Luggage) -> State:
        """What another needs to go on; for a running one."""
        return {
            "message": self._message,
            "netns": None if self._netns is None else luggage.hold(self._netns),
            "pidfd": luggage.hold(self._pidfd),
            "oom_kills": self._oom_kills,
            "pid": self.pid,
            "started_at": self.started_at,
        }

    @classmethod
    def unpack(cls, config: ShimConfig, found: Found) -> Task:
        """Go on where `pack` was called, in the mount namespace that was left."""
        state = found.state["task"]
        task = cls(config, state["message"])
        task._own_mounts = task._mounted = task._ran = True
        task._netns = found.fd(state["netns"]) if state["netns"] else None
        task._pidfd = found.fd(state["pidfd"])
        task._oom_kills = state["oom_kills"]
        task.pid, task.started_at = state["pid"], state["started_at"]
        return task

    def prepare(self) -> None:
        """Have root and cgroup made while the engine makes up the rest. Raises OSError, SyscallFailed."""
        first = self._first
        if first is not None and first.own_pids != self._config.own_pids:
            first.discard()
            first = self._first = None
        if first is None:
            self._leave_mounts()
            first = First(own_pids=self._config.own_pids)
        self._ran = True
        self._first = first
        first.prepare(self._message, mounted=self._mounted)

    def start(self) -> Channels:
        """Make the process; the shim's ends of its streams.

        Raises InitFailed (126, 127 where the program is at fault), InvalidSpec, SyscallFailed.
        """
        config = self._config
        if self._first is None:
            self.prepare()
        first, self._first = self._first, None
        assert first is not None
        channels, ends = open_null() if config.tty else open_pipes(stdin=config.open_stdin)
        try:
            owned = [ends.stdio.index(pipe) for pipe in ends.pipes]
            answer, fds = first.start(ends.stdio, self._netns, owned)
        except BaseException:
            channels.discard()
            raise
        finally:
            ends.close()
        self._mounted = True
        self._oom_kills = int(answer["oom_kills"])
        self.pid = int(answer["pid"])
        self._pidfd = os.pidfd_open(self.pid)
        self.started_at = timestamp(time.time_ns())
        return terminal(fds[0], stdin=config.open_stdin) if fds else channels

    def _leave_mounts(self) -> None:
        if not self._own_mounts:
            leave_mounts()
            self._own_mounts = True

    def enter(self, message: Message, *, tty: bool, stdin: bool) -> tuple[int, Channels]:
        """Run a further process in the running container: its pid and the shim's ends of its streams.

        Raises InitFailed, InvalidSpec, SyscallFailed, and WrongState where the container ends meanwhile.
        """
        channels, ends = open_null() if tty else open_pipes(stdin=stdin)
        try:
            work = partial(
                starter.enter,
                self._config,
                message,
                init_pid=self.pid,
                pidfd=self._pidfd,
                stdio=ends.stdio,
                owned=ends.pipes,
            )
            answer, fds = starter.in_child(work)
        except BaseException as error:
            channels.discard()
            if isinstance(error, EngineError) and self._has_ended():
                raise WrongState("container is not running") from error  # that is what it died of
            raise
        finally:
            ends.close()
        return int(answer["pid"]), terminal(fds[0], stdin=stdin) if fds else channels

    def _has_ended(self) -> bool:
        """Whether the first process is dead, reaped or not. pidfd_open(2)."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def signal(self, number: int) -> None:
        """Send a signal to the first process. Raises WrongState when it is gone, InvalidArgument for no signal."""
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError as error:
            raise WrongState("container is not running") from error
        except (OSError, ValueError) as error:
            raise InvalidArgument(f"send signal {number}: {error}") from error

    def ended(self) -> bool:
        """The first process is reaped; whether the kernel killed something of it for memory."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self.pid = 0
        cgroup = self._open_cgroup()
        if cgroup is None:
            return False
        oom = cgroup.oom_kills() > self._oom_kills
        if cgroup.pids():
            cgroup.kill()  # with the host's pid namespace its children outlive it
        return oom

    def _open_cgroup(self) -> Cgroup | None:
        if self._cgroup is None and self._config.cgroup and self._ran:
            self._cgroup = cgroups.detect().open(self._config.cgroup)
        return self._cgroup

    def join_network(self, netns: int) -> None:
        """Start the process in this namespace, in every life. The descriptor is owned here."""
        self._netns = netns

    def netns(self) -> list[int]:
        """A copy of the network namespace's descriptor. Raises WrongState without one."""
        if self._netns is None:
            raise WrongState("container has no network namespace of its own")
        return [os.dup(self._netns)]

    def close(self) -> None:
        """Give back cgroup and mounts; the shim is about to end."""
        if self._first is not None:
            self._first.discard()
        cgroup = self._open_cgroup()
        if cgroup is not None:
            try:
                cgroup.kill()
                cgroup.delete()
            except OSError:
                pass  # the engine sweeps what is left
        if self._mounted:
            try:
                umount2(os.path.join(self._config.bundle, "rootfs"), MNT_DETACH)
            except OSError:
                pass


def leave_mounts() -> None:
    """A mount namespace of our own takes every mount along when the shim dies; the host's still arrive.

    Raises SyscallFailed.
    """
    try:
        unshare(CLONE_NEWNS)
        mount("", "/", "", MS_REC | MS_SLAVE)
    except OSError as error:
        raise SyscallFailed.of("make container's mount namespace", error) from error
