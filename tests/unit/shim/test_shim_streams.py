"""Attach over real sockets, pipes and terminals; the test plays process and client on the shim's own loop."""

from __future__ import annotations

import os
import socket
import struct
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.logs.writer import LogWriter
from core.shim import attach
from core.shim.attach import AttachOptions
from core.shim.history import History
from core.shim.loop import Loop
from core.shim.stdio import ProcessEnds, open_pipes
from core.shim.stdio import terminal as terminal_of
from core.shim.streams import Streams


class Stage:
    """A Streams with the process's ends in the test's hand."""

    def __init__(self, *, terminal: bool = False, stdin: bool = True, log: LogWriter | None = None) -> None:
        self.loop = Loop()
        self.detached = 0
        self.peers: list[socket.socket] = []
        self.history = History()
        self.streams = Streams(
            self.loop,
            tty=terminal,
            stdin_once=True,
            log=log,
            history=self.history,
            on_detach=self._note,
        )
        self.terminal = terminal
        self.stdin = stdin
        self.ends: ProcessEnds | None = None

    def _note(self) -> None:
        self.detached += 1

    def start(self) -> ProcessEnds:
        if self.terminal:
            master, slave = os.openpty()
            tty.setraw(slave)
            channels, self.ends = terminal_of(master, stdin=self.stdin), ProcessEnds((slave, slave, slave))
        else:
            channels, self.ends = open_pipes(stdin=self.stdin)
        for fd in set(self.ends.stdio):
            os.set_blocking(fd, False)
        self.streams.bind(channels)
        return self.ends

    def attach(self, **options: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.streams.attach(theirs.detach(), AttachOptions(**options))  # type: ignore[arg-type]
        self.peers.append(ours)
        return ours

    def until(self, condition: Callable[[], bool], seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            self.loop.step(0.05)

    def settle(self) -> None:
        for _ in range(50):
            self.loop.step(0)

    def receive(self, peer: socket.socket, size: int) -> bytes:
        data = bytearray()
        self.until(lambda: len(take(peer, data)) >= size)
        return bytes(data)

    def write(self, data: bytes, stream: int = 1) -> int:
        """Write as the process as much as goes without blocking."""
        assert self.ends
        done = 0
        while done < len(data):
            try:
                done += os.write(self.ends.stdio[stream], data[done : done + 65536])
            except BlockingIOError:
                break
        return done

    def read_stdin(self, size: int = 65536) -> bytes | None:
        assert self.ends
        try:
            return os.read(self.ends.stdio[0], size)
        except BlockingIOError:
            return None

    def exit(self) -> None:
        assert self.ends
        self.ends.close()
        self.ends = None
        self.streams.finish()

    def close(self) -> None:
        if self.ends:
            self.exit()
        self.streams.close()
        self.loop.close()
        for peer in self.peers:
            peer.close()


def take(peer: socket.socket, data: bytearray) -> bytearray:
    try:
        while piece := peer.recv(1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data


def at_end(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.fixture
def pipes() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def terminal() -> Iterator[Stage]:
    stage = Stage(terminal=True)
    yield stage
    stage.close()


def frames(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        stream, size = struct.unpack(">BxxxL", data[:8])
        found.append((stream, data[8 : 8 + size]))
        data = data[8 + size :]
    return found


def test_without_a_terminal_output_comes_in_frames(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    pipes.write(b"out", 1)
    first = pipes.receive(peer, 11)
    pipes.write(b"error", 2)
    assert frames(first + pipes.receive(peer, 13)) == [(1, b"out"), (2, b"error")]


def test_a_client_gets_only_the_streams_it_asked_for(pipes: Stage) -> None:
    pipes.start()
    peer, both = pipes.attach(stdout=False), pipes.attach()
    pipes.write(b"out", 1)
    pipes.receive(both, 11)
    pipes.write(b"error", 2)
    assert frames(pipes.receive(peer, 13)) == [(2, b"error")]


def test_clients_that_came_before_the_start_miss_nothing(pipes: Stage) -> None:
    peer = pipes.attach()
    peer.sendall(b"early input")
    peer.shutdown(socket.SHUT_WR)
    pipes.settle()
    pipes.start()
    pipes.write(b"first")
    assert frames(pipes.receive(peer, 13)) == [(1, b"first")]
    assert pipes.read_stdin() == b"early input"
    assert pipes.read_stdin() == b""


def test_early_bytes_come_first(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach(early=b"abc")
    peer.sendall(b"def")
    pipes.settle()
    assert pipes.read_stdin() == b"abcdef"


def test_half_close_is_end_of_stdin_and_output_goes_on(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    peer.sendall(b"a line\n")
    peer.shutdown(socket.SHUT_WR)
    pipes.settle()
    assert (pipes.read_stdin(), pipes.read_stdin()) == (b"a line\n", b"")
    pipes.write(b"answer")
    assert frames(pipes.receive(peer, 14)) == [(1, b"answer")]


def test_a_half_closed_client_does_not_spin(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    peer.shutdown(socket.SHUT_WR)
    pipes.settle()
    began = time.monotonic()
    pipes.loop.step(0.05)
    assert time.monotonic() - began >= 0.045


def test_what_a_client_typed_before_it_left_arrives(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    peer.sendall(b"x" * 100_000)
    peer.close()
    got = bytearray()

    def drained() -> bool:
        while piece := pipes.read_stdin():
            got.extend(piece)
        return len(got) == 100_000

    pipes.until(drained)
    pipes.until(lambda: pipes.read_stdin() == b"" and pipes.streams.empty)


def test_stdin_without_a_client_stays_open(pipes: Stage) -> None:
    pipes.start()
    pipes.settle()
    assert pipes.read_stdin() is None


def test_without_stdin_the_process_reads_the_null_device() -> None:
    stage = Stage(stdin=False)
    stage.start()
    stage.attach().sendall(b"ignored")
    stage.settle()
    assert stage.read_stdin() == b""
    stage.close()


def test_a_process_that_closes_its_stdin_is_no_error(pipes: Stage) -> None:
    ends = pipes.start()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, ends.stdio[0])
    os.close(null)
    peer = pipes.attach()
    peer.sendall(b"nobody reads this")
    pipes.settle()
    pipes.write(b"alive")
    assert frames(pipes.receive(peer, 13)) == [(1, b"alive")]


def test_a_slow_pipeline_holds_the_process_and_loses_no_byte(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    sent = 0
    for _ in range(200):
        sent += pipes.write(bytes(65536))
        pipes.settle()
    assert sent < 4_000_000, "the process was never held back"
    stuck = pipes.write(bytes(65536))
    pipes.settle()
    assert pipes.write(b"x") == 0
    data = bytearray()
    total = sent + stuck
    pipes.until(lambda: sum(len(part) for _, part in frames_so_far(take(peer, data))) >= total)
    assert sum(len(part) for _, part in frames(bytes(data))) == total


def frames_so_far(data: bytearray) -> list[tuple[int, bytes]]:
    whole, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if at + 8 + size > len(data):
            break
        whole.append((data[at], bytes(data[at + 8 : at + 8 + size])))
        at += 8 + size
    return whole


def test_a_pipeline_client_gets_the_rest_after_the_exit(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    total = 0
    for _ in range(40):
        total += pipes.write(bytes(65536))
        pipes.settle()
    pipes.exit()
    assert not pipes.streams.empty
    data = bytearray()
    pipes.until(lambda: bool(take(peer, data)) and pipes.streams.empty)
    take(peer, data)
    assert sum(len(part) for _, part in frames(bytes(data))) == total
    assert at_end(peer)


def test_a_viewer_never_holds_the_process(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach(viewer=True)
    sent = 0
    for _ in range(100):
        sent += pipes.write(bytes(65536))
        pipes.settle()
    assert sent == 100 * 65536
    pipes.write(b"the end")
    pipes.settle()
    data = bytearray()
    pipes.until(lambda: take(peer, data).endswith(b"the end"))
    assert frames(bytes(data)), "frames stay whole"
    assert len(data) < 3_000_000


def test_a_stopped_terminal_client_is_passed_over_and_caught_up(
    terminal: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "STALL_LIMIT", 0.05)
    terminal.start()
    terminal.streams.resize(24, 80)
    peer = terminal.attach()

    def flowing() -> bool:
        return terminal.write(b"y" * 4096) > 0 and terminal.history.end > 2_000_000

    terminal.until(flowing, seconds=20)
    terminal.until(lambda: terminal.write(b"Z") == 1)
    data = bytearray()
    terminal.until(lambda: take(peer, data).endswith(b"Z"))
    assert 256 * 1024 <= len(data) < 1_000_000


def test_terminal_output_is_raw_and_goes_to_all(terminal: Stage) -> None:
    terminal.start()
    one, two = terminal.attach(), terminal.attach()
    terminal.write(b"\x1b[1mhello")
    assert terminal.receive(one, 9) == terminal.receive(two, 9) == b"\x1b[1mhello"


def test_detach_keys_close_one_client_only(terminal: Stage) -> None:
    terminal.start()
    one, two = terminal.attach(), terminal.attach()
    one.sendall(b"ab\x10\x11")
    terminal.until(lambda: at_end(one))
    assert terminal.detached == 1
    assert terminal.read_stdin() == b"ab"
    two.sendall(b"c")
    terminal.settle()
    assert terminal.read_stdin() == b"c"


def test_detach_keys_work_while_the_process_reads_nothing(terminal: Stage) -> None:
    terminal.start()
    peer = terminal.attach()
    peer.sendall(b"x" * 60_000)
    terminal.settle()
    peer.sendall(b"\x10\x11")
    terminal.until(lambda: at_end(peer))


def test_without_a_terminal_detach_keys_are_bytes(pipes: Stage) -> None:
    pipes.start()
    pipes.attach().sendall(b"\x10\x11")
    pipes.settle()
    assert pipes.read_stdin() == b"\x10\x11"


def test_a_lone_prefix_arrives_after_a_while(terminal: Stage) -> None:
    terminal.start()
    terminal.attach().sendall(b"\x10")
    terminal.settle()
    assert terminal.read_stdin() is None
    got: list[bytes | None] = []

    def arrived() -> bool:
        got.append(terminal.read_stdin())
        return got[-1] is not None

    terminal.until(arrived)
    assert got[-1] == b"\x10"


def size_of(fd: int) -> tuple[int, int]:
    return termios.tcgetwinsize(fd)


def test_resize_before_and_after_the_start(terminal: Stage) -> None:
    terminal.streams.resize(40, 120)
    ends = terminal.start()
    assert size_of(ends.stdio[0]) == (40, 120)
    terminal.streams.resize(24, 80)
    assert size_of(ends.stdio[0]) == (24, 80)


def test_history_says_how_long_it_is_and_repaints(terminal: Stage) -> None:
    ends = terminal.start()
    terminal.streams.resize(24, 80)
    terminal.write(b"the screen")
    terminal.until(lambda: terminal.history.end == 10)
    peer = terminal.attach(history=True, head="HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n")
    expected = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nOnggi-History: 10\r\n\r\nthe screen"
    assert terminal.receive(peer, len(expected)) == expected
    assert size_of(ends.stdio[0]) == (23, 80)
    terminal.until(lambda: size_of(ends.stdio[0]) == (24, 80))


def test_history_of_pipes_is_whole_frames(pipes: Stage) -> None:
    pipes.start()
    pipes.write(b"out", 1)
    pipes.settle()
    pipes.write(b"err", 2)
    pipes.settle()
    peer = pipes.attach(history=True, head="H\r\n")
    head, _, rest = pipes.receive(peer, 44).partition(b"\r\n\r\n")
    assert head == b"H\r\nOnggi-History: 22"
    assert frames(rest) == [(1, b"out"), (2, b"err")]


def test_a_head_without_history_is_just_ended(pipes: Stage) -> None:
    pipes.start()
    assert pipes.receive(pipes.attach(head="H\r\n"), 5) == b"H\r\n\r\n"


def test_exit_delivers_the_rest_to_log_and_clients(tmp_path: Path) -> None:
    stage = Stage(log=LogWriter(str(tmp_path / "log")))
    stage.start()
    peer = stage.attach()
    stage.write(b"last words")
    stage.exit()
    assert frames(stage.receive(peer, 18)) == [(1, b"last words")]
    assert at_end(peer)
    assert b'"log":"last words"' in (tmp_path / "log").read_bytes()
    assert stage.streams.empty
    stage.close()


def test_the_same_streams_serve_a_restarted_process(terminal: Stage) -> None:
    terminal.start()
    terminal.streams.resize(30, 90)
    first = terminal.attach()
    terminal.write(b"one")
    terminal.receive(first, 3)
    terminal.exit()
    assert at_end(first)
    ends = terminal.start()
    assert size_of(ends.stdio[0]) == (30, 90)
    second = terminal.attach(history=True, head="H\r\n")
    terminal.receive(second, len(b"H\r\nOnggi-History: 3\r\n\r\none"))
    terminal.write(b"two")
    assert terminal.receive(second, 3) == b"two"


def test_a_flood_of_small_pieces_is_read_in_large_ones(pipes: Stage) -> None:
    pipes.start()
    peer = pipes.attach()
    data, written = bytearray(), 0
    while written < 8_000_000:
        for _ in range(16):
            written += pipes.write(bytes(4096))
        pipes.loop.step(0)
        take(peer, data)
    pipes.until(lambda: sum(len(part) for _, part in frames_so_far(take(peer, data))) == written)
    assert len(frames(bytes(data))) < written // 4096 // 2
