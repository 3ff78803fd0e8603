"""What the app asks of registries, by the real client and over the real routes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from core.client import registry
from core.client.aclient import AsyncClient
from core.client.credentials import ConfigFile
from core.engine.events import Events
from core.errors import EngineError, InvalidArgument, NoSuchImage, NotFound, Unauthorized
from core.model.events import Progress
from core.model.registry import Credentials
from tests.support.scripted_registry import DIGEST, MANIFEST, SAM, Scripted, serving

STEPS = [Progress("a", "Downloading", 5, 10), Progress("a", "Pull complete"), Progress(status="Status: done")]


@asynccontextmanager
async def joined(service: Scripted, folder: Path) -> AsyncIterator[AsyncClient]:
    path = folder / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        running = asyncio.create_task(serving(service, Events()).run(listening))
        try:
            yield AsyncClient(f"unix://{path}")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the user has for r.test."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    assert registry.headers_for("r.test") == {}
    ConfigFile.load().keep(SAM)
    assert registry.headers_for("other.test") == {}
    return registry.headers_for("r.test")


async def test_pull_and_push_tell_each_step(tmp_path: Path, headers: dict[str, str]) -> None:
    service = Scripted(STEPS)
    async with joined(service, tmp_path) as client:
        steps = registry.pull(client, "r.test/x", platform="linux/arm64", headers=headers)
        assert [step async for step in steps] == STEPS
        assert service.asked == {
            "reference": "r.test/x:latest", "all_tags": False, "platform": "linux/arm64", "credentials": SAM,
        }  # fmt: skip
        async for _ in registry.pull(client, "r.test/x", all_tags=True):
            pass
        assert service.asked["all_tags"] and service.asked["credentials"] is None
        told = [step async for step in registry.push(client, "r.test/x:1", headers=headers)]
        assert told == [Progress(status="The push refers to repository [r.test/x]"), *STEPS]
        assert service.asked == {"reference": "r.test/x:1", "all_tags": False, "credentials": SAM}


async def test_a_failure_is_raised_wherever_it_comes(tmp_path: Path) -> None:
    service = Scripted(failure=NoSuchImage("not there"))
    async with joined(service, tmp_path) as client:
        with pytest.raises(NotFound, match=r"^not there$"):
            await anext(registry.pull(client, "x"))
        service.steps = STEPS
        with pytest.raises(EngineError, match=r"^not there$"):
            _ = [step async for step in registry.pull(client, "x")]


async def test_closing_the_stream_cancels_the_work(tmp_path: Path) -> None:
    service = Scripted(STEPS, endless=True)
    async with joined(service, tmp_path) as client:
        async with asyncio.timeout(60):
            async with aclosing(registry.pull(client, "x")) as steps:
                assert await anext(steps) == STEPS[0]
            await service.cancelled.wait()


async def test_login_search_and_looking_around(tmp_path: Path, headers: dict[str, str]) -> None:
    service = Scripted()
    async with joined(service, tmp_path) as client:
        assert await registry.login(client, SAM) == SAM
        other = Credentials(username="sam", password="p", server_address="s.test")
        assert await registry.login(client, other) == Credentials(
            username="sam", identity_token="token", server_address="s.test"
        )
        (hit,) = await registry.search(client, "r.test/x", limit=3, headers=headers)
        assert hit["name"] == "x" and service.asked["limit"] == 3 and service.asked["credentials"] == SAM
        assert await registry.catalog(client, "r.test") == ["r.test", "b"]
        assert await registry.tags(client, "r.test/x") == ["r.test/x"]
        found = await registry.manifest(client, "r.test/x:1", headers=headers)
        assert found["Descriptor"]["digest"] == DIGEST and found["Manifest"] == MANIFEST
        service.failure = Unauthorized("no")
        with pytest.raises(Unauthorized):
            await registry.login(client, SAM)
        with pytest.raises(InvalidArgument):
            await registry.search(client, "x", limit=1000)
