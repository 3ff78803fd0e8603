"""`verify --repair` against a real registry: what was lost comes back, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import docker_archive, ignore, make_tar

from core.engine.upkeep import Registries
from core.images.verify import Verdict, Verifier
from tests.support.registry import Registry, available, running_registry
from tests.support.remote_end import RemoteEnd

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="no docker-registry")]

BASE, TOP = make_tar({"base": b"0123456789" * 20_000}), make_tar({"top": b"x" * 100_000})


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as running:
        yield running


async def verify(end: RemoteEnd, *, repair: bool = False) -> Verdict:
    verifier = Verifier(end.store.room, in_use=lambda layer: False, puller=Registries(end.remote))
    return await verifier.verify((), repair=repair, report=ignore)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_registry_gives_back_what_was_lost(tmp_path: Path, registry: Registry, lost: bool) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/me/mend:{lost}"
    await end.store.load(docker_archive([BASE, TOP], [name]))
    await end.push(name)
    await end.remove(name)
    await end.pull(name)
    before = await end.store.save(name)
    layer = end.store.room.layers.get(end.store.room.store.find(name).config.rootfs.diff_ids[0])
    assert layer is not None
    path = end.store.content.path(layer.blob)
    path.unlink()
    if not lost:
        path.write_bytes(b"evil")
    (found,) = (await verify(end, repair=True)).findings
    assert (found.what, found.state) == ("blob", "lost" if lost else "damaged")
    assert found.repaired.startswith(f"fetched again from {registry.address}/me/mend@sha256:")
    assert (await verify(end)).findings == ()
    assert await end.store.save(name) == before


async def test_a_registry_gives_back_files_that_no_blob_can(tmp_path: Path, registry: Registry) -> None:
    """A layer that was loaded as a plain tar lies there as its files alone; the registry has it compressed."""
    name = f"{registry.address}/me/mend:plain"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    one, two = RemoteEnd(tmp_path / "one"), RemoteEnd(tmp_path / "two")
    for end in (one, two):
        await end.store.load(docker_archive([BASE, TOP], [name]))
    await one.push(name)
    await two.pull(name)
    before = await two.store.save(name)
    diff_id = two.store.room.store.find(name).config.rootfs.diff_ids[0]
    folder = two.store.snapshots.folder_of(diff_id)
    assert folder is not None and not two.store.content.path(diff_id).exists()
    (folder / "base").write_bytes(b"x" * 200_000)
    findings = (await verify(two, repair=True)).findings
    assert [found.what for found in findings] == ["blob", "files"]
    assert {found.detail for found in findings} == {"file /base of a layer has other contents"}
    assert findings[0].repaired.startswith(f"fetched again from {registry.address}/me/mend@sha256:")
    assert findings[1].repaired == "unpacked again from its blob"
    assert (await verify(two)).findings == ()
    assert await two.store.save(name) == before
