"""Volumes as clients see them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from store_kit import ForkingZygote

from core.engine.events import Events
from core.engine.keeping import Keeping
from core.engine.records import Records
from core.engine.volumes import VolumeActs
from core.engine.waiters import Waiters
from core.errors import NoSuchVolume, VolumeInUse
from core.images.room import ImageRoom
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.overlay import Snapshots
from core.storage.trash import Trash
from core.storage.volumes import Volumes


def acting(folder: Path, undo: float) -> tuple[Records, Volumes, VolumeActs]:
    """Volumes in `folder`, of which what is removed can be had back for `undo` seconds."""
    paths = Paths(folder, folder)
    db = Database(paths.database)
    records, events, store = Records(db), Events(), Volumes(db, paths, ForkingZygote())
    room = ImageRoom.open(db, ContentStore(paths), Snapshots(db, paths), ForkingZygote(), undo=undo)
    keeping = Keeping(paths, records, events, Waiters(), room=room, volumes=store, discard=Trash(paths).throw)
    return records, store, VolumeActs(store, records, events, keeping)


@pytest.mark.parametrize("undo", [0.0, 60.0])
async def test_two_that_remove_everything_at_once_share_the_work_and_leave_what_is_used(
    tmp_path: Path, undo: float
) -> None:
    records, _, acts = acting(tmp_path, undo)
    names = {(await acts.create(f"v{number}", driver="", labels={})).name for number in range(5)}
    records.claim("ab" * 32, "v3")

    async def remove_all() -> set[str]:
        gone = set()
        for name in sorted(names):
            try:
                await acts.remove(name)
            except (NoSuchVolume, VolumeInUse):
                continue  # another client was quicker, or a container has it
            gone.add(name)
        return gone

    first, second = await asyncio.gather(remove_all(), remove_all())
    assert first | second == names - {"v3"} and not first & second
    with pytest.raises(VolumeInUse, match="remove v3: volume is in use"):
        await acts.remove("v3")
    assert [record.name for record in await acts.all()] == ["v3"]


@pytest.mark.parametrize("undo", [0.0, 60.0])
async def test_a_container_that_is_made_while_a_removal_waits_keeps_its_volume(tmp_path: Path, undo: float) -> None:
    records, store, acts = acting(tmp_path, undo)
    data = Path((await acts.create("data", driver="", labels={})).mountpoint)
    (data / "precious").touch()
    slow = asyncio.create_task(store.create("other", {}))  # holds the turn that the removal waits for
    await asyncio.sleep(0)
    removal = asyncio.create_task(acts.remove("data"))
    await asyncio.sleep(0)
    records.claim("ab" * 32, "data")
    await slow
    with pytest.raises(VolumeInUse):
        await removal
    assert (data / "precious").exists()
