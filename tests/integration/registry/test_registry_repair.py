"""`verify --repair` with a registry at hand: a config or a layer that was damaged comes back, names and all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_kit import docker_archive, ignore, make_tar

from core.errors import EngineError
from core.images.verify import Finding, Verifier
from tests.support.hostile_registry import HostileRegistry, Say, hostile_registry
from tests.support.remote_end import RemoteEnd

pytestmark = pytest.mark.root


@pytest.fixture
async def registry() -> AsyncIterator[HostileRegistry]:
    async with hostile_registry() as running:
        running.put_image([make_tar({"a": b"1" * 1000})])
        yield running


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"damaged")


async def repaired(end: RemoteEnd) -> list[Finding]:
    class Registries:
        async def pull(self, reference: str) -> None:
            await end.pull(reference)

    verifier = Verifier(end.store.room, in_use=lambda layer: False, puller=Registries())
    return list((await verifier.verify((), repair=True, report=ignore)).findings)


@pytest.mark.parametrize("what", ["config", "manifest", "blob"])
async def test_what_a_registry_still_has(tmp_path: Path, registry: HostileRegistry, what: str) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/x:1"
    (pulled,) = await end.pull(name)
    layer = end.store.room.layers.get(pulled.image.config.rootfs.diff_ids[0])
    assert layer is not None
    digests = {"config": pulled.image.id, "manifest": pulled.image.manifest.digest, "blob": layer.blob}
    damage(end.store.content.path(digests[what]))
    (found,) = await repaired(end)
    assert (found.what, found.digest) == (what, digests[what])
    assert found.repaired == f"fetched again from {registry.address}/x@{pulled.digest}"
    assert await repaired(end) == []
    assert end.images() == [name]


async def test_an_image_that_could_not_be_read_at_the_start(tmp_path: Path, registry: HostileRegistry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/x:1"
    (pulled,) = await end.pull(name)
    await end.store.images.tag(name, "other:1")
    damage(end.store.content.path(pulled.image.id))
    later = RemoteEnd(tmp_path)
    await later.store.images.start()
    assert later.images() == []
    registry.answer = lambda asked: Say(404, b"{}")
    (unreachable,) = await repaired(later)
    assert (unreachable.what, unreachable.images, unreachable.repaired) == ("image", (name, "other:1"), "")
    registry.answer = lambda asked: None
    (found,) = await repaired(later)
    assert found.repaired.startswith("fetched again from ")
    assert await repaired(later) == []
    assert later.images() == [name, "docker.io/library/other:1"]
    assert later.store.room.store.find("other:1").repo_digests == (f"{registry.address}/x@{pulled.digest}",)
    assert await later.store.save("other:1")


async def test_a_manifest_of_layers_that_were_compressed_since(tmp_path: Path, registry: HostileRegistry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/y:1"
    base, top = make_tar({"base": b"b" * 5000}), make_tar({"top": b"t" * 5000})
    await end.store.load(docker_archive([base], [name], packed=False))
    await end.store.load(docker_archive([base, top], ["mine:1"], packed=False))
    await end.push(name)
    image = end.store.room.store.find("mine:1")
    damage(end.store.content.path(image.manifest.digest))
    (found,) = await repaired(end)
    assert found.repaired == "written again from its layers"
    assert await repaired(end) == []
    assert end.store.room.store.find("mine:1").manifest.digest != image.manifest.digest
    assert await RemoteEnd(tmp_path).store.save("mine:1")


async def test_a_pull_puts_a_damaged_config_right(tmp_path: Path, registry: HostileRegistry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/x:1"
    (pulled,) = await end.pull(name)
    damage(end.store.content.path(pulled.image.id))
    with pytest.raises(EngineError):
        await end.store.save(name)
    await end.pull(name)
    assert await end.store.save(name)
