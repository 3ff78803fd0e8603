"""The server with real sockets and routes of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from core.api.routing import Answer, Reply, Request, Route, Stream, Table, TakenOver, json_reply
from core.api.server import Server
from core.engine.engine import Engine
from core.errors import Conflict
from core.wire.hangup import Hangups
from core.wire.http import ClientConnection, ConnectionLost

ended = asyncio.Event()


async def echo(engine: Engine, request: Request) -> Answer:
    return json_reply({"id": request.id, "body": request.body.decode(), "all": request.flag("all")}, 201)


async def conflict(engine: Engine, request: Request) -> Answer:
    raise Conflict("it is so")


async def crash(engine: Engine, request: Request) -> Answer:
    raise RuntimeError("boom")


async def forever(engine: Engine, request: Request) -> Answer:
    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    return Stream(pieces(), "text/plain")


async def broken(engine: Engine, request: Request) -> Answer:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise RuntimeError("boom")

    return Stream(pieces(), "text/plain")


async def hijack(engine: Engine, request: Request) -> Answer:
    sock, early = request.take_over()
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request.stream_head(tty=False) + early)
    sock.close()
    return TakenOver()


async def upload(engine: Engine, request: Request) -> Answer:
    size = 0
    async for piece in request.connection.body():
        size += len(piece)
    return Reply(200, str(size).encode())


async def deaf(engine: Engine, request: Request) -> Answer:
    raise Conflict("not listening")


TABLE = Table(
    (
        Route("POST", "/echo/{id}", echo),
        Route("GET", "/conflict", conflict),
        Route("GET", "/crash", crash),
        Route("GET", "/forever", forever),
        Route("GET", "/broken", broken),
        Route("POST", "/hijack", hijack),
        Route("POST", "/upload", upload, streams_body=True),
        Route("POST", "/deaf", deaf, streams_body=True),
    )
)


@asynccontextmanager
async def client() -> AsyncIterator[ClientConnection]:
    hangups = Hangups()
    server = Server(cast(Engine, None), TABLE, hangups)
    ours, theirs = socket.socketpair()
    server.adopt(theirs)
    connection = ClientConnection(ours)
    try:
        yield connection
    finally:
        connection.close()
        await server.close()
        hangups.close()


async def ask(connection: ClientConnection, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
    await connection.request(method, target, [], body)
    head = await connection.response()
    assert head.headers["api-version"] == "1.47"
    answer = await connection.read_body(1 << 20)
    connection.again()
    return head.status, json.loads(answer)


async def test_answers_and_errors_keep_the_connection() -> None:
    async with client() as connection:
        assert await ask(connection, "POST", "/v1.41/echo/x?all=true", b"hi") == (
            201,
            {"id": "x", "body": "hi", "all": True},
        )
        assert await ask(connection, "GET", "/conflict") == (409, {"message": "it is so"})
        assert await ask(connection, "GET", "/nope") == (404, {"message": "page not found"})
        status, error = await ask(connection, "GET", "/v1.99/x")
        assert (status, error["message"][:28]) == (400, "client version 1.99 is too n")


async def test_a_bug_is_a_500_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with client() as connection:
        assert await ask(connection, "GET", "/crash") == (500, {"message": "internal error: RuntimeError: boom"})
        assert await ask(connection, "GET", "/conflict") == (409, {"message": "it is so"})
    assert "GET /crash failed" in caplog.text


async def test_a_stream_ends_when_its_client_has_gone() -> None:
    ended.clear()
    async with client() as connection:
        await connection.request("GET", "/forever", [])
        assert (await connection.response()).status == 200
        assert await anext(connection.body()) == b"first"
        connection.close()
        async with asyncio.timeout(60):
            await ended.wait()


async def test_head_of_a_stream_is_its_head_alone() -> None:
    async with client() as connection, asyncio.timeout(60):
        for _ in range(2):
            await connection.request("HEAD", "/forever", [])
            head = await connection.response()
            assert (head.status, head.headers["content-type"]) == (200, "text/plain")
            assert await connection.read_body(1) == b""
            assert connection.again()


async def test_a_bug_inside_a_stream_cuts_it_short_and_is_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client() as connection, asyncio.timeout(60):
        await connection.request("GET", "/broken", [])
        assert (await connection.response()).status == 200
        with pytest.raises(ConnectionLost):
            await connection.read_body(100)
    assert "a connection failed" in caplog.text
    assert "boom" in caplog.text


async def test_a_taken_connection_is_left_alone() -> None:
    async with client() as connection:
        await connection.request("POST", "/hijack", [("Connection", "Upgrade"), ("Upgrade", "tcp")], b"")
        head = await connection.response()
        assert (head.status, head.headers["content-type"]) == (101, "application/vnd.docker.multiplexed-stream")


async def test_a_large_body_streams_and_one_nobody_reads_ends_the_connection() -> None:
    async with client() as connection:
        assert await ask(connection, "POST", "/upload", b"x" * 500_000) == (200, 500_000)
        await connection.start("POST", "/deaf", [("Host", "x"), ("Content-Length", "500")])
        head = await connection.response()
        assert (head.status, head.headers["connection"]) == (409, "close")


async def test_what_is_not_http_gets_a_400() -> None:
    async with client() as connection:
        await asyncio.get_running_loop().sock_sendall(connection.sock, b"\x16\x03\x01\r\n\r\n")
        answer = await asyncio.get_running_loop().sock_recv(connection.sock, 1000)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request")
        assert b'{"message":"bad request: ' in answer
