"""Plain layers are sent while they are compressed: what of it is told, and what breaks off."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_kit import docker_archive, make_tar

from core.errors import CorruptStore, EngineError
from core.images.packing import compress, make_packer
from core.oci.digest import Digest
from tests.support.hostile_registry import Asked, HostileRegistry, Say, digest_of, hostile_registry
from tests.support.remote_end import RemoteEnd

pytestmark = pytest.mark.root

_NOISE = 12 << 20


@pytest.fixture
async def registry() -> AsyncIterator[HostileRegistry]:
    async with hostile_registry() as running:
        yield running


@pytest.fixture
def end(tmp_path: Path) -> RemoteEnd:
    return RemoteEnd(tmp_path)


async def _loaded(end: RemoteEnd, registry: HostileRegistry) -> tuple[str, bytes]:
    tar = make_tar({"noise": os.urandom(_NOISE)})
    await end.store.load(docker_archive([tar], [f"{registry.address}/x:1"], packed=False))
    return f"{registry.address}/x:1", tar


def _layer(registry: HostileRegistry) -> bytes:
    manifest = json.loads(registry.manifests["1"][1])
    return registry.blobs[manifest["layers"][0]["digest"]]


async def test_bytes_are_told_from_the_first_moment(end: RemoteEnd, registry: HostileRegistry) -> None:
    name, tar = await _loaded(end, registry)
    await end.push(name)
    assert gzip.decompress(_layer(registry)) == tar
    told = [step for step in end.said if step.id == digest_of(tar).removeprefix("sha256:")[:12]]
    assert [status for status, _ in itertools.groupby(told, lambda step: step.status)] == [
        "Preparing",
        "Pushing",
        "Pushed",
    ]
    counted = [step.current for step in told if step.total]
    assert {step.total for step in told if step.status == "Pushing"} == {len(tar)}
    assert counted == sorted(counted) and counted[0] == 0 and counted[-1] == len(tar)
    assert len(counted) > 8 and counted[1] < 3 << 20
    methods = [asked.method for asked in registry.asked if "/blobs/uploads/" in asked.path]
    assert methods[:3] == ["POST", "PATCH", "PUT"]


async def test_what_breaks_off_goes_on_where_it_was(end: RemoteEnd, registry: HostileRegistry) -> None:
    name, tar = await _loaded(end, registry)
    registry.cuts = [5 << 20]
    await end.push(name)
    assert not registry.cuts
    assert gzip.decompress(_layer(registry)) == tar
    sent = [asked.headers.get("content-range", "") for asked in registry.asked if asked.method == "PATCH"]
    assert sent and sent[0].startswith(f"{5 << 20}-")


async def test_what_the_registry_has_is_not_sent_to_its_end(
    end: RemoteEnd, registry: HostileRegistry, tmp_path: Path
) -> None:
    name, tar = await _loaded(end, registry)
    await end.push(name)
    other = RemoteEnd(tmp_path / "other")
    await other.store.load(docker_archive([tar], [name], packed=False))
    registry.gate.clear()  # so none of it is taken
    async with asyncio.timeout(30):
        await other.push(name)
    assert [step.status for step in other.said if step.id][-1] == "Layer already exists"


async def test_a_registry_that_takes_no_layer_without_its_size(end: RemoteEnd, registry: HostileRegistry) -> None:
    name, tar = await _loaded(end, registry)

    def answer(asked: Asked) -> Say | None:
        if asked.method == "PATCH" and "content-range" not in asked.headers:
            return Say(400, b'{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"no range"}]}')
        return None

    registry.answer = answer
    await end.push(name)
    assert gzip.decompress(_layer(registry)) == tar


async def test_who_may_not_push_hears_so_at_once(end: RemoteEnd, registry: HostileRegistry) -> None:
    name, _ = await _loaded(end, registry)
    registry.answer = lambda asked: Say(403) if asked.method == "PATCH" else None
    with pytest.raises(EngineError):
        await end.push(name)
    assert [asked.method for asked in registry.asked].count("PATCH") == 1
    assert not list((end.store.paths.content / "ingest").iterdir()) or end.store.room.content.unsettled()


async def test_a_damaged_layer_is_never_published(end: RemoteEnd, registry: HostileRegistry) -> None:
    name, tar = await _loaded(end, registry)
    folder = end.store.room.snapshots.folder_of(Digest.of(tar))
    assert folder is not None
    with (folder / "noise").open("r+b") as file:
        file.seek(8 << 20)
        file.write(b"other")
    with pytest.raises(CorruptStore, match="noise of a layer has other contents"):
        await end.push(name)
    assert "1" not in registry.manifests
    assert not [asked for asked in registry.asked if asked.method == "PUT"]


async def test_the_same_layer_is_packed_to_the_same_bytes(end: RemoteEnd, registry: HostileRegistry) -> None:
    _, tar = await _loaded(end, registry)
    layer = end.store.room.layers.get(Digest.of(tar))
    assert layer is not None
    first = await compress(end.store.room, layer)
    assert await compress(end.store.room, layer) == first
    head = make_packer()
    packed = head.compress(b"x") + head.flush()
    assert packed[:3] == b"\x1f\x8b\x08" and packed[3:8] == bytes(5)  # no name, no time
    assert gzip.decompress(packed) == b"x"
