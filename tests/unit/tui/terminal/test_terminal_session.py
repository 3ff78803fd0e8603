"""A session over a real pty and a real socket."""

import asyncio
import os
import socket
from collections.abc import Callable

import pytest

from tui.terminal.session import Session
from tui.terminal.source import FdSource, PtySource


class Seen:
    """Collects what a session tells."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.output = asyncio.Event()
        self.released = asyncio.Event()
        self.held: list[bool] = []
        self.taken: list[bool] = []

    def output_came(self) -> None:
        self.output.set()

    def source_ended(self) -> None:
        self.ended.set()

    def keys_went(self, taken: bool) -> None:
        self.taken.append(taken)

    def keys_held(self, held: bool) -> None:
        self.held.append(held)
        if not held:
            self.released.set()


async def until(seen: Seen, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            seen.output.clear()
            await seen.output.wait()


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def test_a_shell(seen: Seen) -> None:
    session = Session(seen)
    session.start(PtySource(["sh"], env={"PS1": "$ ", "TERM": "xterm", "PATH": os.environ["PATH"]}))
    await until(seen, lambda: session.screen.display[0].startswith("$ "))
    session.resize(40, 10)
    session.send(b"stty size; exit\r")
    async with asyncio.timeout(60):
        await seen.ended.wait()
    assert "10 40" in [row.strip() for row in session.screen.display]
    assert session.source is None


async def test_much_output_comes_whole_and_the_loop_stays_free(seen: Seen) -> None:
    session = Session(seen)
    session.start(PtySource(["seq", "200000"]))
    longest = 0.0
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        while not seen.ended.is_set():
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)
    assert session.screen.display[-2].strip() == "200000"
    assert longest < 1.0  # generous: shared machines stall


async def test_a_socket_that_does_not_read_refuses_at_last(seen: Seen) -> None:
    ours, theirs = socket.socketpair()
    session = Session(seen)
    session.start(FdSource(ours.detach()))
    for _ in range(40):
        session.send(b"x" * 65536)
    await asyncio.sleep(0)
    assert seen.taken[0] and not seen.taken[-1]
    sent = 65536 * sum(seen.taken)
    got = 0
    theirs.setblocking(False)
    async with asyncio.timeout(60):
        while got < sent:
            got += len(await asyncio.get_running_loop().sock_recv(theirs, 1 << 20))
    session.send(b"again")
    assert await asyncio.get_running_loop().sock_recv(theirs, 10) == b"again"
    session.stop()
    assert await asyncio.get_running_loop().sock_recv(theirs, 10) == b""
    theirs.close()


async def test_questions_are_answered_but_not_those_of_history(seen: Seen) -> None:
    ours, theirs = socket.socketpair()
    session = Session(seen)
    session.start(FdSource(ours.detach()))
    session.replay(b"old\x1b[6n\x1b[c")
    theirs.sendall(b"\r\nnew\x1b[6n")
    theirs.setblocking(False)
    async with asyncio.timeout(60):
        assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b"\x1b[2;4R"
    assert session.screen.display[0].startswith("old")
    theirs.close()
    async with asyncio.timeout(60):
        await seen.ended.wait()


async def test_a_lone_first_detach_key_is_released(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.session.RELEASE", 0.01)
    ours, theirs = socket.socketpair()
    session = Session(seen)
    session.start(FdSource(ours.detach()))
    session.send(b"\x10")
    async with asyncio.timeout(60):
        await seen.released.wait()
    assert seen.held == [True, False]
    session.send(b"\x10")
    session.send(b"\x11")
    await asyncio.sleep(0)
    assert seen.held == [True, False]  # typed at once: nothing was held for anybody to see
    session.stop()
    theirs.close()


async def test_an_answer_never_stands_between_the_detach_keys(seen: Seen) -> None:
    ours, theirs = socket.socketpair()
    session = Session(seen)
    session.start(FdSource(ours.detach()))
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    session.send(b"\x10")
    theirs.sendall(b"$ \x1b[6n\x1b]2;asked\x07")
    async with asyncio.timeout(60):
        while session.screen.title != "asked":  # noqa: ASYNC110 -- a title has no event of its own
            await asyncio.sleep(0)
    session.send(b"\x11")
    got = b""
    async with asyncio.timeout(60):
        while len(got) < 8:
            got += await loop.sock_recv(theirs, 100)
    assert got == b"\x10\x11\x1b[1;3R"
    session.stop()
    theirs.close()
