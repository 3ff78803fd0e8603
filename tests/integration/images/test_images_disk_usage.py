"""What images take of the disk: a layer that several of them have is there once."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_kit import ForkingZygote, Store, docker_archive, make_tar

from core.api.image_views import summary
from core.engine.records import Records
from core.engine.system import System
from core.storage.volumes import Volumes

pytestmark = pytest.mark.root


async def test_a_shared_layer_counts_once(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    one, two = make_tar({"one": b"x" * 1000}), make_tar({"two": b"y" * 30})
    await store.load(docker_archive([one], ["a:1"]))
    await store.load(docker_archive([one, two], ["b:1"]))
    volumes = Volumes(store.db, store.paths, ForkingZygote())
    system = System(
        store.paths, Records(store.db), images=store.images, volumes=volumes, cgroup_version=2, warnings=lambda: ()
    )
    usage = await system.disk_usage()
    assert usage["LayersSize"] == 1030
    lines = [summary(image, shared=usage["shared"][image.id]) for image in usage["images"]]
    assert sorted((line["Size"], line["SharedSize"]) for line in lines) == [(1000, 1000), (1030, 1000)]
