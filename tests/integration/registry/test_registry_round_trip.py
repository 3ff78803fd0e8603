"""Push, remove, pull against a real registry: what comes back is what went, and nothing goes twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import Store, docker_archive, make_tar

from core.images.remote import Remote
from core.model.events import Progress
from core.registry.settings import Settings
from tests.support.registry import Registry, available, running_registry

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="no docker-registry")]

BASE = make_tar({"base": b"0123456789" * 200_000})
TOP = make_tar({"top": b"x" * 100_000})


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as running:
        yield running


class End:
    """One store that speaks to registries; `said` = what it has reported."""

    def __init__(self, folder: Path, settings: Settings = Settings(), certificates: tuple[Path, ...] = ()) -> None:
        self.store = Store.open(folder)
        self.remote = Remote(self.store.room, settings=lambda: settings, certificates=certificates)
        self.said: list[Progress] = []

    async def pull(self, reference: str, **options: object) -> list[object]:
        self.said.clear()
        options = {"credentials": None, "progress": self.said.append, **options}
        return list(await self.remote.pull(reference, **options))  # type: ignore[arg-type]

    async def push(self, reference: str, **options: object) -> list[object]:
        self.said.clear()
        options = {"credentials": None, "progress": self.said.append, **options}
        return list(await self.remote.push(reference, **options))  # type: ignore[arg-type]

    async def remove(self, reference: str) -> None:
        await self.store.images.remove(reference, force=True, in_use=lambda ident: ())
        await self.store.room.collector.collect()

    def statuses(self) -> list[str]:
        return [step.status for step in self.said]


async def test_comes_back_with_the_same_digest(tmp_path: Path, registry: Registry) -> None:
    end, name = End(tmp_path), f"{registry.address}/me/one:1"
    await end.store.load(docker_archive([BASE, TOP], [name]))
    image = end.store.room.store.find(name)
    (pushed,) = await end.push(name)
    assert end.statuses().count("Pushed") == 2
    assert end.said[-1].status == f"1: digest: {pushed.digest} size: {pushed.size}"  # type: ignore[attr-defined]

    await end.push(name)
    assert end.statuses().count("Layer already exists") == 2
    assert "Pushed" not in end.statuses()

    await end.remove(name)
    assert not list(end.store.room.store.all())
    (pulled,) = await end.pull(name)
    assert pulled.digest == pushed.digest and pulled.new  # type: ignore[attr-defined]
    assert pulled.image.id == image.id  # type: ignore[attr-defined]
    assert end.store.room.store.find(name).repo_digests == (f"{registry.address}/me/one@{pushed.digest}",)  # type: ignore[attr-defined]
    assert end.statuses()[0] == "Pulling from me/one"
    assert end.statuses()[-1] == f"Status: Downloaded newer image for {name}"
    assert end.statuses().count("Pull complete") == 2

    (again,) = await end.pull(name)
    assert not again.new  # type: ignore[attr-defined]
    assert end.statuses()[-1] == f"Status: Image is up to date for {name}"
    (repushed,) = await end.push(name)
    assert repushed.digest == pushed.digest  # type: ignore[attr-defined]
