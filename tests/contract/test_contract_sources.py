"""Every terminal source keeps to `TerminalSource`: whatever it is read from, the app's terminal sees the same."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from core.client.aclient import AsyncClient
from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import Dockerd, private_dockerd
from tests.support.dockerd import available as dockerd_available
from tests.support.images import busybox_archive
from tui.leaving import KeptPty, KeptSource
from tui.terminal.source import FdSource, PtySource, TerminalSource

# Raw and silent, so that what is written comes back once, a line at a time, up to the line "end".
ECHO = (
    "stty raw -echo 2>/dev/null; echo ready; "
    """while IFS= read -r x; do [ "$x" = end ] && exit; printf '%s\\n' "$x"; done"""
)
ENVIRONMENT = {"PATH": os.environ["PATH"], "TERM": "xterm"}

Making = Callable[[ExitStack, pytest.FixtureRequest], TerminalSource]


def nothing() -> None:
    """Nobody types detach keys here."""


def over_a_socket(stack: ExitStack, request: pytest.FixtureRequest) -> int:
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sh", "-c", ECHO], stdin=theirs, stdout=theirs, env=ENVIRONMENT)
    theirs.close()
    stack.callback(process.wait)
    stack.callback(process.kill)
    return ours.detach()


def plain(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    return FdSource(over_a_socket(stack, request))


def kept(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    return KeptSource(over_a_socket(stack, request), left=nothing)


def pty(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    return PtySource(["sh", "-c", ECHO], env=ENVIRONMENT)


def kept_pty(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    return KeptPty(["sh", "-c", ECHO], env=ENVIRONMENT, left=nothing)


def attached(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    """A container's terminal, through the engine."""
    engine: EngineUnderTest = request.getfixturevalue("engine")
    ident = engine.create("sh", "-c", ECHO, Tty=True, OpenStdin=True)
    stack.callback(engine.client.delete, f"/containers/{ident}", {"force": "1"})
    return attach(engine.host, ident)


def attach(host: str, ident: str) -> TerminalSource:
    """As the app does it."""

    async def work() -> int:
        client = AsyncClient(host)
        stream = await client.hijack(f"/containers/{ident}/attach", stream=True, stdin=True, stdout=True)
        await client.post(f"/containers/{ident}/start")
        assert not stream.early
        return stream.sock.detach()

    return FdSource(asyncio.run(work()))


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    """Docker's own engine with the image busybox."""
    if not dockerd_available():
        pytest.skip("needs dockerd")
    with private_dockerd() as daemon, busybox_archive() as image:
        daemon.run("load", stdin=image.read())
        yield daemon


def attached_to_docker(stack: ExitStack, request: pytest.FixtureRequest) -> TerminalSource:
    """The same through Docker's engine."""
    daemon: Dockerd = request.getfixturevalue("dockerd")
    ident = daemon.run("create", "-it", "--network", "none", "busybox", "sh", "-c", ECHO).strip()
    stack.callback(daemon.run, "rm", "-f", ident)
    return attach(daemon.host, ident)


@pytest.fixture(
    params=[
        plain,
        kept,
        pty,
        kept_pty,
        pytest.param(attached, marks=pytest.mark.root),
        pytest.param(attached_to_docker, marks=[pytest.mark.root, pytest.mark.docker]),
    ],
    ids=lambda making: making.__name__,
)
def source(request: pytest.FixtureRequest) -> Iterator[TerminalSource]:
    with ExitStack() as stack:
        made: TerminalSource = request.param(stack, request)
        stack.callback(made.close)
        read_until(made, b"ready")
        yield made


def read(source: TerminalSource, size: int = 65536) -> bytes | None:
    """What comes next, as a loop would read it."""
    poll = select.poll()
    poll.register(source.fileno(), select.POLLIN)
    assert poll.poll(20_000), "nothing comes"
    return source.read_nonblocking(size)


def read_until(source: TerminalSource, word: bytes) -> bytes:
    data = b""
    while word not in data:
        piece = read(source)
        assert piece != b"", f"ended before {word!r}: {data!r}"
        data += piece or b""
    while source.read_nonblocking(65536):
        pass
    return data


def test_nothing_now_is_not_the_end(source: TerminalSource) -> None:
    assert source.fileno() >= 0
    assert source.read_nonblocking(100) is None
    assert source.pending == 0


def test_what_is_written_comes_back_in_pieces_of_the_size_asked_for(source: TerminalSource) -> None:
    assert source.write("한글 abc\n".encode())
    first = read(source, 4)
    assert first == "한글".encode()[:4]
    rest = b""
    while b"abc" not in rest:
        rest += read(source) or b""
    assert (first + rest).strip() == "한글 abc".encode()


def test_the_end_is_told_again_and_again(source: TerminalSource) -> None:
    assert source.write(b"end\n")
    deadline = time.monotonic() + 20
    while (found := read(source)) != b"":
        assert found is None or not found.strip()
        assert time.monotonic() < deadline
    assert source.read_nonblocking(10) == b""
    source.flush()
    source.write(b"into the void\n")
    assert source.read_nonblocking(10) == b""


def test_what_does_not_fit_is_kept_in_order(source: TerminalSource) -> None:
    lines = [b"%06d %s\n" % (number, b"." * 60) for number in range(2500)]
    for line in lines:
        assert source.write(line)
    seen = b""
    last = lines[-1].strip()
    while last not in seen:
        source.flush()
        seen += read(source) or b""
    assert [line.strip() for line in seen.split(b"\n") if line.strip()] == [line.strip() for line in lines]
    assert source.pending == 0


def test_too_much_that_waits_is_refused_whole(source: TerminalSource) -> None:
    assert not source.write(b"x" * (2 << 20))
    assert source.pending == 0
    assert source.write(b"still here\n")
    assert b"still here" in read_until(source, b"here")


def test_a_size_can_always_be_told(source: TerminalSource) -> None:
    source.resize(100, 30)


def test_closing_twice_and_using_what_is_closed(source: TerminalSource) -> None:
    source.close()
    source.close()
    assert source.fileno() == -1
    assert not source.write(b"x")
    source.flush()
    source.resize(80, 24)
    assert source.pending == 0
