"""Who died, and what to say about it. The shim is the subreaper of all its container's processes."""

from __future__ import annotations

import os
from collections.abc import Callable

OnExit = Callable[[int], None]


def exit_code(status: int) -> int:
    """A wait status as the shell's number: 128 + n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


class Reaper:
    """Collects dead children and calls whoever waits for one with its exit code."""

    def __init__(self) -> None:
        self._waiting: dict[int, OnExit] = {}

    def expect(self, pid: int, on_exit: OnExit) -> None:
        """Call `on_exit(code)` when `pid` has been reaped."""
        self._waiting[pid] = on_exit

    def reap(self) -> None:
        """Collect every child that has ended; orphans that nobody expects are just gone."""
        ended: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended.append((pid, status))
        for pid, status in ended:
            self.ended(pid, status)

    def ended(self, pid: int, status: int) -> None:
        """`pid` has been reaped with this wait status."""
        on_exit = self._waiting.pop(pid, None)
        if on_exit:
            on_exit(exit_code(status))
