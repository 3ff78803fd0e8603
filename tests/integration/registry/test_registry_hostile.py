"""Registries that lie, leak, stall and break off. Nothing of theirs is named, and what is good is gone on with."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from store_kit import make_tar

from core.errors import DataLoss, DigestMismatch, EngineError, InvalidArgument, Unauthorized, Unavailable
from core.images.remote import Remote
from core.model.registry import Credentials
from tests.support.hostile_registry import Asked, HostileRegistry, Say, digest_of, hostile_registry
from tests.support.remote_end import RemoteEnd

pytestmark = pytest.mark.root

LAYER = make_tar({"noise": os.urandom(3 << 20)})
SMALL = make_tar({"small": b"1" * 1000})
ALICE = Credentials(username="alice", password="hunter2")


@pytest.fixture
async def registry() -> AsyncIterator[HostileRegistry]:
    async with hostile_registry() as running:
        yield running


@pytest.fixture
def end(tmp_path: Path) -> RemoteEnd:
    return RemoteEnd(tmp_path, stall=1.0)


def layer_of(manifest: dict[str, Any], number: int = 0) -> str:
    return str(manifest["layers"][number]["digest"])


async def refused(end: RemoteEnd, registry: HostileRegistry, kind: type[EngineError] = DataLoss) -> str:
    with pytest.raises(kind) as told:
        await end.pull(f"{registry.address}/x:1")
    assert not end.images()
    assert "\n" not in str(told.value)
    return str(told.value)


async def test_a_layer_of_other_bytes(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([SMALL]))
    good = registry.blobs[digest]
    registry.blobs[digest] = bytes(len(good))
    assert await refused(end, registry) == f"filesystem layer verification failed for digest {digest}"
    assert not end.partials()
    registry.blobs[digest] = good
    await end.pull(f"{registry.address}/x:1")


async def test_a_layer_whose_tar_is_another(end: RemoteEnd, registry: HostileRegistry) -> None:
    manifest = registry.put_image([SMALL])
    other = gzip.compress(make_tar({"other": b"2"}))
    registry.blobs[digest_of(other)] = other
    registry.put_manifest(
        {**manifest, "layers": [{**manifest["layers"][0], "digest": digest_of(other), "size": len(other)}]}
    )
    assert "does not match its digest" in await refused(end, registry, InvalidArgument)


@pytest.mark.parametrize(
    "said", ["../../etc/passwd", "sha256:../../../../etc/passwd", "sha512:" + "0" * 128, "sha256:AA"]
)
async def test_a_digest_that_is_none(end: RemoteEnd, registry: HostileRegistry, said: str) -> None:
    manifest = registry.put_image([SMALL])
    registry.put_manifest({**manifest, "layers": [{**manifest["layers"][0], "digest": said}]})
    assert "image manifest is not acceptable" in await refused(end, registry)


async def test_a_manifest_of_another_digest(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL])
    wrong = "sha256:" + "1" * 64
    registry.manifests[wrong] = registry.manifests["1"]
    with pytest.raises(DigestMismatch):
        await end.pull(f"{registry.address}/x@{wrong}")


async def test_one_document_of_two_kinds(end: RemoteEnd, registry: HostileRegistry) -> None:
    manifest = registry.put_image([SMALL])
    registry.put_manifest({**manifest, "manifests": [manifest["config"]]})
    assert await refused(end, registry) == "manifest is an image and an index at once"
    registry.put_manifest(manifest, kind="application/vnd.oci.image.index.v1+json")
    assert "is served as" in await refused(end, registry)
    registry.put_manifest(b"{}", kind="text/html")
    assert "text/html" in await refused(end, registry)


@pytest.mark.parametrize("garbage", [b"", b"null", b"[]", b"{" * 100_000, b'{"schemaVersion": 1}', b"\xff\xfe"])
async def test_garbage(end: RemoteEnd, registry: HostileRegistry, garbage: bytes) -> None:
    registry.put_manifest(garbage)
    await refused(end, registry)


async def test_documents_without_end(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_manifest(b" " * (5 << 20))
    assert "larger than 4194304 bytes" in await refused(end, registry)


@pytest.mark.parametrize("more", [1, -1])
async def test_a_size_that_lies(end: RemoteEnd, registry: HostileRegistry, more: int) -> None:
    manifest = registry.put_image([SMALL])
    layer = manifest["layers"][0]
    registry.put_manifest({**manifest, "layers": [{**layer, "size": layer["size"] + more}]})
    await refused(end, registry, EngineError)


async def test_a_body_longer_than_its_descriptor(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([SMALL]))
    chunked = b"10000\r\n" + bytes(0x10000) + b"\r\n"

    def answer(asked: Asked) -> Say | None:
        if asked.path.endswith(digest):
            return Say(200, chunked * 200, {"Transfer-Encoding": "chunked", "X-Length": "?"}, length=0)
        return None

    registry.answer = answer
    await refused(end, registry, EngineError)
    assert sum(path.stat().st_size for path in end.partials()) <= len(registry.blobs[digest])


async def test_a_line_that_breaks_is_gone_on_with(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([LAYER]))
    cuts = iter([1_000_000, 500_000, None])

    def answer(asked: Asked) -> Say | None:
        if not asked.path.endswith(digest) or (cut := next(cuts)) is None:
            return None
        whole = registry._serve(asked)
        whole.stop_after = cut
        return whole

    registry.answer = answer
    await end.pull(f"{registry.address}/x:1")
    starts = [
        asked.headers.get("range", "bytes=0-").split("=")[1].split("-")[0]
        for asked in registry.asked
        if asked.path.endswith(digest)
    ]
    assert starts == ["0", "1000000", "1500000"]


async def test_a_registry_that_knows_no_ranges(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([LAYER]))
    registry.ranges = False
    cuts = iter([1_000_000, None])

    def answer(asked: Asked) -> Say | None:
        if not asked.path.endswith(digest) or (cut := next(cuts)) is None:
            return None
        return Say(200, registry.blobs[digest], stop_after=cut)

    registry.answer = answer
    await end.pull(f"{registry.address}/x:1")
    assert end.images() == [f"{registry.address}/x:1"]


async def test_a_stall_ends(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([LAYER]))
    registry.answer = lambda asked: Say(200, b"", hang=True, length=9) if asked.path.endswith(digest) else None
    async with asyncio.timeout(30):
        assert "Client.Timeout" in await refused(end, registry, Unavailable)


async def test_a_registry_that_is_busy_is_asked_again(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL])
    trouble = iter([503, 429, 502])

    def answer(asked: Asked) -> Say | None:
        if "/manifests/" in asked.path or "/blobs/" in asked.path:
            status = next(trouble, 0)
            return Say(status, b"{}", {"Retry-After": "1"}) if status else None
        return None

    registry.answer = answer
    await end.pull(f"{registry.address}/x:1")
    registry.answer = lambda asked: Say(500, b"oops") if "/manifests/" in asked.path else None
    with pytest.raises(Unavailable, match="500"):
        await end.pull(f"{registry.address}/x:1")


async def test_secrets_stay_with_their_host(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([SMALL]))
    async with hostile_registry() as elsewhere:
        elsewhere.blobs = registry.blobs

        def answer(asked: Asked) -> Say | None:
            if asked.path.endswith(digest):
                return Say(307, headers={"Location": f"http://{elsewhere.address}{asked.path}?sig=1"})
            if "authorization" not in asked.headers:
                return Say(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return None

        registry.answer = answer
        await end.pull(f"{registry.address}/x:1", credentials=ALICE)
        assert elsewhere.asked
        assert not any("authorization" in asked.headers for asked in elsewhere.asked)

        # Who stands behind the redirect may ask, but gets nothing.
        elsewhere.answer = lambda asked: Say(401, headers={"WWW-Authenticate": 'Basic realm="give"'})
        await end.remove(f"{registry.address}/x:1")
        with pytest.raises(EngineError):
            await end.pull(f"{registry.address}/x:1", credentials=ALICE)
        assert not any("authorization" in asked.headers for asked in elsewhere.asked)


class TokenServer:
    """Bearer tokens, given and wanted by the same host; `lasting` = requests that one token is good for."""

    def __init__(self, registry: HostileRegistry, lasting: int = 1000) -> None:
        self.registry = registry
        self.given: list[Asked] = []
        self.left = 0
        self.lasting = lasting

    def __call__(self, asked: Asked) -> Say | None:
        if asked.path == "/token":
            self.given.append(asked)
            self.left = self.lasting
            return Say(200, json.dumps({"token": f"t{len(self.given)}", "refresh_token": "identity"}).encode())
        good = asked.headers.get("authorization") == f"Bearer t{len(self.given)}" and self.left > 0
        self.left -= good
        if good:
            return None
        challenge = f'Bearer realm="http://{self.registry.address}/token",service="reg",scope="repository:x:pull"'
        return Say(401, headers={"WWW-Authenticate": challenge})


async def test_bearer_tokens(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL, make_tar({"b": b"2"}), make_tar({"c": b"3"})])
    registry.answer = server = TokenServer(registry)
    await end.pull(f"{registry.address}/x:1", credentials=ALICE)
    assert len(server.given) == 1
    assert server.given[0].method == "GET"
    assert server.given[0].query["scope"] == ["repository:x:pull"]
    assert server.given[0].headers["authorization"].startswith("Basic ")


async def test_tokens_that_end_are_renewed(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL])
    registry.answer = server = TokenServer(registry, lasting=1)
    await end.pull(f"{registry.address}/x:1")
    assert len(server.given) == 3  # manifest, config, layer
    assert "authorization" not in server.given[0].headers


async def test_identity_tokens_go_by_post(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([SMALL])
    registry.answer = server = TokenServer(registry)
    assert await end.remote.login(registry.address, ALICE) == "identity"
    assert server.given[0].query["offline_token"] == ["true"]
    await end.pull(f"{registry.address}/x:1", credentials=Credentials(username="alice", identity_token="idtok"))
    assert server.given[-1].method == "POST"
    assert b"grant_type=refresh_token" in server.given[-1].body
    assert b"refresh_token=idtok" in server.given[-1].body


@pytest.mark.parametrize("realm", ["http://198.51.100.1/token", "ftp://x/", "", "http://a:b@127.0.0.1/"])
async def test_a_token_server_that_is_not_safe(end: RemoteEnd, registry: HostileRegistry, realm: str) -> None:
    registry.answer = lambda asked: Say(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})
    with pytest.raises(Unauthorized, match="token server"):
        await end.pull(f"{registry.address}/x:1", credentials=ALICE)


async def test_two_pulls_fetch_a_blob_once(end: RemoteEnd, registry: HostileRegistry) -> None:
    digest = layer_of(registry.put_image([LAYER]))
    registry.put_image([LAYER], tag="2", author="another")
    await asyncio.gather(*(end.pull(f"{registry.address}/x:{tag}") for tag in ("1", "2")))
    assert len([asked for asked in registry.asked if asked.path.endswith(digest)]) == 1
    assert len(end.images()) == 2


async def test_one_of_two_pulls_may_go(end: RemoteEnd, registry: HostileRegistry) -> None:
    registry.put_image([LAYER])
    first, second = (asyncio.create_task(end.pull(f"{registry.address}/{path}:1")) for path in ("x", "y"))
    while not registry.blob_requests():  # noqa: ASYNC110
        await asyncio.sleep(0)
    first.cancel()
    await second
    assert end.images() == [f"{registry.address}/y:1"]


async def test_what_is_cancelled_is_gone_on_with_by_the_next_engine(
    end: RemoteEnd, registry: HostileRegistry, tmp_path: Path
) -> None:
    digest = layer_of(registry.put_image([LAYER]))

    def answer(asked: Asked) -> Say | None:
        if not asked.path.endswith(digest):
            return None
        return Say(200, registry.blobs[digest], stop_after=2_500_000, hang=True)

    registry.answer = answer
    task = asyncio.create_task(end.pull(f"{registry.address}/x:1"))
    while not any(step.status == "Downloading" and step.current >= 2 << 20 for step in end.said):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (part,) = end.partials()
    had = part.stat().st_size
    assert had >= 2 << 20

    await end.store.images.start()
    assert end.partials() == [part]
    registry.answer = lambda asked: None
    later = Remote(end.store.room)
    await later.pull(f"{registry.address}/x:1", credentials=None, progress=end.said.append)
    assert registry.asked[-1].headers["range"].startswith(f"bytes={had}-")
    assert not end.partials()


async def test_the_right_platform_is_chosen(end: RemoteEnd, registry: HostileRegistry) -> None:
    def entry(tag: str, architecture: str) -> dict[str, Any]:
        data = registry.manifests[tag][1]
        return {
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_of(data), "size": len(data),
            "platform": {"os": "linux", "architecture": architecture},
        }  # fmt: skip

    registry.put_image([SMALL], tag="arm", architecture="arm64")
    registry.put_image([LAYER], tag="amd", architecture="amd64")
    index = {"schemaVersion": 2, "manifests": [entry("arm", "arm64"), entry("amd", "amd64")]}
    top = registry.put_manifest(index, "1", "application/vnd.oci.image.index.v1+json")
    (pulled,) = await end.pull(f"{registry.address}/x:1", platform="linux/arm64")
    assert pulled.image.config.architecture == "arm64"
    assert pulled.digest == top
    assert [str(one) for one in await end.remote.platforms(f"{registry.address}/x:1", None)] == [
        "linux/arm64", "linux/amd64",
    ]  # fmt: skip
    with pytest.raises(EngineError, match="no matching manifest for linux/s390x in the manifest list entries"):
        await end.pull(f"{registry.address}/x:1", platform="linux/s390x")
    await end.pull(f"{registry.address}/x:amd", platform="linux/386")  # a name of one image: Docker takes it too
    assert (
        f"WARNING: image with reference {registry.address}/x:amd was found but does not match "
        "the specified platform: wanted linux/386, actual: linux/amd64"
    ) in end.statuses()
    with pytest.raises(InvalidArgument, match='"foo": unknown operating system or architecture: invalid argument'):
        await end.pull(f"{registry.address}/x:amd", platform="foo")


async def test_a_mirror_is_asked_first_and_forgiven(tmp_path: Path, registry: HostileRegistry) -> None:
    from core.registry.settings import Settings

    manifest = registry.put_image([SMALL])
    async with hostile_registry() as mirror:
        settings = Settings(mirrors={registry.address: (f"http://{mirror.address}",)})
        end = RemoteEnd(tmp_path, settings)
        await end.pull(f"{registry.address}/x:1", credentials=ALICE)
        assert mirror.asked and layer_of(manifest) in registry.blob_requests()[-1].path
        assert not any("authorization" in asked.headers for asked in mirror.asked)
        mirror.blobs, mirror.manifests = registry.blobs, registry.manifests
        registry.asked.clear()
        await end.remove(f"{registry.address}/x:1")
        await end.pull(f"{registry.address}/x:1")
        assert not registry.asked
