"""Attaching: streams through the shim, parked clients, and logs."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from core import errors
from core.client.transport import Stream
from tests.integration.conftest import EngineUnderTest, unframe, wait_until

pytestmark = pytest.mark.root
ALL = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"}
INTERACTIVE = {"OpenStdin": True, "StdinOnce": True}


def read_all(stream: Stream) -> bytes:
    data = stream.early
    while piece := stream.sock.recv(65536):
        data += piece
    stream.close()
    return data


def read_until(stream: Stream, word: bytes) -> bytes:
    stream.sock.settimeout(10)
    data = stream.early
    while word not in data:
        piece = stream.sock.recv(65536)
        assert piece, f"ended before {word!r}: {data!r}"
        data += piece
    return data


def test_a_client_that_attached_before_the_start_gets_everything(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", "-c", "echo out; cat; echo err >&2", **INTERACTIVE)
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    stream.sock.sendall(b"typed early\n")
    stream.sock.shutdown(socket.SHUT_WR)
    engine.client.post(f"/containers/{ident}/start")
    assert sorted(unframe(read_all(stream)).splitlines()) == ["err", "out", "typed early"]
    assert engine.wait(ident) == 0
    engine.client.delete(f"/containers/{ident}")


def test_a_terminal_is_raw_and_echoes(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", Tty=True, **INTERACTIVE)
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    assert stream.headers["content-type"] == "application/vnd.docker.raw-stream"
    engine.client.post(f"/containers/{ident}/start")
    engine.client.post(f"/containers/{ident}/resize", {"h": "33", "w": "111"})
    stream.sock.sendall(b"stty size; echo $((20+3))\n")
    assert b"33 111" in read_until(stream, b"\r\n23\r\n")
    stream.sock.sendall(b"exit 5\n")
    read_all(stream)
    assert engine.wait(ident) == 5
    engine.client.delete(f"/containers/{ident}")


def test_a_backspace_takes_a_whole_character(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", "-c", "stty -echo; echo ready; head -n 2; echo done", Tty=True, **INTERACTIVE)
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    engine.client.post(f"/containers/{ident}/start")
    read_until(stream, b"ready\r\n")
    stream.sock.sendall("한글\x7f옹\n항아리\x17기\n".encode())
    assert "한옹\r\n기\r\n".encode() in read_until(stream, b"done")
    read_all(stream)
    engine.wait(ident)
    engine.client.delete(f"/containers/{ident}")


def test_attaching_to_what_stops_at_that_moment_is_refused(engine: EngineUnderTest) -> None:
    ident = engine.create("sleep", "1000", Tty=True, **INTERACTIVE)
    engine.client.post(f"/containers/{ident}/start")
    keeper = engine.shim_pid(ident)
    os.kill(keeper, signal.SIGSTOP)  # neither it nor its worker will take the client any more
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    workers = [int(pid) for pid in children if int(pid) != engine.state(ident)["Pid"]]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    refused: list[str] = []
    asking = threading.Thread(target=lambda: refused.append(_refusal(engine, ident)), daemon=True)
    asking.start()
    events = engine.client.open("GET", "/events", {"since": "1", "filters": json.dumps({"container": [ident]})})
    assert any(event["Action"] == "attach" for event in events.values())  # the engine gives the socket away now
    events.close()
    for pid in (keeper, *workers):
        os.kill(pid, signal.SIGKILL)
    asking.join(20)
    assert refused == [f"Container {ident} is not running"]
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def _refusal(engine: EngineUnderTest, ident: str) -> str:
    try:
        engine.client.hijack(f"/containers/{ident}/attach", ALL).close()
    except errors.Conflict as error:
        return error.message
    return "a stream"


def test_detach_keys_let_the_client_go_and_the_container_run(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", Tty=True, **INTERACTIVE)
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    engine.client.post(f"/containers/{ident}/start")
    read_until(stream, b"#")
    stream.sock.sendall(b"\x10\x11")
    read_all(stream)
    assert engine.state(ident)["Running"]
    again = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    again.sock.sendall(b"echo back\n")
    read_until(again, b"\r\nback\r\n")
    again.close()
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_a_viewer_with_history_sees_what_was(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", Tty=True, **INTERACTIVE)
    engine.client.post(f"/containers/{ident}/start")
    first = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    first.sock.sendall(b"echo a$((1+1))b\n")
    read_until(first, b"\r\na2b\r\n")
    first.close()
    second = engine.client.hijack(f"/containers/{ident}/attach", {**ALL, "history": "1", "viewer": "1"})
    assert int(second.headers["onggi-history"]) > 0
    assert b"a2b" in read_until(second, b"a2b")
    second.close()
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_wrong_detach_keys_are_refused_before_the_stream(engine: EngineUnderTest) -> None:
    ident = engine.create("sh")
    with pytest.raises(errors.InvalidArgument, match="Invalid detach keys"):
        engine.client.hijack(f"/containers/{ident}/attach", {**ALL, "detachKeys": "ctrl-1"})
    engine.client.delete(f"/containers/{ident}")


def test_a_parked_client_is_let_go_with_its_container(engine: EngineUnderTest) -> None:
    ident = engine.create("sh")
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    engine.client.delete(f"/containers/{ident}")
    assert read_all(stream) == b""


def test_parked_clients_that_leave_cost_nothing(engine: EngineUnderTest) -> None:
    ident = engine.create("sh")
    folder = Path(f"/proc/{engine.daemon_pid()}/fd")
    before = len(list(folder.iterdir()))
    for _ in range(50):
        engine.client.hijack(f"/containers/{ident}/attach", ALL).close()
    wait_until(lambda: len(list(folder.iterdir())) <= before + 2, "the engine closes what left")
    engine.client.delete(f"/containers/{ident}")


def test_logs_follow_to_the_end(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    query = {"stdout": "1", "stderr": "1", "follow": "1"}
    assert unframe(engine.client.open("GET", f"/containers/{ident}/logs", query).read()) == "1\n2\n3\n"
    tail = {"stdout": "1", "tail": "2", "timestamps": "1"}
    lines = unframe(engine.client.open("GET", f"/containers/{ident}/logs", tail).read()).splitlines()
    assert [line.split(" ")[1] for line in lines] == ["2", "3"]
    assert lines[0][:2] == "20" and lines[0].split(" ")[0].endswith("Z")
    with pytest.raises(errors.InvalidArgument, match="you must choose at least one stream"):
        engine.client.open("GET", f"/containers/{ident}/logs", {})
    engine.client.delete(f"/containers/{ident}")


def test_a_slow_reader_loses_nothing(engine: EngineUnderTest) -> None:
    size = 20_000_000
    ident = engine.create("head", "-c", str(size), "/dev/zero", host={"LogConfig": {"Type": "none"}})
    stream = engine.client.hijack(f"/containers/{ident}/attach", {"stream": "1", "stdout": "1"})
    engine.client.post(f"/containers/{ident}/start")
    wait_until(lambda: engine.state(ident)["Running"], "it runs, held by its reader")
    assert len(unframe(read_all(stream))) == size
    assert engine.wait(ident) == 0
    engine.client.delete(f"/containers/{ident}")
