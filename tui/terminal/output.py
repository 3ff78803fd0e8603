"""Writes to the outer terminal from the event loop, without ever waiting for it.

Textual hands every write to a thread. On a busy machine the way there and back costs more than the write: the two
take the interpreter from each other, and a key's echo waits for both.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from typing import Final, TextIO

_MOST_PENDING: Final = 4 << 20  # bytes; from here on writing waits, as Textual's own queue would
_PATIENCE: Final = 1.0  # seconds that the last bytes may take when the app ends


class Output:
    """The terminal behind `file`, opened anew: O_NONBLOCK on the descriptor itself would be the whole shell's.

    Written to from any thread; what does not fit now is sent by `loop`. Raises OSError where there is no terminal.
    """

    def __init__(self, file: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = os.open(os.ttyname(file.fileno()), flags)
        self._encoding = file.encoding
        self._loop = loop
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._watching = False
        self._held = False

    @property
    def pending(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return len(self._pending)

    def write(self, data: str | bytes) -> None:
        """Send `data` behind what is pending."""
        raw = data.encode(self._encoding, "replace") if isinstance(data, str) else data
        with self._lock:
            self._pending += raw
            if not self._held:
                self._begin()

    def hold(self) -> None:
        """Collect what is written until `release`."""
        self._held = True

    def release(self) -> None:
        """Send what was collected."""
        with self._lock:
            self._held = False
            self._begin()

    def _begin(self) -> None:
        self._send()
        if len(self._pending) > _MOST_PENDING:
            self._wait(None)
        if self._pending and not self._watching and self._fd >= 0:
            self._watching = True
            self._loop.call_soon_threadsafe(self._watch)

    def drain(self) -> None:
        """Wait a moment until the terminal has taken everything."""
        with self._lock:
            self._wait(_PATIENCE)

    def close(self) -> None:
        """Send what the terminal takes within a moment, and let go of it."""
        self.drain()
        with self._lock:
            if self._watching:
                self._loop.remove_writer(self._fd)
                self._watching = False
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._pending.clear()

    def _watch(self) -> None:
        if self._watching and self._fd >= 0:
            self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        with self._lock:
            self._send()
            if self._pending:
                return
            self._watching = False
        self._loop.remove_writer(self._fd)

    def _send(self) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._fd, self._pending)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the terminal is gone; the app hears of it by its input's end
            self._pending.clear()

    def _wait(self, seconds: float | None) -> None:
        while self._pending:
            if not select.select([], [self._fd], [], seconds)[1]:
                return
            self._send()
