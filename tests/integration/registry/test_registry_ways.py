"""Ways to a registry that are not the straight one: a proxy, and chunks where one request is too large."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import pytest
from store_kit import docker_archive, make_tar

from core.images import packing
from core.model.registry import Credentials
from core.oci.digest import Digest
from core.registry import upload
from core.registry.answers import Refused
from core.registry.settings import Settings
from tests.support.hostile_registry import Say, hostile_registry
from tests.support.registry import available, make_certificate, running_registry
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


@pytest.mark.skipif(not available(), reason="no docker-registry")
async def test_what_was_compressed_stays_in_place_of_the_tar(tmp_path: Path) -> None:
    tar = make_tar({"a": bytes(range(256)) * 2000})
    end, archive = RemoteEnd(tmp_path), docker_archive([tar], ["x:1"], packed=False)
    await end.store.load(archive)
    saved = await end.store.save("x:1")
    content, diff_id = end.store.room.content, Digest.of(tar)
    assert content.has(diff_id)
    with running_registry() as registry:
        name = f"{registry.address}/x:1"
        await end.store.images.tag("x:1", name)
        (pushed,) = await end.push(name)
    assert not content.has(diff_id)
    layer = end.store.room.layers.get(diff_id)
    assert layer is not None and content.size(layer.blob) == layer.blob_size < layer.size == len(tar)
    assert await end.store.save("x:1") == saved
    with running_registry() as registry:  # the same bytes, without compressing anything
        name = f"{registry.address}/x:1"
        await end.store.images.tag("x:1", name)
        (again,) = await end.push(name)
        assert again.digest == pushed.digest
        counted = [step for step in end.said if step.status == "Pushing"]
        assert {step.total for step in counted} == {layer.blob_size}


@pytest.mark.skipif(not available(), reason="no docker-registry")
async def test_layers_that_another_zlib_has_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = make_tar({"a": bytes(range(256)) * 2000})
    end = RemoteEnd(tmp_path)
    room, diff_id = end.store.room, Digest.of(tar)
    monkeypatch.setattr(packing, "LEVEL", 1)
    await end.store.load(docker_archive([tar], ["x:1"], packed=False))
    plain = room.layers.get(diff_id)
    assert plain is not None
    with running_registry() as registry:
        await end.store.images.tag("x:1", f"{registry.address}/x:1")
        (before,) = await end.push(f"{registry.address}/x:1")
    packed = room.layers.get(diff_id)
    assert packed is not None
    room.content.put(tar)
    room.layers.add(plain)
    room.content.delete(packed.blob)
    monkeypatch.setattr(packing, "LEVEL", 3)
    with running_registry() as registry:
        name = f"{registry.address}/x:1"
        await end.store.images.tag("x:1", name)
        (after,) = await end.push(name)
        assert after.digest != before.digest
        (again,) = await end.push(name)
        assert again.digest == after.digest
        await end.remove(name)
        await end.pull(name)


async def test_by_a_proxy_that_sees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path, "registry.invalid")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    heads: list[bytes] = []
    async with hostile_registry(context) as registry:
        registry.put_image([make_tar({"a": b"1"})])

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inner = await asyncio.open_connection(*registry.address.split(":"))
            await asyncio.gather(carry(reader, inner[1]), carry(inner[0], writer), return_exceptions=True)

        async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:%d" % proxy.sockets[0].getsockname()[1])  # noqa: UP031
            folder = tmp_path / "certs/registry.invalid:5000"
            folder.mkdir(parents=True)
            (folder / "ca.crt").write_bytes(certificate.read_bytes())
            end = RemoteEnd(tmp_path / "end", certificates=[tmp_path / "certs"])
            alice = Credentials(username="alice", password="hunter2")
            registry.answer = lambda asked: (
                None
                if "authorization" in asked.headers
                else Say(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            )
            await end.pull("registry.invalid:5000/x:1", credentials=alice)
    assert end.images() == ["registry.invalid:5000/x:1"]
    assert heads and all(head.startswith(b"CONNECT registry.invalid:5000 HTTP/1.1\r\n") for head in heads)
    assert not any(b"authorization" in head.lower() for head in heads)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()
