"""When frames come, and how they reach the terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
import tty
from contextlib import suppress
from time import monotonic

import pytest

from tui.terminal.frames import FrameClock
from tui.terminal.output import Output
from tui.terminal.pump import Pump
from tui.terminal.screen import FastScreen
from tui.terminal.source import PtySource
from tui.terminal.stream import FastStream


class Film:
    """Frames, by when they were shown."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.clock = FrameClock(lambda: self.times.append(monotonic()), lambda: False, lambda: False)

    async def second(self) -> float:
        """Wait for the second frame; the time between the two."""
        async with asyncio.timeout(10):
            while len(self.times) < 2:  # noqa: ASYNC110 -- a frame has no event
                await asyncio.sleep(0.001)
        return self.times[1] - self.times[0]


async def test_a_key_hastens_the_frame_that_a_flood_has_put_off() -> None:
    patient, hasty = Film(), Film()
    for film in (patient, hasty):
        film.clock.want(flooding=True)
        film.clock.want(flooding=True)
    assert (len(patient.times), len(hasty.times)) == (1, 1)
    hasty.clock.hurry()
    assert await patient.second() >= 0.02
    assert hasty.times[1] < patient.times[1]


async def test_calm_output_hastens_it_too_and_nothing_delays_it() -> None:
    film = Film()
    film.clock.want(flooding=True)
    film.clock.want(flooding=True)
    film.clock.want()
    film.clock.want(flooding=True)
    await film.second()
    assert len(film.times) == 2


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 10)
    except BlockingIOError:
        return b""


async def test_what_a_terminal_does_not_take_waits_in_order_and_the_loop_does_not() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs, termios.TCSANOW)
    os.set_blocking(ours, False)
    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        output = Output(file, asyncio.get_running_loop())
        text = "".join(f"{n:07d}" for n in range(100_000))
        output.write(text)
        output.write("항")
        assert output.pending
        got = b""
        async with asyncio.timeout(20):
            while len(got) < len(text) + 3:
                await asyncio.sleep(0)
                with suppress(BlockingIOError):
                    got += os.read(ours, 65536)
        assert got.decode() == f"{text}항"
        assert not output.pending
        output.hold()
        output.write("a")
        with pytest.raises(BlockingIOError):
            os.read(ours, 10)
        output.release()
        async with asyncio.timeout(10):
            while (got := got[-1:] + _read(ours))[-1:] != b"a":  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        output.close()
    os.close(ours)


async def test_a_flood_from_a_pty_is_noticed_and_shown_to_its_end() -> None:
    screen = FastScreen(80, 24)
    source = PtySource(["sh", "-c", "yes | head -n 500000; echo done; sleep 10"])
    source.resize(80, 24)
    ended: list[int] = []
    pump = Pump(source, FastStream(screen), lambda: None, lambda: ended.append(1))
    flooded = False
    try:
        async with asyncio.timeout(30):
            while screen.display[22].strip() != "done":
                await asyncio.sleep(0.001)
                flooded = flooded or pump.flooding
    finally:
        pump.stop()
        source.close()
    assert flooded
