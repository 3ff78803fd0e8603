"""The routes of registries over real sockets, with a scripted service: what reaches whom, and as what."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from core.api.server import Server
from core.engine.events import Events
from core.errors import EngineError, NoSuchImage, Unauthorized
from core.model.events import Progress
from core.model.registry import Credentials
from core.oci.reference import Reference
from core.wire.credentials import HEADER, encode
from core.wire.http import ClientConnection, Headers
from tests.support.scripted_registry import DIGEST, MANIFEST, SAM, Scripted, serving


@dataclass
class Asker:
    """A client of routes that stand on a scripted service."""

    service: Scripted
    events: Events
    server: Server

    async def begin(self, method: str, target: str, headers: Headers, body: bytes = b"") -> ClientConnection:
        """A request on a connection of its own, the caller's to close."""
        ours, theirs = socket.socketpair()
        self.server.adopt(theirs)
        connection = ClientConnection(ours)
        await connection.request(method, quote(target, safe="/?=&:@"), headers, body)
        return connection

    async def __call__(
        self, method: str, target: str, body: bytes = b"", *, credentials: Credentials | None = None
    ) -> tuple[int, Any]:
        """Status and answer: one value, or the lines of a stream."""
        headers = [(HEADER, encode(credentials))] if credentials else []
        connection = await self.begin(method, target, headers, body)
        head = await connection.response()
        data = await connection.read_body(1 << 20)
        connection.close()
        lines = [json.loads(line) for line in data.splitlines()]
        return head.status, lines if "chunked" in head.headers.get("transfer-encoding", "") else lines[0]


@asynccontextmanager
async def asking(service: Scripted) -> AsyncIterator[Asker]:
    events = Events()
    server = serving(service, events)
    try:
        yield Asker(service, events, server)
    finally:
        await server.close()


STEPS = [Progress("a", "Downloading", 5, 10), Progress(status="Status: done")]
LINES = [
    {"status": "Downloading", "id": "a", "progressDetail": {"current": 5, "total": 10}},
    {"status": "Status: done"},
]


@pytest.mark.parametrize(
    ("query", "reference", "all_tags"),
    [
        ("fromImage=x&tag=1", "x:1", False),  # a short name may be an alias
        ("fromImage=docker.io/library/x&tag=1", "docker.io/library/x:1", False),  # and this one cannot
        ("fromImage=r.test/x:2", "r.test/x:2", False),
        ("fromImage=r.test/x", "r.test/x", True),
        ("fromImage=r.test/x:", "r.test/x", True),
        (f"fromImage=r.test/x:2&tag={DIGEST}", f"r.test/x@{DIGEST}", False),
    ],
)
async def test_pull(query: str, reference: str, all_tags: bool) -> None:
    async with asking(Scripted(STEPS)) as ask:
        answer = await ask("POST", f"/images/create?{query}&platform=linux/arm64", credentials=SAM)
        assert answer == (200, LINES)
        assert ask.service.asked == {
            "reference": reference, "all_tags": all_tags, "platform": "linux/arm64", "credentials": SAM,
        }  # fmt: skip
        (event,) = ask.events.recent()
        known = Reference.parse(reference)
        assert (event.type, event.action, event.id) == ("image", "pull", known.familiar)
        assert event.attributes == {"name": known.familiar_name}


async def test_what_fails_before_anything_was_told_is_a_status_and_no_event() -> None:
    failure = NoSuchImage("manifest for x:1 not found: manifest unknown: manifest unknown")
    async with asking(Scripted(failure=failure)) as ask:
        for _ in range(2):
            answer = await ask("POST", "/images/create?fromImage=x&tag=1")
            assert answer == (404, {"message": failure.message})
        assert ask.service.asked["credentials"] is None
        assert not ask.events.recent()


HEAD = Progress("1", "Pulling from library/x")
END = [Progress(status="Digest: sha256:00"), Progress(status="Status: whatever")]


def layer(name: str, *words: str) -> list[Progress]:
    return [Progress(name, word) for word in words]


async def words_of(service: Scripted) -> list[str]:
    async with asking(service) as ask:
        _, lines = await ask("POST", "/images/create?fromImage=x&tag=1")
        return [": ".join(filter(None, (line.get("id"), line["status"]))) for line in lines]


async def test_nothing_is_told_of_what_is_not_there() -> None:
    async with asking(Scripted([HEAD], NoSuchImage("not there"))) as ask:
        assert await ask("POST", "/images/create?fromImage=x&tag=1") == (404, {"message": "not there"})


async def test_nothing_is_told_of_the_layers_of_an_image_that_is_here() -> None:
    steps = [HEAD, *layer("a", "Pulling fs layer", "Already exists"), *END]
    assert await words_of(Scripted(steps, new=False)) == [
        "1: Pulling from library/x", "Digest: sha256:00", "Status: whatever",
    ]  # fmt: skip


async def test_a_layer_that_is_here_is_not_said_to_come() -> None:
    steps = [
        HEAD, *layer("a", "Pulling fs layer"), *layer("b", "Pulling fs layer"), *layer("a", "Already exists"),
        *layer("b", "Downloading", "Pull complete"), *END,
    ]  # fmt: skip
    assert await words_of(Scripted(steps)) == [
        "1: Pulling from library/x", "b: Pulling fs layer", "a: Already exists", "b: Downloading",
        "b: Pull complete", "Digest: sha256:00", "Status: whatever",
    ]  # fmt: skip
    assert await words_of(Scripted([HEAD, *steps[1:2], *steps[3:4], *END])) == [
        "1: Pulling from library/x", "a: Already exists", "Digest: sha256:00", "Status: whatever",
    ]  # fmt: skip


async def test_nobody_is_asked_for_a_password_by_a_status() -> None:
    async with asking(Scripted(failure=Unauthorized("who are you"))) as ask:
        assert await ask("POST", "/images/create?fromImage=x&tag=1") == (500, {"message": "who are you"})


async def test_what_fails_later_is_the_last_line() -> None:
    async with asking(Scripted(STEPS, EngineError("cut\nshort"))) as ask:
        status, lines = await ask("POST", "/images/create?fromImage=x&tag=1")
        assert (status, lines[:2]) == (200, LINES)
        assert lines[2] == {"errorDetail": {"message": "cut\\nshort"}, "error": "cut\\nshort"}
        assert not ask.events.recent()


async def test_a_name_that_is_none() -> None:
    async with asking(Scripted()) as ask:
        for target in (
            "/images/create?fromImage=BAD",
            "/images/create?fromImage=x&tag=-",
            "/images/create?fromImage=",
        ):
            assert (await ask("POST", target))[0] == 400
        assert not ask.service.asked


@pytest.mark.parametrize("steps", [[], STEPS])
async def test_a_client_that_leaves_ends_the_pull(steps: list[Progress]) -> None:
    service = Scripted(steps, endless=True)
    async with asking(service) as ask:
        connection = await ask.begin("POST", "/images/create?fromImage=x&tag=1", [])
        async with asyncio.timeout(60):
            await service.begun.wait()
            connection.close()
            await service.cancelled.wait()


async def test_push() -> None:
    async with asking(Scripted(STEPS)) as ask:
        status, lines = await ask("POST", "/images/r.test/x/push?tag=1", credentials=SAM)
        assert status == 200
        assert lines == [
            {"status": "The push refers to repository [r.test/x]"},
            *LINES,
            {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 942}},
        ]
        assert ask.service.asked == {"reference": "r.test/x:1", "all_tags": False, "credentials": SAM}
        assert (await ask("POST", "/images/r.test/x/push"))[0] == 200
        assert ask.service.asked == {"reference": "r.test/x", "all_tags": True, "credentials": None}
        assert [event.id for event in ask.events.recent()] == ["r.test/x:1", "r.test/x"]
        answer = await ask("POST", f"/images/r.test/x@{DIGEST}/push")
        assert answer == (400, {"message": "cannot push a digest reference"})


async def test_login(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"username": "sam", "password": "hunter2", "serveraddress": "r.test"}).encode()
    async with asking(Scripted()) as ask:
        assert await ask("POST", "/auth", body) == (200, {"Status": "Login Succeeded", "IdentityToken": ""})
        assert ask.service.asked == {"server": "r.test", "credentials": SAM}
        status, answer = await ask("POST", "/auth", body.replace(b"r.test", b"s.test"))
        assert (status, answer["IdentityToken"]) == (200, "token")
        ask.service.failure = Unauthorized("login attempt to r.test failed with status: 401 Unauthorized")
        assert (await ask("POST", "/auth", body))[0] == 401
        status, answer = await ask("POST", "/auth", b'{"password": ["hunter2"]}')
        assert status == 400 and "hunter2" not in answer["message"]
    assert "hunter2" not in caplog.text


async def test_search() -> None:
    async with asking(Scripted()) as ask:
        filters = '{"stars":["3"],"is-official":["true"]}'
        found = await ask("GET", f"/images/search?term=r.test/x&filters={filters}", credentials=SAM)
        hit = {"star_count": 3, "is_official": True, "name": "x", "is_automated": False, "description": "d"}
        assert found == (200, [hit])
        assert ask.service.asked == {
            "term": "r.test/x", "limit": 25, "filters": {"stars": ("3",), "is-official": ("true",)},
            "credentials": SAM,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=101", "limit 101 is outside the range of [1, 100]"),
        ("limit=-1", "limit -1 is outside the range of [1, 100]"),
        ('filters={"foo":["x"]}', "invalid filter 'foo'"),
        ('filters={"stars":["x"]}', "invalid filter 'stars=x'"),
        ('filters={"is-official":["maybe"]}', "invalid filter 'is-official=[maybe]'"),
    ],
)
async def test_a_search_that_cannot_be(query: str, message: str) -> None:
    async with asking(Scripted()) as ask:
        assert await ask("GET", f"/images/search?term=x&{query}") == (400, {"message": message})
        assert not ask.service.asked


async def test_what_a_registry_has_under_a_name() -> None:
    descriptor = {"mediaType": "application/x", "digest": DIGEST, "size": len(json.dumps(MANIFEST))}
    async with asking(Scripted()) as ask:
        _, found = await ask("GET", "/distribution/r.test/a/b/json", credentials=SAM)
        assert ask.service.asked == {"reference": "r.test/a/b:latest", "credentials": SAM}
        assert found["Descriptor"] == descriptor
        assert found["Platforms"] == [
            {"os": "linux", "architecture": "arm64", "variant": "v8"}, {"os": "linux", "architecture": "amd64"},
        ]  # fmt: skip
        _, found = await ask("GET", "/onggi/v1/registry/manifest?name=r.test/x:1")
        assert found["Descriptor"] == descriptor and found["Platforms"] == ["linux/arm64/v8", "linux/amd64"]
        assert found["Size"] == 315 and found["Manifest"] == MANIFEST
        assert json.loads(base64.b64decode(found["Raw"])) == MANIFEST
        assert await ask("GET", "/onggi/v1/registry/catalog?registry=r.test") == (200, ["r.test", "b"])
        assert await ask("GET", "/onggi/v1/registry/tags?name=x") == (200, ["docker.io/library/x"])
        assert (await ask("GET", "/onggi/v1/registry/tags"))[0] == 400
