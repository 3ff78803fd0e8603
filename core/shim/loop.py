"""The shim's event loop: one thread, epoll(7), timers on the monotonic clock, child deaths by wake-up fd."""

from __future__ import annotations

import heapq
import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR

Handler = Callable[[int], None]


# Without the enumerations that `signal.signal` makes of numbers, and what each child would copy of them.
set_handler = getattr(signal.signal, "__wrapped__", signal.signal)


class Timer:
    """A call that waits for its time; `cancel` forgets it."""

    __slots__ = ("_call", "_when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self._when = when
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self._call = None

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()

    def __lt__(self, other: Timer) -> bool:
        return self._when < other._when

    def due(self, now: float) -> bool:
        return self._call is None or self._when <= now

    @property
    def pending(self) -> bool:
        return self._call is not None

    def left(self, now: float) -> float:
        return self._when - now


class Loop:
    """Calls handlers with epoll events. Level-triggered: a handler reads or writes once and returns."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, tuple[int, Handler]] = {}
        self._timers: list[Timer] = []
        self._running = False

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Call `handler(events)` when `fd` is ready. Hang-up is reported even for `events` 0: see `forget`."""
        known = self._handlers.get(fd)
        if known is None:
            self._epoll.register(fd, events)
        elif known[0] != events:
            self._epoll.modify(fd, events)
        elif known[1] == handler:
            return
        self._handlers[fd] = (events, handler)

    def forget(self, fd: int) -> None:
        """Watch `fd` no longer; call it before closing. Unknown descriptors are fine."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` once after `seconds`."""
        timer = Timer(time.monotonic() + seconds, call)
        heapq.heappush(self._timers, timer)
        return timer

    @property
    def waits(self) -> bool:
        """Whether a call is still to come."""
        return any(timer.pending for timer in self._timers)

    def run(self, pause: Callable[[], float] | None = None, on_quiet: Callable[[], None] = lambda: None) -> None:
        """Run until `stop`; with `pause`, call `on_quiet` once nothing has happened for so many seconds."""
        self._running = True
        quiet = False
        while self._running:
            limit = None if quiet or pause is None else pause()
            quiet = not self.step(limit)
            if quiet and self._running:
                on_quiet()

    def stop(self) -> None:
        """Make `run` return after the handler that runs now."""
        self._running = False

    def step(self, limit: float | None = 0) -> bool:
        """Wait at most `limit` seconds (None = for ever) for something to do, and do it; whether there was."""
        timeout = self._timeout(limit)
        # The entry is taken now: a handler may close an fd whose number the next one gets anew.
        batch = [(fd, events, self._handlers.get(fd)) for fd, events in self._epoll.poll(timeout)]
        for fd, events, entry in batch:
            if entry is not None and self._handlers.get(fd) is entry:
                entry[1](events)
        now = time.monotonic()
        while self._timers and self._timers[0].due(now):
            heapq.heappop(self._timers).fire()
        return bool(batch) or timeout != limit

    def _timeout(self, limit: float | None) -> float | None:
        now = time.monotonic()
        while self._timers and self._timers[0].due(now):
            heapq.heappop(self._timers).fire()
        if not self._timers:
            return limit
        wait = max(0.0, self._timers[0].left(now))
        return wait if limit is None else min(wait, limit)

    def close(self) -> None:
        """Close the epoll descriptor."""
        self._epoll.close()


def _ignore(number: int, frame: FrameType | None) -> None:
    """A Python handler must exist, or the wake-up fd hears nothing."""


def child_signals(loop: Loop, on_signal: Callable[[int], None], numbers: tuple[int, ...]) -> int:
    """Deliver the signals `numbers` as calls of `on_signal` on the loop; the descriptor to close at the end."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in numbers:
        set_handler(number, _ignore)
        signal.siginterrupt(number, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def drain(_: int) -> None:
        try:
            received = os.read(read_end, 4096)
        except BlockingIOError:
            return
        for number in sorted(set(received)):
            on_signal(number)

    loop.watch(read_end, READ, drain)
    return write_end
