"""Answers that break off or are no answers at all: both clients say that the engine cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import BOTH, Asking

from core.errors import EngineError, EngineUnreachable
from tests.support.scripted_server import Server

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "s")
    yield made
    made.close()


@pytest.fixture(params=BOTH)
def asking(request: pytest.FixtureRequest, server: Server) -> Asking:
    made: Asking = request.param(server.host)
    return made


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        OK + b"Content-Length: 40\r\n\r\n{}",
        OK + b"Content-Length: few\r\n\r\n{}",
        CHUNKED + b"2\r\n{}\r\n",
        CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
        OK + b"Content-Length: 8\r\n\r\nnonsense",
    ],
    ids=["nothing", "not http", "half a head", "cut", "no length", "no last chunk", "no chunk size", "no json"],
)
@pytest.mark.parametrize("call", ["get", "values"])
def test_what_is_no_answer(asking: Asking, server: Server, answer: bytes, call: str) -> None:
    server.say(answer)
    with pytest.raises(EngineUnreachable):
        getattr(asking, call)("/x")


@pytest.mark.parametrize(
    "pieces",
    [
        (OK, b"Content-Length: 17\r\n\r\n", b'{"a"', b': 1}\n{"b"', b":2}\n"),
        (CHUNKED, b'4\r\n{"a"\r\n', b'b\r\n: 1}\n{"b":2\r\n', b"2\r\n}\n\r\n0\r\n\r\n"),
        (OK, b'Connection: close\r\n\r\n{"a": 1}\r\n', b'\r\n{"b":2}'),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED,
            b'9\r\n{"a": 1}\n\r\n',
            b'8\r\n{"b":2}\n\r\n0\r\nTrailer: x\r\n\r\n',
        ),
    ],
    ids=["length", "chunks", "to the end", "continue, trailers"],
)
def test_values_in_every_wrapping(asking: Asking, server: Server, pieces: tuple[bytes, ...]) -> None:
    server.say(*pieces)
    assert asking.values("/x") == [{"a": 1}, {"b": 2}]


def test_the_reason_of_a_failure_without_json(asking: Asking, server: Server) -> None:
    server.say(b"HTTP/1.1 500 Oops\r\nContent-Length: 13\r\n\r\nit fell over\n")
    with pytest.raises(EngineError, match=r"^it fell over$"):
        asking.get("/x")


def test_an_answer_without_a_body(asking: Asking, server: Server) -> None:
    server.say(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert asking.delete("/x") is None
