"""Moves bytes from a source into the emulator without ever holding the event loop for long.

Reads until nothing is left or 256 KiB are in hand, executes for at most six milliseconds, and if input is left
over stops listening: the kernel's buffers fill and stop the child, which is the right back-pressure.

In a flood it lets the kernel's buffers fill between two readings. A pty gives 4 KiB a read, which is less than
a screen: taken one by one all of it would be drawn, and nothing of it skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, sleep
from typing import Final, Protocol

from tui.terminal.source import TerminalSource
from tui.terminal.stream import FastStream

_READ: Final = 65536
_BATCH: Final = 262144  # what is in hand is in front of the answer to a key, so less where it takes long
_BUDGET: Final = 0.006
_WINDOW: Final = 0.02  # seconds over which a flood is measured
_FLOOD: Final = 65536  # bytes in a window with which one begins
_EBB: Final = 1_000_000  # bytes a second below which it is over
_GATHER: Final = 0.004
_NAP: Final = 0.0003
_END: Final = 0.3  # seconds in which the end of a stream that is left must come
_TURNS: Final = 32  # steps that others may take between two of ours
_MOST_HELD: Final = 4 << 20
_REST: Final = 0.001  # seconds from one reading to the next in a flood


class Outlet(Protocol):
    """Where the bytes go besides, untouched."""

    @property
    def backlog(self) -> int:
        """What it has not taken yet."""
        ...

    def pass_through(self, data: bytes) -> None:
        """Take it."""
        ...


class Pump:
    """Owns the loop's interest in one source. `on_output` follows each batch, `on_end` the end, once."""

    def __init__(
        self,
        source: TerminalSource,
        stream: FastStream,
        on_output: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._source = source
        self._stream = stream
        self._on_output = on_output
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.Handle | None = None
        self._window = (0.0, 0)
        self._most = _BATCH
        self._fd = source.fileno()
        self._reading = True
        self._writing = False
        self._ended = False
        self._done = False
        self._held: list[bytes] = []
        self._expecting: asyncio.TimerHandle | None = None
        self.flooding = False
        self.outlet: Outlet | None = None
        self._loop.add_reader(self._fd, self._readable)

    def stop(self) -> None:
        """Let go of the source's descriptor; call it before closing the source."""
        if self._done:
            return
        self._done = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        for handle in (self._again, self._expecting):
            if handle is not None:
                handle.cancel()

    def expect_end(self) -> None:
        """The reader leaves. What is in front of the end is read but not executed: it would be shown to nobody, and
        a flood of redraws takes long. If no end comes after all, it is executed then."""
        if self._done or self.outlet is not None:
            return
        if self._expecting is not None:
            self._expecting.cancel()
        elif self._again is not None:
            self._again.cancel()
            self._again = None
        self._expecting = self._loop.call_later(_END, self._go_on)
        self._listen(True)

    def _go_on(self) -> None:
        self._expecting = None
        self._listen(False)
        data, self._held = b"".join(self._held), []
        self._execute(data)

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        if self._ended:
            self._stream.forget()
            self.stop()
            self._on_end()
        elif sum(map(len, self._held)) > _MOST_HELD and self._expecting is not None:
            self._expecting.cancel()
            self._go_on()

    def watch_writes(self) -> None:
        """Call after writes that may have left something pending; safe from any thread."""
        self._loop.call_soon_threadsafe(self._check_writes)

    def _check_writes(self) -> None:
        if self._done or self._writing or not self._source.pending:
            return
        self._writing = True
        self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        self._source.flush()
        if not self._source.pending:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        parts: list[bytes] = []
        size, begun = 0, monotonic()
        while size < self._most:
            data = self._source.read_nonblocking(_READ)
            if data is None:
                if not (self.flooding and self._gathers(begun)):
                    break
                continue
            if not data:
                self._ended = True
                break
            parts.append(data)
            size += len(data)
        now, data = monotonic(), b"".join(parts)
        if self._expecting is not None:
            self._hold(data)
            return
        self._measure(size, now)
        if self.outlet is not None and data:
            self.outlet.pass_through(data)
        self._most = min(2 * self._most, _BATCH)
        self._execute(data)

    def _gathers(self, begun: float) -> bool:
        """In a flood: let more come in, for a moment that the loop does not notice."""
        if self.outlet is not None or self._expecting is not None or monotonic() - begun > _GATHER:
            return False
        sleep(_NAP)
        return True

    def _measure(self, size: int, now: float) -> None:
        """Judge by the bytes of the last window. On a busy machine a window may be much longer than meant."""
        begun, seen = self._window
        if now - begun > _WINDOW:
            self.flooding = self.flooding and seen >= _EBB * (now - begun)
            begun, seen = now, 0
        self._window = (begun, seen + size)
        self.flooding = self.flooding or seen + size >= _FLOOD

    def _turn(self, left: int, then: Callable[[], None]) -> None:
        """Stand back behind all that is ready, `left` times: what the app does takes many small steps."""
        if left:
            self._again = self._loop.call_soon(self._turn, left - 1, then)
        else:
            then()

    def _execute(self, data: bytes = b"") -> None:
        self._again = None
        done = self._stream.feed(data, monotonic() + _BUDGET)
        self._on_output()
        if self._done:  # on_output may have stopped us
            return
        if not done:
            self._most = _READ
            self._listen(False)
            self._again = self._loop.call_soon(self._turn, _TURNS, self._execute)
        elif self._ended:
            self.stop()
            self._on_end()
        elif self.outlet is not None and self.outlet.backlog:
            self._pause(_REST)
        elif self.flooding:
            self._listen(False)
            self._again = self._loop.call_soon(self._turn, _TURNS, self._rested)
        else:
            self._listen(True)

    def _pause(self, seconds: float) -> None:
        self._listen(False)
        self._again = self._loop.call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._again = None
        if self.outlet is not None and self.outlet.backlog:
            self._pause(_REST)
        else:
            self._listen(True)

    def _listen(self, on: bool) -> None:
        if on == self._reading:
            return
        self._reading = on
        if on:
            self._loop.add_reader(self._fd, self._readable)
        else:
            self._loop.remove_reader(self._fd)
