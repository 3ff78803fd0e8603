"""The user's terminal while a container has it: raw, its signals as bytes, and afterwards as it was."""

from __future__ import annotations

import contextlib
import os
import signal
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import TypeAlias

Handler: TypeAlias = "Callable[[int, FrameType | None], object]"


@contextlib.contextmanager
def raw(fd: int = 0) -> Iterator[None]:
    """Every byte to the container (cfmakeraw(3)); the old mode comes back however the block ends.

    SIGTERM and SIGHUP end the block by an exception, else they would leave a raw terminal behind.
    """
    before = termios.tcgetattr(fd)
    with handled((signal.SIGTERM, signal.SIGHUP), _leave):
        try:
            termios.tcsetattr(fd, termios.TCSADRAIN, _raw_mode(before))
            yield
        finally:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _raw_mode(mode: Sequence[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = mode
    assert isinstance(iflag, int) and isinstance(oflag, int) and isinstance(cflag, int) and isinstance(lflag, int)
    assert isinstance(cc, list)
    iflag &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
    iflag &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
    oflag &= ~termios.OPOST
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    cc = [*cc]
    cc[termios.VMIN], cc[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, cc]


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def handled(signals: Sequence[int], handler: Handler) -> Iterator[None]:
    """`handler` for `signals` inside the block; signals that are ignored stay ignored (nohup)."""
    before = {number: signal.getsignal(number) for number in signals}
    kept = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    try:
        for number in kept:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in kept.items():
            signal.signal(number, old)


@contextlib.contextmanager
def signal_pipe(signals: Sequence[int]) -> Iterator[int]:
    """A descriptor on which the numbers of `signals` arrive, one byte each, instead of their usual effect."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    old = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        with handled(signals, lambda *_: None):
            yield reader
    finally:
        signal.set_wakeup_fd(old)
        os.close(reader)
        os.close(writer)
