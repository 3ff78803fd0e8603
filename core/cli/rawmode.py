"""The user's terminal while a container has it: raw, its signals as bytes, and afterwards as it was.

Context managers as classes, because `contextlib` and the enums of `signal` take as long to import as the container
to start.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import TypeAlias
else:
    import _signal as signal

Handler: TypeAlias = "Callable[[int, FrameType | None], object]"

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
RESIZED = signal.SIGWINCH


def name_of(number: int) -> str:
    """A signal's name without `SIG`, as the API takes it."""
    from signal import Signals

    return Signals(number).name.removeprefix("SIG")


class Raw:
    """Every byte of terminal `fd` to the container (cfmakeraw(3)); the old mode comes back however the block ends.

    SIGTERM and SIGHUP end the block by an exception, else they would leave a raw terminal behind. -1 = no terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._handled = _Handled((signal.SIGTERM, signal.SIGHUP) if fd >= 0 else (), _leave)

    def __enter__(self) -> None:
        if self._fd < 0:
            return
        import termios

        self._before = termios.tcgetattr(self._fd)
        self._handled.begin()
        try:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, _raw_mode(self._before))
        except BaseException:  # a signal that came in here: there will be no __exit__
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._fd < 0:
            return
        import termios

        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        self._handled.end()


def _raw_mode(mode: Sequence[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    import termios

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


class SignalPipe:
    """A descriptor on which the numbers of `signals` arrive, one byte each, instead of their usual effect.

    -1 where there are none to wait for.
    """

    def __init__(self, signals: Sequence[int]) -> None:
        self._signals = signals
        self._handled = _Handled(signals, lambda *_: None)

    def __enter__(self) -> int:
        if not self._signals:
            return -1
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._old = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handled.begin()
        return self._reader

    def __exit__(self, *_: object) -> None:
        if not self._signals:
            return
        self._handled.end()
        signal.set_wakeup_fd(self._old)
        os.close(self._reader)
        os.close(self._writer)


class _Handled:
    """`handler` for `signals` between `begin` and `end`; signals that are ignored stay ignored (nohup)."""

    def __init__(self, signals: Sequence[int], handler: Handler) -> None:
        self._signals = signals
        self._handler = handler

    def begin(self) -> None:
        before = {number: signal.getsignal(number) for number in self._signals}
        self._kept = {number: old for number, old in before.items() if old != signal.SIG_IGN}
        for number in self._kept:
            signal.signal(number, self._handler)

    def end(self) -> None:
        for number, old in self._kept.items():
            signal.signal(number, old)
