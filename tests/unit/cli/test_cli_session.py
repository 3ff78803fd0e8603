"""A stream joined to descriptors 0, 1 and 2 of a process of its own, and the wait that outlives engines."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.context import Context
from core.cli.exitwatch import ExitWatch
from core.wire.streams import STDERR, STDOUT, frame
from tests.support.scripted_server import Server

SCRIPT = """
import socket, sys
from core.cli.main import failure_code
from core.cli.session import Session

class Stream:
    sock = socket.socket(fileno=int(sys.argv[1]))
    early = bytes.fromhex(sys.argv[2])
    close = sock.close

def act():
    session = Session(Stream, tty=False, stdin=sys.argv[3] == "stdin", keys=b"", outputs=frozenset({1, 2}))
    assert session.run() is False
    return 0

sys.exit(failure_code(act))
"""


class Joined:
    """A session in a process, and the container's end of its stream."""

    def __init__(self, early: bytes = b"", stdin: bool = True) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(20)
        argv = [sys.executable, "-c", SCRIPT, str(theirs.fileno()), early.hex(), "stdin" if stdin else "none"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=[theirs.fileno()])
        theirs.close()

    def end(self) -> tuple[int, bytes, bytes]:
        """The container ends: exit code, stdout, stderr."""
        self.sock.close()
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def test_frames_go_each_to_its_own_stream_however_they_are_cut() -> None:
    data = frame(STDOUT, b"out\n") + frame(STDERR, b"err\n") + frame(STDOUT, b"more\n")
    joined = Joined(early=data[:5])
    for byte in data[5:]:
        joined.sock.sendall(bytes([byte]))
    assert joined.end() == (0, b"out\nmore\n", b"err\n")


def test_what_is_no_frame_is_told() -> None:
    joined = Joined()
    joined.sock.sendall(b"this is no frame")
    code, out, err = joined.end()
    assert (code, out) == (125, b"")
    assert err.startswith(b"the stream is broken: ")


def test_the_end_of_input_is_a_half_close_and_output_goes_on() -> None:
    joined = Joined()
    assert joined.process.stdin
    joined.process.stdin.write(b"typed")
    joined.process.stdin.close()
    joined.process.stdin = None
    got = b""
    while piece := joined.sock.recv(100):
        got += piece
    assert got == b"typed"
    joined.sock.sendall(frame(STDOUT, b"answer"))
    assert joined.end() == (0, b"answer", b"")


def test_without_input_the_stream_is_half_closed_at_once() -> None:
    joined = Joined(stdin=False)
    assert joined.sock.recv(100) == b""
    assert joined.end() == (0, b"", b"")


def test_output_is_whole_when_the_container_ends_without_having_read_its_input() -> None:
    joined = Joined()
    assert joined.process.stdin
    joined.process.stdin.write(bytes(30_000))
    joined.process.stdin.flush()
    assert joined.sock.recv(1) == b"\0"
    for _ in range(40):
        joined.sock.sendall(frame(STDOUT, b"x" * 1000))
    code, out, _ = joined.end()
    assert (code, len(out)) == (0, 40_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "s")
    yield found
    found.close()


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def conditions(server: Server) -> list[bytes]:
    return [request.partition(b"condition=")[2].split(b" ")[0] for request in server.requests]


def test_a_wait_is_asked_again_of_the_next_engine(server: Server) -> None:
    answers = [HEAD, HEAD, b"", HEAD + answer(b'{"Error":null,"StatusCode":9}')]
    server.serve = lambda _, sock: sock.sendall(answers.pop(0))
    watch = ExitWatch(Context(server.host, []), "c1", removed=False)
    watch.open()
    assert watch.finish() == 9
    assert conditions(server) == [b"next-exit", b"not-running", b"not-running", b"not-running"]


def test_a_wait_for_a_removed_container_stays_one(server: Server) -> None:
    server.say(HEAD, answer(b'{"StatusCode":3}'))
    watch = ExitWatch(Context(server.host, []), "c1", removed=True)
    watch.open()
    assert (watch.finish(), conditions(server)) == (3, [b"removed"])


def test_a_container_that_is_gone_has_an_unknown_code(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [HEAD, b'HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n{"message":"no x"}']
    server.serve = lambda _, sock: sock.sendall(answers.pop(0))
    watch = ExitWatch(Context(server.host, []), "c1", removed=True)
    watch.open()
    assert watch.finish() == 125
    assert "its exit code is not known" in capsys.readouterr().err


def test_a_failure_of_the_wait_is_told(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.say(HEAD, answer(b'{"Error":{"Message":"it broke"},"StatusCode":0}'))
    watch = ExitWatch(Context(server.host, []), "c1", removed=False)
    watch.open(running=True)
    assert watch.finish() == 125
    assert capsys.readouterr().err == "Error waiting for container: it broke\n"
