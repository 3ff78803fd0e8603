"""What clients type, on its way to the process."""

from __future__ import annotations

import os
from collections.abc import Callable

from core.shim.loop import WRITE, Loop

TYPED_AHEAD = 64 * 1024  # bytes kept while the process reads nothing, so that detach keys are still seen


class Stdin:
    """A queue in front of a pipe or terminal; what comes before `bind` waits for it.

    `on_full(full)` says when clients are to stop and to go on typing.
    """

    def __init__(self, loop: Loop, on_full: Callable[[bool], None]) -> None:
        self._loop = loop
        self._on_full = on_full
        self._fd: int | None = None
        self._queue = bytearray()
        self._ends = False
        self.full = False

    @property
    def fd(self) -> int:
        """What is written to; -1 where the process takes no input, or no more."""
        return -1 if self._fd is None else self._fd

    @property
    def queued(self) -> bool:
        """Whether the process has not taken everything yet."""
        return bool(self._queue)

    def bind(self, fd: int) -> None:
        """Begin to write to `fd` (non-blocking, owned from here on); -1 = the process takes no input."""
        self._fd = fd
        self._flush()

    def write(self, data: bytes) -> None:
        """Queue `data`; thrown away where the process takes no input."""
        if self._fd != -1 and not self._ends:
            self._queue += data
            self._flush()

    def end(self) -> None:
        """End of file after what is queued."""
        self._ends = True
        self._flush()

    def _flush(self, _: int = 0) -> None:
        if self._fd is not None and self._fd >= 0:
            self._send(self._fd)
        if self._fd == -1:
            self._queue.clear()
        full = len(self._queue) >= TYPED_AHEAD
        if full != self.full:
            self.full = full
            self._on_full(full)

    def _send(self, fd: int) -> None:
        if self._queue:
            try:
                del self._queue[: os.write(fd, self._queue)]
            except BlockingIOError:
                pass
            except OSError:  # the process has closed its stdin
                self._end_now(fd)
                return
        if self._queue:
            self._loop.watch(fd, WRITE, self._flush)
            return
        self._loop.forget(fd)
        if self._ends:
            self._end_now(fd)

    def _end_now(self, fd: int) -> None:
        self._loop.forget(fd)
        os.close(fd)
        self._fd = -1

    def close(self) -> None:
        """The process is gone: close, forget what was typed, and wait for the next `bind`."""
        if self._fd is not None and self._fd >= 0:
            self._end_now(self._fd)
        self._fd = None
        self._queue.clear()
        self._ends = False
        self._flush()
