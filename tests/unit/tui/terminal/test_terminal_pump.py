"""A flood leaves the loop to others, and what is left is not waited for."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from tui.terminal.pump import Pump
from tui.terminal.screen import FastScreen
from tui.terminal.session import Session
from tui.terminal.source import FdSource
from tui.terminal.stream import FastStream

# nothing of it can be skipped
_DENSE = b"".join(b"\x1b[%d;%dH\x1b[3%dmtext" % (n % 24 + 1, n % 70 + 1, n % 8) for n in range(3000))


class Ends:
    """A pump over one end of a pair of sockets; the other end is the program's."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.source = FdSource(ours.detach())
        self.screen = FastScreen(80, 24)
        self.ended: list[float] = []
        self.pump = Pump(self.source, FastStream(self.screen), lambda: None, lambda: self.ended.append(monotonic()))

    async def flood(self, data: bytes) -> None:
        """Write `data` again and again."""
        while True:
            await asyncio.get_running_loop().sock_sendall(self.theirs, data)

    def close(self) -> None:
        self.pump.stop()
        self.source.close()
        self.theirs.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_others_take_many_steps_between_two_of_a_flood(stack: ExitStack) -> None:
    ends = Ends()
    stack.callback(ends.close)
    batches = 0

    def executed() -> None:
        nonlocal batches
        batches += 1

    ends.pump._on_output = executed
    flood = asyncio.create_task(ends.flood(_DENSE))
    stack.callback(flood.cancel)
    async with asyncio.timeout(20):
        while not ends.pump.flooding:  # noqa: ASYNC110 -- no event tells
            await asyncio.sleep(0.001)
        before = batches
        for _ in range(300):
            await asyncio.sleep(0)
    assert ends.pump.flooding
    assert batches - before <= 300 / 16


async def test_the_end_of_what_is_left_comes_before_what_is_in_front_of_it(stack: ExitStack) -> None:
    ends = Ends()
    stack.callback(ends.close)
    ends.theirs.send(b"shown")
    await _until(lambda: ends.screen.display[0].startswith("shown"))
    ends.pump.expect_end()
    ends.theirs.send(b"\x1b[2J and not this")
    ends.theirs.close()
    await _until(lambda: bool(ends.ended))
    assert ends.screen.display[0].rstrip() == "shown"
    assert len(ends.ended) == 1


async def test_if_no_end_comes_nothing_of_it_is_lost(stack: ExitStack) -> None:
    ends = Ends()
    stack.callback(ends.close)
    ends.theirs.send("한\r\n".encode()[:2])  # cut within a character
    ends.pump.expect_end()
    ends.theirs.send("한\r\n".encode()[2:])
    ends.theirs.send(b"second\r\n")
    await asyncio.sleep(0.05)
    assert not ends.screen.display[1].strip()
    ends.pump.expect_end()  # typed again
    await _until(lambda: ends.screen.display[1].startswith("second"))
    ends.theirs.send(b"third")
    await _until(lambda: ends.screen.display[2].startswith("third"))
    assert ends.screen.rows[0].chars[0] == "한"
    assert not ends.ended


async def test_what_is_held_is_bounded(stack: ExitStack) -> None:
    ends = Ends()
    stack.callback(ends.close)
    ends.pump.expect_end()
    flood = asyncio.create_task(ends.flood(b"line\r\n" * 10_000))
    stack.callback(flood.cancel)
    most = 0
    async with asyncio.timeout(20):
        while not ends.screen.display[0].strip():
            most = max(most, sum(map(len, ends.pump._held)))
            await asyncio.sleep(0)
    assert most < 5 << 20


class Quiet:
    """Hears nothing but the end."""

    def __init__(self) -> None:
        self.ended = 0

    def output_came(self) -> None: ...

    def source_ended(self) -> None:
        self.ended += 1

    def keys_went(self, taken: bool) -> None: ...

    def keys_held(self, held: bool) -> None: ...


async def test_the_detach_keys_end_a_session_before_its_flood_is_executed(stack: ExitStack) -> None:
    ours, theirs = socket.socketpair()
    stack.callback(theirs.close)
    watcher = Quiet()
    session = Session(watcher)
    stack.callback(session.stop)
    session.start(FdSource(ours.detach()))
    session.send(b"\x10")
    session.send(b"\x11")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    theirs.send(_DENSE[:20_000] + b"\x1b[H\x1b[2Jlast")
    assert os.read(theirs.fileno(), 10) == b"\x10\x11"
    theirs.close()
    await _until(lambda: watcher.ended == 1)
    assert not session.screen.display[0].startswith("last")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
