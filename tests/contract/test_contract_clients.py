"""Both clients, asked the same of one engine, give the same answers."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Iterator

import pytest
from asking import BOTH, Asking

from core.errors import Conflict, EngineError, InvalidArgument, NotFound, NotModified
from tests.integration.conftest import EngineUnderTest, unframe
from tests.support.images import busybox_archive

pytestmark = pytest.mark.root


@pytest.fixture(params=BOTH)
def asking(request: pytest.FixtureRequest, engine: EngineUnderTest) -> Iterator[Asking]:
    yield request.param(engine.host)
    engine.remove_all()


CAT = {
    "Image": "busybox",
    "Cmd": ["cat"],
    "OpenStdin": True,
    "StdinOnce": True,
    "HostConfig": {"NetworkMode": "none"},
}


def test_answers_with_and_without_a_body(asking: Asking) -> None:
    made = asking.post("/containers/create", CAT, name="c1")
    assert len(made["Id"]) == 64
    assert asking.get("/containers/json") == []
    assert [found["Id"] for found in asking.get("/containers/json", all=True)] == [made["Id"]]
    assert asking.post("/containers/c1/start") is None
    assert asking.get("/containers/c1/json")["State"]["Status"] == "running"
    assert asking.delete("/containers/c1", force=True) is None


def test_queries_of_every_kind(asking: Asking) -> None:
    asking.post("/containers/create", CAT | {"Labels": {"k": "ä b&c"}}, name="one")
    asking.post("/containers/create", CAT, name="two")
    found = asking.get("/containers/json", all=True, filters={"label": ["k=ä b&c"]}, limit=0, none=None)
    assert [item["Names"] for item in found] == [["/one"]]
    assert asking.get("/containers/json", all=False) == []
    assert len(asking.get("/containers/json", all=1, filters={})) == 2


@pytest.mark.parametrize(
    ("method", "path", "kind", "words"),
    [
        ("get", "/containers/nope/json", NotFound, "No such container: nope"),
        ("post", "/containers/c1/pause", Conflict, "is not running"),
        ("post", "/containers/create", InvalidArgument, "create request is not valid JSON"),
        ("get", "/nonsense", NotFound, "page not found"),
    ],
)
def test_failures_have_class_and_words(
    asking: Asking, method: str, path: str, kind: type[EngineError], words: str
) -> None:
    asking.post("/containers/create", CAT, name="c1")
    with pytest.raises(kind, match=words) as caught:
        getattr(asking, method)(path)
    assert type(caught.value) is kind


def test_what_is_so_already(asking: Asking) -> None:
    asking.post("/containers/create", CAT, name="c1")
    with pytest.raises(NotModified):
        asking.post("/containers/c1/stop")


def test_a_stream_of_values_to_its_end(asking: Asking, engine: EngineUnderTest) -> None:
    now = engine.client.get("/info")["SystemTime"]
    asking.post("/containers/create", CAT, name="c1")
    asking.delete("/containers/c1")
    until = engine.client.get("/info")["SystemTime"]
    events = asking.values("/events", since=now, until=until, filters={"type": ["container"]})
    assert [event["Action"] for event in events] == ["create", "destroy"]


def test_bytes_as_they_are(asking: Asking, engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "printf 'a\\0b\\377'; echo e >&2")
    engine.wait(ident)
    found = asking.data(f"/containers/{ident}/logs", stdout=True, stderr=True)
    assert sorted([found[:12], found[12:]]) == [
        b"\x01\x00\x00\x00\x00\x00\x00\x06a\x00b\xef", b"\x02\x00\x00\x00\x00\x00\x00\x02e\n"
    ] or b"a\0b" in found  # fmt: skip
    assert len(asking.data("/images/get", names="busybox")) == len(
        engine.client.open("GET", "/images/busybox/get").read()
    )


def test_an_upload_and_what_is_said_of_it(asking: Asking) -> None:
    with busybox_archive("up:1") as archive:
        said = asking.upload("/images/load", archive)
    assert said[-1] == {"stream": "Loaded image: up:1\n"}
    said = asking.upload("/images/load", io.BytesIO(b"nonsense" * 200))
    assert "error" in said[-1] and "errorDetail" in said[-1]


def test_a_stream_taken_over_is_read_to_its_end(asking: Asking) -> None:
    asking.post("/containers/create", CAT, name="c1")
    sock, early = asking.hijack("/containers/c1/attach", stream=True, stdin=True, stdout=True)
    with contextlib.closing(sock):
        asking.post("/containers/c1/start")
        sent = os.urandom(300_000).hex().encode()
        got = bytearray(early)
        sock.settimeout(20)
        at = 0
        while at < len(sent):
            at += sock.send(sent[at : at + 32768])
            got += sock.recv(65536)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            got += piece
    assert unframe(bytes(got)).encode() == sent
    assert asking.post("/containers/c1/wait") == {"Error": None, "StatusCode": 0}


def test_a_stream_is_refused_with_the_reason(asking: Asking) -> None:
    with pytest.raises(NotFound, match="No such container: nope"):
        asking.hijack("/containers/nope/attach", stream=True)
