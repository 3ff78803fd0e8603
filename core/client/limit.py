"""A time limit for matching: a pattern such as `(a+)+$` may need longer than anybody lives.

Python's matcher looks for signals while it works, so an alarm can end it where it stands. Time is what this thread
has of the processor: on a busy machine a good pattern is not given up because others had their turn. Only the main
thread gets signals; elsewhere there is no limit.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time
from types import FrameType

_LEAST = 0.001  # seconds


class TooSlow(Exception):
    """The time is over."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside of the block once it has worked for `seconds`. Blocks do not nest."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    armed, end = True, thread_time() + seconds

    def over(_number: int, _frame: FrameType | None) -> None:
        if not armed:
            return
        left = end - thread_time()
        if left <= 0:
            raise TooSlow
        signal.setitimer(signal.ITIMER_VIRTUAL, max(left, _LEAST))  # the timer counts what other threads took, too

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
