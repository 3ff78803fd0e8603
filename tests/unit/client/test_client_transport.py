"""Both clients against a server of scripted bytes: they must take what HTTP allows and refuse what it does not."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.client import transport
from core.client.aclient import AsyncClient
from core.client.address import chosen_host, default_host, parse_host, quote, target
from core.client.transport import Client
from core.errors import (
    Conflict,
    EngineError,
    EngineUnreachable,
    InvalidArgument,
    NotFound,
    NotModified,
    Unsupported,
)
from core.paths import Paths
from tests.support.scripted_server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "s")
    yield found
    found.close()


def sync_get(host: str) -> Any:
    return Client(host).get("/x")


def async_get(host: str) -> Any:
    return asyncio.run(AsyncClient(host).get("/x"))


both = pytest.mark.parametrize("get", [sync_get, async_get], ids=["blocking", "asyncio"])

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@both
@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b'Content-Length: 7\r\n\r\n{"a":1}'],
        [HEAD + b"content-length:7\r\n", b'\r\n{"a"', b":1}"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n", b'{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n'],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n7\r\n", b'{"a":1}\r\n0\r\nTrailer: x\r\n\r\n'],
        [HEAD + b'Connection: close\r\n\r\n{"a":', b"1}"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b'Content-Length: 7\r\n\r\n{"a":1}'],
        [bytes([byte]) for byte in HEAD + b'Content-Length: 7\r\n\r\n{"a":1}'],
    ],
    ids=["length", "pieces", "chunked", "trailer", "until close", "continue", "byte by byte"],
)
def test_a_body_however_it_comes(server: Server, get: Callable[[str], Any], pieces: list[bytes]) -> None:
    server.say(*pieces)
    assert get(server.host) == {"a": 1}


@both
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-x\r\n\r\n",
        HEAD + b'Content-Length: 9\r\n\r\n{"a":1}',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"a":1}',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n{"a":1}',
        HEAD + b"Content-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000,
    ],
    ids=["nothing", "half a head", "no http", "short", "short chunk", "bad chunk", "no json", "endless head"],
)
def test_an_answer_that_breaks_off_or_is_none(server: Server, get: Callable[[str], Any], answer: bytes) -> None:
    server.say(answer)
    with pytest.raises(EngineUnreachable):
        get(server.host)


@both
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidArgument),
        (404, NotFound),
        (409, Conflict),
        (500, EngineError),
        (501, Unsupported),
        (418, EngineError),
    ],
)
def test_a_failure_is_an_error_that_says_what_to_do(
    server: Server, get: Callable[[str], Any], status: int, kind: type[EngineError]
) -> None:
    server.say(f"HTTP/1.1 {status} X\r\nContent-Length: 18\r\n\r\n".encode() + b'{"message":"no x"}')
    with pytest.raises(kind) as caught:
        get(server.host)
    assert type(caught.value) is kind
    assert str(caught.value) == "no x"


@both
def test_a_failure_without_a_message_still_says_something(server: Server, get: Callable[[str], Any]) -> None:
    server.say(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(EngineError, match="the engine answered with status 500"):
        get(server.host)


def test_not_modified_is_fine_for_a_command_and_told_to_the_app(server: Server) -> None:
    server.say(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    assert Client(server.host).post("/x") is None
    with pytest.raises(NotModified):
        asyncio.run(AsyncClient(server.host).post("/x"))


def test_a_request_is_what_was_asked(server: Server) -> None:
    server.say(b"HTTP/1.1 204 No Content\r\n\r\n")
    query = {"name": "a b/c", "all": True, "off": None, "no": False, "names": ["x", "y"], "filters": {"a": ["b"]}}
    assert Client(server.host).post("/p", query, {"k": "한"}) is None
    asyncio.run(AsyncClient(server.host).post("/p", {"k": "한"}, **query))
    for request in server.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        filters = b"filters=%7B%22a%22%3A%20%5B%22b%22%5D%7D"
        assert head.startswith(b"POST /p?name=a%20b%2Fc&all=1&no=0&names=x&names=y&" + filters + b" HTTP/1.1\r\n")
        assert b"content-type: application/json" in head.lower()
        assert json.loads(body) == {"k": "한"}


STREAM = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_values_come_as_soon_as_they_are_whole(server: Server) -> None:
    told = threading.Event()

    def serve(_: bytes, sock: socket.socket) -> None:
        sock.sendall(STREAM + chunk(b'{"a":1}\r\n{"b"') + chunk(b":2}\n"))
        assert told.wait(10)
        sock.sendall(chunk(b'{"c":3}{"d":4}\n\n{"e":5}') + b"0\r\n\r\n")

    server.serve = serve
    values = Client(server.host).open("GET", "/events").values()
    assert [next(values), next(values)] == [{"a": 1}, {"b": 2}]
    told.set()
    assert list(values) == [{"c": 3}, {"d": 4}, {"e": 5}]


async def test_the_app_gets_values_as_soon_as_they_are_whole(server: Server) -> None:
    told = threading.Event()

    def serve(_: bytes, sock: socket.socket) -> None:
        sock.sendall(STREAM + chunk(b'{"a":1}\r\n{"b"') + chunk(b":2}\n"))
        assert told.wait(10)
        sock.sendall(chunk(b'{"c":3}') + b"0\r\n\r\n")

    server.serve = serve
    found = []
    async for value in AsyncClient(server.host).stream("/events"):
        found.append(value)
        if value == {"b": 2}:
            told.set()
    assert found == [{"a": 1}, {"b": 2}, {"c": 3}]


def _upgrade(head: bytes, sock: socket.socket) -> None:
    assert b"Upgrade: tcp" in head
    sock.sendall(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nOnggi-History: 5\r\n\r\nearly")
    sock.sendall(sock.recv(100).upper())
    sock.recv(100)


def test_a_taken_over_connection_keeps_its_early_bytes(server: Server) -> None:
    server.serve = _upgrade
    stream = Client(server.host).hijack("/attach")
    assert stream.headers["onggi-history"] == "5"
    stream.sock.sendall(b"typed")
    data = stream.early
    while len(data) < 10:
        data += stream.sock.recv(100)
    assert data == b"earlyTYPED"
    stream.close()


async def test_the_app_takes_a_connection_over(server: Server) -> None:
    server.serve = _upgrade
    stream = await AsyncClient(server.host).hijack("/attach", {"Tty": True})
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(stream.sock, b"typed")
    data = stream.early
    while len(data) < 10:
        data += await loop.sock_recv(stream.sock, 100)
    assert (stream.history, data) == (5, b"earlyTYPED")
    stream.sock.close()


def test_a_refused_take_over_is_its_error(server: Server) -> None:
    server.say(b'HTTP/1.1 409 Conflict\r\nContent-Length: 20\r\n\r\n{"message":"paused"}')
    with pytest.raises(Conflict, match="paused"):
        Client(server.host).hijack("/attach")
    with pytest.raises(Conflict, match="paused"):
        asyncio.run(AsyncClient(server.host).hijack("/attach"))


def _body(request: bytes) -> bytes:
    rest, data = request.partition(b"\r\n\r\n")[2], b""
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        start = rest.index(b"\r\n") + 2
        data += rest[start : start + size]
        rest = rest[start + size + 2 :]
    return data


def test_a_file_is_sent_in_chunks_with_progress(server: Server) -> None:
    data = os.urandom(2_500_000)
    server.say(STREAM, chunk(b'{"stream":"ok"}'), b"0\r\n\r\n")
    seen: list[int] = []
    response = Client(server.host).open("POST", "/load", None, io.BytesIO(data), progress=seen.append)
    assert list(response.values()) == [{"stream": "ok"}]
    assert _body(server.requests[-1]) == data
    assert seen == sorted(seen) and seen[-1] == len(data)


async def test_the_app_sends_and_keeps_files(server: Server) -> None:
    data = os.urandom(1_500_000)
    server.say(STREAM, chunk(b'{"stream":"ok"}'), b"0\r\n\r\n")
    seen: list[tuple[int, int]] = []
    client = AsyncClient(server.host)
    found = [
        v async for v in client.upload("/load", io.BytesIO(data), lambda done, all_: seen.append((done, all_)))
    ]
    assert found == [{"stream": "ok"}]
    assert _body(server.requests[-1]) == data
    assert seen[-1] == (len(data), len(data))
    server.say(STREAM, chunk(data), b"0\r\n\r\n")
    kept = io.BytesIO()
    assert await client.download("/get", kept) == len(data)
    assert kept.getvalue() == data


def test_an_engine_that_refuses_early_is_heard(server: Server, tmp_path: Path) -> None:
    """It answers and closes while the client still sends: the answer counts, not the broken pipe."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "early"))
    listener.listen()

    def refuse() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(10)
            sock.sendall(b'HTTP/1.1 400 Bad\r\nContent-Length: 18\r\n\r\n{"message":"no x"}')
            sock.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=refuse)
    thread.start()
    with pytest.raises(InvalidArgument, match="no x"):
        Client(f"unix://{tmp_path}/early").open("POST", "/load", None, io.BytesIO(bytes(1 << 24)))
    thread.join()
    listener.close()


def test_nobody_there(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/nobody"
    with pytest.raises(FileNotFoundError):
        Client(host).get("/x")
    with pytest.raises(EngineUnreachable, match=r"cannot connect to the engine at unix://.*: no such file"):
        asyncio.run(AsyncClient(host).get("/x"))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("unix:///run/x.sock", "/run/x.sock"),
        ("/run/x.sock", "/run/x.sock"),
        ("tcp://127.0.0.1:2375", ("127.0.0.1", 2375)),
        ("tcp://localhost", ("localhost", 2375)),
        ("tcp://[::1]:99", ("::1", 99)),
    ],
)
def test_hosts(host: str, address: object) -> None:
    assert parse_host(host) == address


@pytest.mark.parametrize("host", ["", "unix://x", "ssh://x", "tcp://", "tcp://x:99999", "x"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid host"):
        parse_host(host)


def test_the_default_host_is_where_paths_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for run in ("", "/tmp/x"):
        monkeypatch.setenv("ONGGI_RUN", run)
        assert default_host() == f"unix://{Paths.from_environment().socket}"
    monkeypatch.setenv("ONGGI_HOST", "unix:///a")
    assert chosen_host(None) == "unix:///a"
    assert chosen_host("unix:///b") == "unix:///b"


def test_quoting() -> None:
    assert quote("a-b_c.~/ 한\udcff") == "a-b_c.~%2F%20%ED%95%9C%FF"
    assert target("/x", {"a": "", "b": None}) == "/x?a="


def test_an_engine_that_says_nothing_is_given_up_and_a_slow_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "SILENCE", 0.02)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "silent"))
    listener.listen()
    with pytest.raises(EngineUnreachable, match="takes connections and does not answer"):
        Client(f"unix://{tmp_path}/silent").get("/x")
    listener.close()

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "slow"))
    listener.listen()

    def serve() -> None:
        slow, _ = listener.accept()
        with slow:
            for _ in range(3):  # it answers pings meanwhile
                ping, _ = listener.accept()
                with ping:
                    assert ping.recv(100).startswith(b"GET /_ping ")
                    ping.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
            slow.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve)
    thread.start()
    assert Client(f"unix://{tmp_path}/slow").post("/containers/x/stop") == {}
    thread.join()
    listener.close()
