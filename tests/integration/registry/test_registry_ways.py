"""Ways to a registry that are not the straight one: a proxy, and chunks where one request is too large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from store_kit import docker_archive, make_tar

from core.registry import upload
from core.registry.answers import Refused
from core.registry.settings import Settings
from tests.support.hostile_registry import hostile_registry
from tests.support.registry import available, running_registry
from tests.support.remote_end import RemoteEnd

pytestmark = pytest.mark.root


async def test_by_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hostile_registry() as proxy:
        proxy.put_image([make_tar({"a": b"1"})])
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        end = RemoteEnd(tmp_path, Settings(insecure=("registry.invalid:5000",)))
        await end.pull("registry.invalid:5000/x:1")
        assert {asked.headers["host"] for asked in proxy.asked} == {"registry.invalid:5000"}


@pytest.mark.skipif(not available(), reason="no docker-registry")
async def test_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_large(*_: object) -> None:
        raise Refused(413, "", "request entity too large", "")

    monkeypatch.setattr(upload, "_whole", too_large)
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    with running_registry() as registry:
        end, name = RemoteEnd(tmp_path), f"{registry.address}/x:1"
        await end.store.load(docker_archive([make_tar({"a": os.urandom(350_000)})], [name], packed=False))
        (pushed,) = await end.push(name)
        assert registry.count("PATCH", "/uploads/") == 5  # four for the layer, one for the config
        await end.remove(name)
        (pulled,) = await end.pull(name)
        assert pulled.digest == pushed.digest
