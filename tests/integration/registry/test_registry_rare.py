"""What is rare, and real: client certificates, cut uploads, old token servers, drips, odd manifests."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from store_kit import docker_archive, make_tar

from core.errors import DataLoss, EngineError, Unavailable, Unsupported
from core.model.registry import Credentials
from core.registry import download, transport, upload
from tests.support.hostile_registry import Asked, HostileRegistry, Say, digest_of, hostile_registry
from tests.support.registry import make_certificate
from tests.support.remote_end import RemoteEnd

pytestmark = pytest.mark.root

SMALL = make_tar({"small": b"1" * 1000})
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
async def registry() -> AsyncIterator[HostileRegistry]:
    async with hostile_registry() as running:
        yield running


@pytest.fixture
def end(tmp_path: Path) -> RemoteEnd:
    return RemoteEnd(tmp_path, stall=1.0)


async def test_client_certificates(tmp_path: Path) -> None:
    for name in ("server", "client"):
        (tmp_path / name).mkdir()
    server, client = make_certificate(tmp_path / "server"), make_certificate(tmp_path / "client")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client[0])
    context.load_cert_chain(*server)
    context.verify_mode = ssl.CERT_REQUIRED
    async with hostile_registry(context) as registry:
        registry.put_image([SMALL])
        folder = tmp_path / "certs" / registry.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(server[0].read_bytes())
        end = RemoteEnd(tmp_path / "end", certificates=[tmp_path / "certs"])
        with pytest.raises(EngineError) as nobody:
            await end.pull(f"{registry.address}/x:1")
        assert f'Get "https://{registry.address}/v2/": ' in str(nobody.value) and not registry.asked
        (folder / "me.cert").write_bytes(client[0].read_bytes())
        with pytest.raises(EngineError, match=r"missing key me\.key for client certificate me\.cert"):
            await end.pull(f"{registry.address}/x:1")
        (folder / "me.key").write_bytes(client[1].read_bytes())
        await end.pull(f"{registry.address}/x:1")
        assert end.images() == [f"{registry.address}/x:1"]


async def test_an_upload_that_is_cut_goes_on_where_it_was(end: RemoteEnd, registry: HostileRegistry) -> None:
    name = f"{registry.address}/x:1"
    await end.store.load(docker_archive([make_tar({"noise": os.urandom(900_000)})], [name], packed=False))
    registry.cuts = [300_000, 200_000]
    (pushed,) = await end.push(name)
    assert not registry.cuts
    sent = [asked for asked in registry.asked if asked.method == "PATCH"]
    assert [asked.headers["content-range"].partition("-")[0] for asked in sent] == ["500000"]
    assert registry.manifests["1"][1] and digest_of(registry.manifests["1"][1]) == pushed.digest
    layer = json.loads(registry.manifests["1"][1])["layers"][0]
    assert len(registry.blobs[layer["digest"]]) == layer["size"]


async def test_an_upload_that_nobody_takes_ends(
    end: RemoteEnd, registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{registry.address}/x:1"
    await end.store.load(docker_archive([make_tar({"noise": os.urandom(20 << 20)})], [name], packed=False))
    monkeypatch.setattr(upload, "TRIES", 2)
    monkeypatch.setattr(transport, "COMMIT_TIME", 1.5)
    registry.cuts, registry.silent = [1000, 1000], True
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable, match=r"request canceled|i/o timeout"):
            await end.push(name)
    assert "1" not in registry.manifests
    registry.silent = False
    await end.push(name)


async def test_a_registry_that_takes_its_time_with_a_blob_is_waited_for(
    end: RemoteEnd, registry: HostileRegistry
) -> None:
    name = f"{registry.address}/x:1"
    await end.store.load(docker_archive([SMALL], [name]))

    def answer(asked: Asked) -> Say | None:
        if asked.method != "PUT":
            return None
        say = registry._serve(asked)
        say.after = 1.5  # longer than it may be silent otherwise
        return say

    registry.answer = answer
    await end.push(name)
    assert len([asked for asked in registry.asked if asked.method == "PUT"]) == 3  # layer, config, manifest


async def test_token_servers_that_know_only_post(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL])
    posted: list[Asked] = []

    def answer(asked: Asked) -> Say | None:
        if asked.path == "/token":
            if asked.method == "GET":
                return Say(405)
            posted.append(asked)
            return Say(200, json.dumps({"access_token": "t"}).encode())
        if asked.headers.get("authorization") == "Bearer t":
            return None
        challenge = f'Bearer realm="http://{registry.address}/token",service="reg"'
        return Say(401, headers={"WWW-Authenticate": challenge})

    registry.answer = answer
    await end.pull(f"{registry.address}/x:1", credentials=Credentials(username="alice", password="h&nter 2"))
    assert posted[0].body.startswith(b"grant_type=password&username=alice&password=h%26nter+2&service=reg&")
    assert "authorization" not in posted[0].headers


async def test_a_layer_that_drips(
    end: RemoteEnd, registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = registry.put_image([make_tar({"noise": os.urandom(100_000)})])["layers"][0]["digest"]
    monkeypatch.setattr(download, "TRIES", 2)

    def answer(asked: Asked) -> Say | None:
        if not asked.path.endswith(digest):
            return None
        say = registry._serve(asked)
        return Say(say.status, say.body, say.headers, drip=0.003)

    registry.answer = answer
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable, match="request canceled"):
            await end.pull(f"{registry.address}/x:1")
    assert 0 < end.partials()[0].stat().st_size < 2 * download.LEAST


async def test_a_head_that_drips(
    end: RemoteEnd, registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HEAD_TIME", 0.3)
    registry.answer = lambda asked: Say(200, drip=0.1)
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable, match="request canceled"):
            await end.pull(f"{registry.address}/x:1")


async def test_schema_1(end: RemoteEnd, registry: HostileRegistry) -> None:
    old = {"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []}
    for kind in ("application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json"):
        registry.put_manifest(old, kind=kind)
        with pytest.raises(Unsupported) as told:
            await end.pull(f"{registry.address}/x:1")
        assert str(told.value) == "the image is of manifest schema 1, which is not supported: push it again"


def entry(registry: HostileRegistry, tag: str, kind: str) -> dict[str, Any]:
    data = registry.manifests[tag][1]
    fields = {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
    return {**fields, "platform": {"os": "linux", "architecture": "amd64"}}


async def test_indexes_in_indexes(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL], tag="0")
    kind = MANIFEST
    for level in range(1, 5):
        inner = entry(registry, str(level - 1), kind)
        kind = INDEX
        registry.put_manifest({"schemaVersion": 2, "mediaType": kind, "manifests": [inner]}, str(level), kind)
    (pulled,) = await end.pull(f"{registry.address}/x:3", platform="linux/amd64")
    assert pulled.digest == digest_of(registry.manifests["3"][1])
    with pytest.raises(DataLoss, match="image has too many indexes inside each other"):
        await end.pull(f"{registry.address}/x:4", platform="linux/amd64")


async def test_foreign_layers_come_from_the_registry_or_not_at_all(
    end: RemoteEnd, registry: HostileRegistry
) -> None:
    manifest = registry.put_image([SMALL])
    async with hostile_registry() as elsewhere:
        layer = manifest["layers"][0]
        elsewhere.blobs = dict(registry.blobs)
        url = f"http://{elsewhere.address}/v2/x/blobs/{layer['digest']}"
        kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        registry.put_manifest({**manifest, "layers": [{**layer, "mediaType": kind, "urls": [url]}]})
        kept = registry.blobs.pop(layer["digest"])
        with pytest.raises(EngineError, match="blob unknown"):
            await end.pull(f"{registry.address}/x:1")
        registry.blobs[layer["digest"]] = kept
        await end.pull(f"{registry.address}/x:1")
        assert not elsewhere.asked


async def test_layers_of_nothing_and_layers_that_are_there_twice(end: RemoteEnd, registry: HostileRegistry) -> None:
    name = f"{registry.address}/x:1"
    empty = bytes(1024)
    registry.put_image([SMALL, empty, SMALL, empty])
    (pulled,) = await end.pull(name)
    assert len(pulled.image.config.rootfs.diff_ids) == 4
    fetched = [asked.path for asked in registry.blob_requests() if asked.method == "GET"]
    assert len(fetched) == len(set(fetched)) == 3  # config, and each layer once
    registry.blobs.clear()
    (pushed,) = await end.push(name)
    assert pushed.digest == pulled.digest
    assert len(registry.blobs) == 3


async def test_a_layer_without_a_byte(end: RemoteEnd, registry: HostileRegistry) -> None:
    manifest = registry.put_image([b""])
    plain = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(b""), "size": 0}
    registry.put_manifest({**manifest, "layers": [plain]})
    registry.blobs[digest_of(b"")] = b""
    with pytest.raises(EngineError) as told:
        await end.pull(f"{registry.address}/x:1")
    assert "\n" not in str(told.value) and not end.images() and not end.partials()


async def test_a_tag_that_moves_meanwhile(end: RemoteEnd, registry: HostileRegistry) -> None:
    before = registry.put_image([SMALL])
    first = digest_of(registry.manifests["1"][1])

    def answer(asked: Asked) -> Say | None:
        if "/blobs/" in asked.path and digest_of(registry.manifests["1"][1]) == first:
            registry.put_image([make_tar({"other": b"2"})])
        return None

    registry.answer = answer
    (pulled,) = await end.pull(f"{registry.address}/x:1")
    assert pulled.digest == first and pulled.image.id == before["config"]["digest"]
    (later,) = await end.pull(f"{registry.address}/x:1")
    assert later.new and later.digest != first
