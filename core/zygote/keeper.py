"""The zygote's loop: keeps one daemon alive, forks a child for each job, reaps, and stops when told.

One thread, because the kernel refuses namespaces to a process with two; and it never waits for a child.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from core import cgroups, packets
from core.errors import EngineError
from core.linux.process import set_name, set_parent_death_signal
from core.oci.runtime import Resources
from core.packets import Message
from core.shim import job as shim
from core.shim.first import FIRST
from core.shim.loop import GONE, READ, Loop, Timer, child_signals
from core.shim.rehearsal import rehearse
from core.zygote import claim, jobs
from core.zygote.daemon import GIVE_UP, Daemon
from core.zygote.density import settle
from core.zygote.options import Options
from core.zygote.spare import MOLD, Spare, be_mold

NAME, JOB = "onggi-engine", "onggi-job"
ENGINE_CGROUP = "/onggi-engine"  # daemon, zygote and shims; beside the containers' /onggi, which is no leaf
SPARE_PAUSE = 0.02  # seconds after a shim was asked for until the next is made ahead: a start is over then
CONTAINERS_CGROUP = "/onggi"
STOP_PATIENCE = 10.0  # seconds for the daemon to end before it is killed
GOING_PATIENCE = 1.0  # seconds for jobs that were killed and for what was forked ahead to end
_GOING = {MOLD, JOB, shim.SPARE, FIRST}
_FILES = 65536  # a descriptor or two for each container and client
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(options: Options, command: Sequence[str] | None = None) -> int:
    """Claim, listen, and keep the daemon until told to stop; the exit code. Raises EngineError.

    `command` is executed in the daemon's place where it is given.
    """
    os.umask(0o022)
    os.chdir("/")
    _raise_file_limit()
    claim.make_directories(options.paths)
    run_lock = claim.lock(f"{options.paths.run}/lock")
    lock = claim.lock(str(options.paths.lock))
    listener = claim.listen(options)
    set_name(NAME)
    _leave_cgroup()
    log = os.open(options.paths.engine_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    keeper = Keeper(Daemon(options, listener, lock, command), options, log)
    try:
        return keeper.run()
    finally:
        keeper.close()
        _take_cgroups_away()
        os.close(run_lock)


def _leave_cgroup() -> None:
    """Into a group of our own, a leaf: limits and the end of whoever's session started us are not ours."""
    for more in (True, True, True, False):  # an engine that stops at this moment takes an empty one away
        try:
            cgroups.enter(cgroups.detect().create(ENGINE_CGROUP, Resources()).doors())
            return
        except (EngineError, OSError) as error:
            if not more:
                print(f"onggi: stay in the cgroup of the caller: {error}", file=sys.stderr, flush=True)


def _take_cgroups_away() -> None:
    """What is empty of ours: an engine that stops beside running containers, or others, leaves them theirs."""
    try:
        manager = cgroups.detect()
        manager.leave()
        _wait_for_the_going(manager.open(ENGINE_CGROUP))
        for path in (CONTAINERS_CGROUP, ENGINE_CGROUP):
            manager.prune(path)
    except OSError as error:
        print(f"onggi: leave cgroup: {error}", file=sys.stderr, flush=True)


def _wait_for_the_going(group: cgroups.Cgroup) -> None:
    """Let what was ahead of starts end, unless another engine is in the group too: it may be theirs."""
    deadline = time.monotonic() + GOING_PATIENCE
    while time.monotonic() < deadline:
        names = {_name(pid) for pid in group.pids()}
        if NAME in names or not names & _GOING:
            return
        time.sleep(0.002)


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""  # it has ended


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Keeper:
    """The daemon, the jobs and the loop."""

    def __init__(self, daemon: Daemon, options: Options, log: int) -> None:
        self._daemon = daemon
        self._options = options
        self._log = log
        self._loop = Loop()
        self._jobs: set[int] = set()
        self._stopping = False
        self._code = 0
        self._killing: Timer | None = None
        self._filling: list[object] = []
        self._spare = Spare()
        self._renew = Timer(0.0, self._make_spare)

    def close(self) -> None:
        """Let go of who waits for work."""
        self._spare.close()

    def run(self) -> int:
        """Serve until stopped; the exit code."""
        child_signals(self._loop, self._on_signal, _SIGNALS)
        self._start_daemon()
        self._rehearse(rehearse(str(self._options.paths.run / "rehearsal")))  # while the daemon reads its modules
        self._loop.run()
        return self._code

    def _rehearse(self, rounds: Iterator[None]) -> None:
        """One round at a time, so that nobody waits; then share what is alive with every child to come."""
        try:
            next(rounds)
        except StopIteration:
            self._settle()
        except (EngineError, OSError) as error:
            self._say(f"rehearse: {error}")
            self._settle()
        else:
            self._loop.call_later(0, lambda: self._rehearse(rounds))

    def _settle(self) -> None:
        self._filling = settle()
        self._make_spare()

    def _start_daemon(self) -> None:
        if self._stopping:
            return
        try:
            self._daemon.start()
        except EngineError as error:
            self._say(str(error))
            self._loop.call_later(self._daemon.ended(), self._start_daemon)
            return
        control = self._daemon.control
        assert control is not None
        control.setblocking(False)
        self._loop.watch(control.fileno(), READ, partial(self._on_control, control))

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
            self._daemon.kill(signal.SIGTERM)

    def _on_control(self, control: socket.socket, events: int) -> None:
        try:
            received = packets.receive(control)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._say(f"read from the daemon: {error}")
            received = None if events & GONE or isinstance(error, OSError) else ({}, [])
        if received is None:
            self._loop.forget(control.fileno())
            self._daemon.hang_up()
            self._kill_later()
            return
        message, fds = received
        if message.get("stop"):
            self._stop()
        elif "job" in message and fds:
            self._fork(message, fds)
        for fd in fds:
            os.close(fd)

    def _fork(self, message: Message, fds: list[int]) -> None:
        if message["job"] == jobs.SHIM:
            self._renew.cancel()
            self._renew = self._loop.call_later(SPARE_PAUSE, self._make_spare)
            if self._spare.give(message, fds):
                return
        try:
            pid = self._child({*fds}, lambda: jobs.run(message, fds), dies=message["job"] != jobs.SHIM)
        except OSError as error:
            self._say(f"fork for {message['job']}: {error.strerror}")
            return  # the closed reply socket tells the daemon
        if message["job"] != jobs.SHIM:
            self._jobs.add(pid)

    def _make_spare(self) -> None:
        try:
            self._spare.make(
                lambda sock: self._child({sock.fileno()}, lambda: be_mold(sock, shim.stand_by), dies=False)
            )
        except OSError as error:
            self._say(f"fork a shim ahead: {error.strerror}")

    def _child(self, kept: set[int], work: Callable[[], None], *, dies: bool) -> int:
        """Fork a child that keeps only `kept`, does `work` and ends; with `dies`, at our end. Raises OSError."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            if dies:
                set_name(JOB)
                set_parent_death_signal(signal.SIGKILL)  # the next engine sweeps what a half-done job leaves
            os.dup2(self._log, 2)
            gc.freeze()  # our garbage may hold sockets; collected here, they would close what has their numbers
            _keep_only({0, 1, 2, *kept})
            work()
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._jobs.discard(pid)
            self._spare.ended(pid)
            if pid == self._daemon.pid:
                self._daemon_ended(os.waitstatus_to_exitcode(status))

    def _daemon_ended(self, code: int) -> None:
        if self._killing:
            self._killing.cancel()
            self._killing = None
        if self._daemon.control is not None:
            self._loop.forget(self._daemon.control.fileno())
        pause = self._daemon.ended()
        # The next daemon sweeps what half-done jobs leave; they must not go on beside it.
        for pid in self._jobs:
            os.kill(pid, signal.SIGKILL)
        if self._stopping or code == GIVE_UP:
            self._unlink_socket()
            self._code = 0 if self._stopping else 1
            self._loop.stop()
            return
        self._say(f"the daemon ended ({code}), starting it again")
        self._loop.call_later(pause, self._start_daemon)

    def _stop(self) -> None:
        """No new clients, no new daemon; containers live on with their shims."""
        if self._stopping:
            return
        self._stopping = True
        self._unlink_socket()
        if self._daemon.pid:
            self._kill_later()
        else:
            self._loop.stop()

    def _kill_later(self) -> None:
        if self._killing is None:
            self._killing = self._loop.call_later(STOP_PATIENCE, lambda: self._daemon.kill(signal.SIGKILL))

    def _unlink_socket(self) -> None:
        try:
            os.unlink(self._options.socket)
        except OSError:
            pass

    def _say(self, text: str) -> None:
        print(f"onggi: {text}", file=sys.stderr, flush=True)


def _keep_only(kept: set[int]) -> None:
    """Close every descriptor but `kept`: the lock, above all, must not live on in a shim."""
    start = 0
    for fd in sorted(kept):
        if start < fd:  # an empty range makes Python close everything
            os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
