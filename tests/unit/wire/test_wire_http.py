"""HTTP over raw sockets: both ends of a socketpair."""

from __future__ import annotations

import asyncio
import socket

import pytest

from core.errors import EngineUnreachable, InvalidArgument
from core.wire.hangup import Hangups
from core.wire.http import ClientConnection, ConnectionLost, ServerConnection, hijack_head


def ends() -> tuple[ServerConnection, ClientConnection]:
    one, other = socket.socketpair()
    return ServerConnection(one), ClientConnection(other)


async def test_two_requests_use_one_connection() -> None:
    server, client = ends()

    async def serve() -> None:
        for _ in range(2):
            head = await server.next_request()
            assert head is not None
            await server.respond(200, [("X-Target", head.target)], await server.read_body(100))
            assert server.again()

    async def ask(target: str) -> bytes:
        await client.request("POST", target, [("Content-Type", "text/plain")], b"hello")
        head = await client.response()
        assert (head.status, head.reason, head.headers["x-target"]) == (200, "OK", target)
        body = await client.read_body(100)
        assert client.again()
        return body

    task = asyncio.create_task(serve())
    assert await ask("/one") == b"hello"
    assert await ask("/two?x=1") == b"hello"
    await task
    client.close()
    assert await server.next_request() is None
    server.close()


async def test_a_body_in_pieces_arrives_in_pieces() -> None:
    server, client = ends()
    await client.request("GET", "/", [])
    await server.next_request()
    assert await server.read_body(10) == b""
    await server.start(200, [])
    assert (await client.response()).headers["transfer-encoding"] == "chunked"
    body = client.body()
    for piece in (b"one", b"two"):
        await server.send(piece)
        assert await anext(body) == piece
    await server.finish()
    assert [piece async for piece in body] == []
    server.close()
    client.close()


async def test_a_hijacked_connection_gives_the_socket_and_what_came_early() -> None:
    server, client = ends()
    await client.request("POST", "/attach", [("Connection", "Upgrade"), ("Upgrade", "tcp")], b"{}")
    await asyncio.get_running_loop().sock_sendall(client.sock, b"early")
    head = await server.next_request()
    assert head is not None and head.headers["upgrade"] == "tcp"
    assert await server.read_body(10) == b"{}"
    sock, early = server.detach()
    assert early == b"early"
    await asyncio.get_running_loop().sock_sendall(sock, hijack_head("application/x", upgrade=True) + b"raw")
    assert (await client.response()).status == 101
    assert client.detach()[1] == b"raw"
    server.close()
    client.close()


def test_a_hijack_without_upgrade_is_a_200_without_a_length() -> None:
    head = hijack_head("application/x", upgrade=False)
    assert head == b"HTTP/1.1 200 OK\r\nContent-Type: application/x\r\n\r\n"


async def test_no_content_has_no_body_and_keeps_the_connection() -> None:
    server, client = ends()
    await client.request("POST", "/", [])
    await server.next_request()
    await server.read_body(0)
    await server.respond(204, [], b"ignored")
    assert (await client.response()).status == 204
    assert await client.read_body(0) == b""
    assert client.again() and server.again()
    server.close()
    client.close()


async def test_a_body_that_is_too_large_is_refused() -> None:
    server, client = ends()
    await client.request("POST", "/", [], b"x" * 11)
    await server.next_request()
    with pytest.raises(InvalidArgument, match="larger than 10 bytes"):
        await server.read_body(10)
    server.close()
    client.close()


@pytest.mark.parametrize("junk", [b"\x16\x03\x01 nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"X" * 70_000])
async def test_what_is_not_http_is_the_clients_mistake(junk: bytes) -> None:
    one, other = socket.socketpair()
    server = ServerConnection(one)
    other.sendall(junk)
    other.shutdown(socket.SHUT_WR)
    with pytest.raises(InvalidArgument, match="bad request"):
        await server.next_request()
    one.close()
    other.close()


async def test_a_body_cut_short_is_a_lost_connection() -> None:
    one, other = socket.socketpair()
    server = ServerConnection(one)
    other.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    other.close()
    await server.next_request()
    with pytest.raises(ConnectionLost):
        await server.read_body(100)
    one.close()


async def test_expecting_clients_are_told_to_go_on() -> None:
    one, other = socket.socketpair()
    server = ServerConnection(one)
    other.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    await server.next_request()
    reading = asyncio.create_task(server.read_body(10))
    other.setblocking(False)
    assert (await asyncio.get_running_loop().sock_recv(other, 100)).startswith(b"HTTP/1.1 100 ")
    other.sendall(b"ok")
    assert await reading == b"ok"
    one.close()
    other.close()


async def test_an_engine_that_hangs_up_is_unreachable() -> None:
    server, client = ends()
    await client.request("GET", "/", [])
    server.close()
    with pytest.raises(EngineUnreachable):
        await client.response()
    client.close()


async def test_a_half_closed_client_has_not_hung_up_and_a_closed_one_has() -> None:
    hangups = Hangups()
    half_ours, half_theirs = socket.socketpair()
    gone_ours, gone_theirs = socket.socketpair()
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    hangups.watch(half_ours, lambda: gone.set_result("half"))
    hangups.watch(gone_ours, lambda: gone.set_result("whole"))
    half_theirs.shutdown(socket.SHUT_WR)
    gone_theirs.close()
    assert await gone == "whole"
    hangups.forget(half_ours)
    hangups.forget(gone_ours)
    for sock in (half_ours, half_theirs, gone_ours):
        sock.close()
    hangups.close()


async def test_an_engine_that_dies_before_its_answer_is_said_to_have_closed() -> None:
    ours, theirs = socket.socketpair()
    client = ClientConnection(ours)
    await client.request("GET", "/_ping", [])
    theirs.close()
    with pytest.raises(EngineUnreachable, match="closed the connection without an answer"):
        await client.response()
    client.close()
