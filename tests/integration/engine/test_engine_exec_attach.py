"""An exec that a client has left is still there, and can be come back to."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from core.client.aclient import AsyncClient, HijackedSocket
from core.errors import Conflict, NotFound
from tests.integration.conftest import EngineUnderTest, unframe, wait_until

pytestmark = pytest.mark.root
SHELL = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": True}
ALL = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"}


@pytest.fixture
def ident(engine: EngineUnderTest) -> Iterator[str]:
    made = engine.run("sleep", "1000")
    yield made
    engine.client.delete(f"/containers/{made}", {"force": "1"})


def begin(engine: EngineUnderTest, ident: str, *cmd: str, **config: Any) -> tuple[str, Any]:
    made = engine.client.post(f"/containers/{ident}/exec", None, {**SHELL, "Cmd": list(cmd), **config})["Id"]
    return made, engine.client.hijack(f"/exec/{made}/start", None, {"Tty": config.get("Tty", True)})


def read_until(sock: socket.socket, word: bytes, data: bytes = b"") -> bytes:
    sock.settimeout(20)
    while word not in data:
        piece = sock.recv(65536)
        assert piece, f"ended before {word!r}: {data!r}"
        data += piece
    return data


def read_all(sock: socket.socket, data: bytes = b"") -> bytes:
    sock.settimeout(20)
    while piece := sock.recv(65536):
        data += piece
    return data


def running(engine: EngineUnderTest, ident: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.get(f"/onggi/v1/containers/{ident}/execs")
    return found


def leave(stream: Any) -> None:
    stream.sock.sendall(b"\x10\x11")
    read_all(stream.sock)
    stream.close()


def test_left_by_the_detach_keys_and_come_back_to(engine: EngineUnderTest, ident: str) -> None:
    made, stream = begin(engine, ident, "sh")
    engine.client.post(f"/exec/{made}/resize", {"h": "33", "w": "99"})
    stream.sock.sendall(b"X=kept; echo one-$((1+1))\n")
    read_until(stream.sock, b"one-2\r\n", stream.early)
    leave(stream)
    (found,) = running(engine, ident)
    assert (found["ID"], found["Running"], found["ProcessConfig"]["tty"]) == (made, True, True)
    assert engine.inspect(ident)["ExecIDs"] == [made]
    back = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", {**ALL, "history": "1"})
    size = int(back.headers["onggi-history"])
    past = read_until(back.sock, b"one-2\r\n", back.early)
    assert size >= len(b"one-2\r\n") and b"one-2" in past[:size]
    back.sock.sendall(b"echo $X; stty size; exit 6\n")
    rest = read_all(back.sock)
    assert b"kept\r\n" in rest and b" 99\r\n" in rest
    back.close()
    assert engine.client.get(f"/exec/{made}/json")["ExitCode"] == 6
    assert running(engine, ident) == []
    with pytest.raises(Conflict, match="is not running"):
        engine.client.hijack(f"/onggi/v1/exec/{made}/attach", ALL)


def test_by_keys_of_one_s_own_and_by_several_at_once(engine: EngineUnderTest, ident: str) -> None:
    made, first = begin(engine, ident, "cat")
    second = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", {**ALL, "detachKeys": "ctrl-x,x"})
    second.sock.sendall(b"both\n")
    assert b"both" in read_until(first.sock, b"both\r\nboth", first.early)
    second.sock.sendall(b"\x10\x11not keys here\n\x18x")
    read_all(second.sock)
    second.close()
    read_until(first.sock, b"not keys here\r\n")
    first.sock.sendall(b"still\n")
    read_until(first.sock, b"still\r\nstill")
    first.close()
    wait_until(lambda: bool(running(engine, ident)), "a client that hangs up leaves the terminal's program")


def test_without_a_terminal_in_frames(engine: EngineUnderTest, ident: str) -> None:
    made = engine.client.post(f"/containers/{ident}/exec", None, {"Cmd": ["sh", "-c", "cat /data/f; echo e >&2"],
                              "AttachStdout": True, "AttachStderr": True})["Id"]  # fmt: skip
    root = f"/proc/{engine.state(ident)['Pid']}/root"
    os.mkfifo(f"{root}/data/f")
    engine.client.post(f"/exec/{made}/start", None, {"Detach": True})
    back = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", {**ALL, "history": "1"})
    assert "onggi-history" not in back.headers
    with open(f"{root}/data/f", "w", encoding="ascii") as pipe:
        pipe.write("through\n")
    assert sorted(unframe(read_all(back.sock, back.early)).splitlines()) == ["e", "through"]
    back.close()


def test_after_the_engine_was_killed(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    ident = engine.run("sleep", "1000")
    made, stream = begin(engine, ident, "sh", User="1000", Env=["A=b"])
    stream.sock.sendall(b"id -u; echo $A\n")
    read_until(stream.sock, b"b\r\n", stream.early)
    leave(stream)
    engine.kill_daemon()
    (found,) = running(engine, ident)
    assert found["ID"] == made and found["ContainerID"] == ident
    assert found["ProcessConfig"] == {
        "tty": True, "entrypoint": "sh", "arguments": [], "privileged": False, "user": "1000",
    }  # fmt: skip
    back = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", {**ALL, "history": "1"})
    assert b"1000" in read_until(back.sock, b"b\r\n", back.early)
    back.sock.sendall(b"exit 4\n")
    read_all(back.sock)
    back.close()
    assert engine.client.get(f"/exec/{made}/json")["ExitCode"] == 4


def test_what_cannot_be_attached_to(engine: EngineUnderTest, ident: str) -> None:
    with pytest.raises(NotFound, match="No such exec instance: nope"):
        engine.client.hijack("/onggi/v1/exec/nope/attach", ALL)
    made = engine.client.post(f"/containers/{ident}/exec", None, {**SHELL, "Cmd": ["sh"]})["Id"]
    with pytest.raises(Conflict, match="is not running"):
        engine.client.hijack(f"/onggi/v1/exec/{made}/attach", ALL)
    assert running(engine, ident) == []
    with pytest.raises(NotFound):
        running(engine, "nope")


def test_with_the_app_s_client(engine: EngineUnderTest, ident: str) -> None:
    async def story() -> tuple[bytes, int]:
        client = AsyncClient(engine.host)
        made = (await client.post(f"/containers/{ident}/exec", {**SHELL, "Cmd": ["sh"]}))["Id"]
        stream = await client.hijack(f"/exec/{made}/start", {"Tty": True})
        await send(stream, b"echo a$((1+0))\n")
        shown = stream.early
        while b"a1" not in shown:
            shown += await asyncio.get_running_loop().sock_recv(stream.sock, 65536)
        await send(stream, b"\x10\x11")
        await rest(stream)
        back: HijackedSocket = await client.hijack(
            f"/onggi/v1/exec/{made}/attach", stdin=True, stdout=True, history=True
        )
        await send(back, b"exit\n")
        return await rest(back), back.history

    async def send(stream: HijackedSocket, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(stream.sock, data)

    async def rest(stream: HijackedSocket) -> bytes:
        data = stream.early
        with closing(stream.sock):
            while piece := await asyncio.get_running_loop().sock_recv(stream.sock, 65536):
                data += piece
        return data

    data, history = asyncio.run(story())
    assert history > 0 and b"echo a$((1+0))" in data[: history + 200]


def test_many_that_come_and_go_leave_nothing(engine: EngineUnderTest, ident: str) -> None:
    made, stream = begin(engine, ident, "cat")
    stream.close()
    for _ in range(20):
        back = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", {**ALL, "history": "1"})
        back.sock.sendall(b"x\n")
        read_until(back.sock, b"x\r\n", back.early)
        back.close()
    assert len(running(engine, ident)) == 1
    back = engine.client.hijack(f"/onggi/v1/exec/{made}/attach", ALL)
    back.sock.sendall(b"\x04")
    read_all(back.sock, back.early)
    back.close()
    wait_until(lambda: not running(engine, ident), "its end is known")
