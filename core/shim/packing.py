"""Compressing what a log has been rotated to, in a child that has nothing else and yields to everybody."""

from __future__ import annotations

import os
import signal

from core.linux.constants import CLONE_NEWNS
from core.linux.syscalls import setns
from core.logs.segments import pack_all, unpacked
from core.shim.loop import Loop
from core.shim.reaper import Reaper

AFTER = 1.0  # seconds from a rotation: what a flood drops sooner was never worth the work
_NICE = 19


class Packer:
    """At most one child at a time. It outlives the worker, and holds nothing of its container."""

    def __init__(self, loop: Loop, reaper: Reaper, path: str, outside: int) -> None:
        """`outside` is a process that has none of the container's mounts."""
        self._outside = outside
        self._loop = loop
        self._reaper = reaper
        self._path = path
        self._waits = False
        self._again = False
        self._child = 0

    @property
    def busy(self) -> bool:
        """Whether a child is at work."""
        return self._child != 0

    def rotated(self) -> None:
        """There is something to compress."""
        if not self._waits:
            self._waits = True
            self._loop.call_later(AFTER, self._begin)

    def finish(self) -> None:
        """The container is over: compress what is left. Nobody waits for that."""
        if (self._waits or self._again) and unpacked(self._path):
            self._fork()

    def _begin(self) -> None:
        self._waits = False
        self._again = self._child != 0
        if self._child:
            return
        self._child = self._fork()
        if self._child:
            self._reaper.expect(self._child, self._ended)

    def _ended(self, code: int) -> None:
        self._child = 0
        if self._again:
            self._again = False
            self.rotated()

    def _fork(self) -> int:
        try:
            pid = os.fork()
        except OSError:
            return 0  # the next rotation tries again
        if pid == 0:
            _work(self._path, self._outside)
        return pid


def _work(path: str, outside: int) -> None:
    """In the child. Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        # Not what holds the container's mounts, nor a client's socket, which would not end.
        setns(os.open(f"/proc/{outside}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), CLONE_NEWNS)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.nice(_NICE)
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except OSError:
            pass  # it is polite without
        pack_all(path)
        code = 0
    except OSError:
        pass  # no room: they stay as they are
    finally:
        os._exit(code)
