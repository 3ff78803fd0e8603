"""Volumes: what a crash or a race between two clients may leave of them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from store_kit import ForkingZygote

from core.paths import Paths
from core.storage.db import Database
from core.storage.volumes import Volumes


async def test_removing_and_making_the_same_name_at_once_leaves_one_that_lasts(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    db = Database(paths.database)
    volumes = Volumes(db, paths, ForkingZygote())
    for _ in range(20):
        first = await volumes.create("data", {})
        (Path(first.mountpoint) / "old").touch()
        await asyncio.gather(volumes.remove("data"), volumes.create("data", {}), volumes.create("data", {}))
        assert list(Path((await volumes.get("data")).mountpoint).iterdir()) == []
        assert [record.name for record in await Volumes(db, paths, ForkingZygote()).list()] == ["data"]


async def test_a_name_whose_data_went_in_a_power_cut_is_made_anew(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    db = Database(paths.database)
    volume = await Volumes(db, paths, ForkingZygote()).create("data", {"a": "b"})
    shutil.rmtree(paths.volumes / "data")  # the first half of removing it
    again = await Volumes(db, paths, ForkingZygote()).create("data", {})
    assert again == volume
    assert Path(again.mountpoint).stat().st_mode & 0o7777 == 0o755
