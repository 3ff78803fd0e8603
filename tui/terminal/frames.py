"""When to show what the emulator has done: at once when calm, seldom in a flood, never into a full queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

_CALM: Final = 1 / 60
_FLOOD: Final = 1 / 30
_MOST_HOLD: Final = 0.15  # seconds a program may hold frames back (mode 2026)


class FrameClock:
    """`show` runs on the loop. `held` says the program is in the middle of a frame, `blocked` that the outer
    terminal has not taken the last ones: then frames are skipped, not queued."""

    def __init__(self, show: Callable[[], None], held: Callable[[], bool], blocked: Callable[[], bool]) -> None:
        self._show = show
        self._held = held
        self._blocked = blocked
        self._due: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._held_since = 0.0

    def want(self, *, flooding: bool = False) -> None:
        """Something changed."""
        if self._due is not None:
            return
        wait = self._last + (_FLOOD if flooding else _CALM) - monotonic()
        if wait <= 0:
            self._tick()
        else:
            self._due = asyncio.get_running_loop().call_later(wait, self._tick)

    def stop(self) -> None:
        """Show nothing more."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _tick(self) -> None:
        self._due = None
        now = monotonic()
        self._held_since = (self._held_since or now) if self._held() else 0.0
        if self._blocked() or (self._held_since and now - self._held_since < _MOST_HOLD):
            self._due = asyncio.get_running_loop().call_later(_CALM, self._tick)
            return
        self._last = now
        self._show()
