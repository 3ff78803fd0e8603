"""Compressing what a log has been rotated to, in a child that has nothing else and yields to everybody."""

from __future__ import annotations

import os
import signal

from core.linux.process import set_parent_death_signal
from core.logs.segments import pack_all, unpacked
from core.shim.loop import Loop
from core.shim.reaper import Reaper

AFTER = 1.0  # seconds from a rotation: what a flood drops sooner was never worth the work
_NICE = 19


class Packer:
    """At most one child at a time. It ends with the worker; the next one goes on where it was."""

    def __init__(self, loop: Loop, reaper: Reaper, path: str) -> None:
        self._loop = loop
        self._reaper = reaper
        self._path = path
        self._waits = False
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

    def _begin(self) -> None:
        self._waits = False
        if self._child:
            return
        try:
            pid = os.fork()
        except OSError:
            return  # the next rotation tries again
        if pid == 0:
            _work(self._path)
        self._child = pid
        self._reaper.expect(pid, self._ended)

    def _ended(self, code: int) -> None:
        self._child = 0
        if code == 0 and unpacked(self._path):
            self.rotated()


def _work(path: str) -> None:
    """In the child. Never returns."""
    code = 1
    try:
        set_parent_death_signal(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # a client's socket that we hold would not end
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
