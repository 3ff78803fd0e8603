"""The process that stays beside a container: subreaper, holder of descriptors, and nothing else.

Whatever a shim does touches objects, and each of them costs 4 KiB of a page that it shared before. So the work is
done by a child, the worker, which ends when the container has been quiet for a while: it hands its descriptors and
a memfd with its state over, and is forked again from here, as untouched as it was, when something happens. While
nothing does, neither does the keeper. There are few objects here, therefore, and plain numbers.

| worker -> keeper | descriptors | |
| --- | --- | --- |
| `taken` | | there is a container now |
| `reap` | | collect your dead children |
| `COUNT PID` | COUNT to be waited for, others to be held | it ends now; PID is the container's first process |

| keeper -> worker | |
| --- | --- |
| `death` | a child of the keeper may have ended; it is not collected before the worker knows whose number that is |
| `PID STATUS`, then `done` | those who had |
| `term` | the keeper got SIGTERM |

A worker that ends without handing over ends the shim; one whose keeper is killed is killed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from core.linux.process import set_child_subreaper, set_name, set_parent_death_signal
from core.shim.loop import set_handler

HELD_LIMIT = 24  # descriptors; a parked container has a dozen
NAME = "onggi-shim"
TAKEN, REAP, DEATH, DONE, TERMINATE = b"taken", b"reap", b"death", b"done", b"term"

Work = Callable[[int, Sequence[int]], None]

_ROOM = socket.CMSG_SPACE(HELD_LIMIT * 4)
_FLAGS = int(socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT)
_UNIX = int(socket.AF_UNIX)
_KIND = int(socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
_PIPE = os.O_CLOEXEC | os.O_NONBLOCK
_IN = select.POLLIN
_CHLD, _TERM, _KILL = int(signal.SIGCHLD), int(signal.SIGTERM), int(signal.SIGKILL)
_IGNORE = int(signal.SIG_IGN)
_PATIENCE = 1000  # milliseconds until a fork that was refused is tried again


def _hear(number: int, frame: FrameType | None) -> None:
    """A Python handler must exist, or the wake-up fd hears nothing."""


def keep(begin: Work, resume: Work, passed: Sequence[int]) -> None:
    """Be a container's keeper until its life is over.

    `begin(control, passed)` is what the first worker does; the keeper closes its own copies of `passed`.
    Each later one does `resume(control, held)`. Raises OSError where the first cannot be forked.
    """
    os.setsid()
    set_child_subreaper()
    heard, trip = os.pipe2(_PIPE)
    signal.set_wakeup_fd(trip, warn_on_full_buffer=False)
    set_handler(int(signal.SIGHUP), _IGNORE)
    set_handler(int(signal.SIGINT), _IGNORE)
    set_handler(_CHLD, _hear)
    set_handler(_TERM, _hear)
    ours, theirs = socket.socketpair(_UNIX, _KIND)
    poll = select.poll()
    poll.register(heard, _IN)
    worker = _fork(begin, passed, theirs, (heard, trip, ours.fileno()))
    while True:
        parked = _accompany(worker, heard, ours, poll)
        if parked is None:
            return
        count, first, held = parked
        watched = (theirs.fileno(), *held[:count])  # in `theirs` lies what the last worker has not read
        for fd in watched:
            poll.register(fd, _IN)
        _rest(first, heard, ours.fileno(), poll)
        for fd in watched:
            poll.unregister(fd)
        while True:
            try:
                worker = _fork(resume, held, theirs, (heard, trip, ours.fileno()))
                break
            except OSError:
                select.poll().poll(_PATIENCE)


def _fork(work: Work, held: Sequence[int], control: socket.socket, private: tuple[int, ...]) -> int:
    """A worker, which now has alone what is `held`: whoever waits for its end must not wait for ours."""
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            set_parent_death_signal(_KILL)
            signal.set_wakeup_fd(-1)
            for fd in private:
                os.close(fd)
            if os.getppid() == keeper:
                work(control.detach(), held)
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    for fd in held:
        os.close(fd)
    return pid


def _accompany(
    worker: int, heard: int, ours: socket.socket, poll: select.poll
) -> tuple[int, int, list[int]] | None:
    """Pass on what happens, until the worker ends; what it has handed over."""
    control = ours.fileno()
    poll.register(control, _IN)
    parked = None
    alive, told = True, False
    while alive:
        poll.poll()
        if _CHLD in _signals(heard, control):
            alive = os.waitpid(worker, os.WNOHANG)[0] == 0
            if alive and not told:
                os.write(control, DEATH)
                told = True
        while True:
            try:
                data, room, _, _ = ours.recvmsg(32, _ROOM, _FLAGS)
            except BlockingIOError:
                break
            if data == TAKEN:
                set_name(NAME)
            elif data == REAP:
                alive = not _reap(control, worker, everyone=True) and alive
                os.write(control, DONE)
                told = False
            else:
                count, _, first = data.partition(b" ")
                fds = room[0][2]
                parked = int(count), int(first), _numbers(fds)
    poll.unregister(control)
    return parked


def _numbers(fds: bytes) -> list[int]:
    return [int.from_bytes(fds[at : at + 4], sys.byteorder) for at in range(0, len(fds), 4)]


def _rest(first: int, heard: int, control: int, poll: select.poll) -> None:
    """Until there is something to do for a worker."""
    while True:
        _reap(control, first, everyone=False)
        for fd, _ in poll.poll():
            if fd != heard:
                return
            _signals(heard, control)


def _signals(heard: int, control: int) -> bytes:
    """Which have come; SIGTERM is passed on."""
    try:
        numbers = os.read(heard, 64)
    except BlockingIOError:
        return b""
    if _TERM in numbers:
        os.write(control, TERMINATE)
    return numbers


def _reap(control: int, awaited: int, *, everyone: bool) -> bool:
    """Collect the dead and tell of `awaited` or of everyone; whether `awaited` was among them."""
    found = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if everyone or pid == awaited:
            os.write(control, b"%d %d" % (pid, status))
        found = found or pid == awaited
