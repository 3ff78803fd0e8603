"""When to show what the emulator has done: at once when calm, seldom in a flood, never into a full queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

_CALM: Final = 1 / 60
_FLOOD: Final = 1 / 45  # a busy machine takes its share of them, and 30 a second are to be left
_HURRY: Final = 1 / 200
_FULL: Final = 1 / 200  # seconds until the outer terminal is asked again whether it has taken the last frame
_ANSWER: Final = 0.1  # seconds after a key in which what is shown is probably its answer
_MOST_HOLD: Final = 0.15  # seconds a program may hold frames back (mode 2026)


class FrameClock:
    """`show` runs on the loop. `held` says the program is in the middle of a frame, `blocked` that the outer
    terminal has not taken the last ones: then frames are skipped, not queued."""

    def __init__(self, show: Callable[[], None], held: Callable[[], bool], blocked: Callable[[], bool]) -> None:
        self._show = show
        self._held = held
        self._blocked = blocked
        self._due: asyncio.TimerHandle | None = None
        self._last = 0.0  # when the last frame was to come; it may have come later
        self._due_at = 0.0
        self._hurry_until = 0.0
        self._held_since = 0.0

    def hurry(self) -> None:
        """A key was pressed: what comes now is waited for, so frames come sooner for a moment."""
        self._hurry_until = monotonic() + _ANSWER
        if self._due is not None:
            self.want()

    def want(self, *, flooding: bool = False) -> None:
        """Something changed. A frame that is due already comes sooner if it may, never later."""
        now = monotonic()
        pause = _HURRY if now < self._hurry_until else _FLOOD if flooding else _CALM
        at = self._last + pause
        if self._due is not None:
            if at >= self._due_at:
                return
            self.stop()
        if at <= now:
            self._tick()
        else:
            self._wait(at - now)

    def _wait(self, seconds: float) -> None:
        self._due_at = monotonic() + seconds
        self._due = asyncio.get_running_loop().call_later(seconds, self._tick)

    def stop(self) -> None:
        """Show nothing more."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _tick(self) -> None:
        self._due = None
        now = monotonic()
        self._held_since = (self._held_since or now) if self._held() else 0.0
        blocked = self._blocked()
        if blocked or (self._held_since and now - self._held_since < _MOST_HOLD):
            self._last = now  # whoever wants a frame meanwhile waits as long
            self._wait(_FULL if blocked else _CALM)
            return
        # a frame that was late does not put off the next one, else every delay would cost a part of a frame
        late = now - self._due_at
        self._last = self._due_at if 0.0 < late < _FLOOD else now
        self._due_at = 0.0
        self._show()
