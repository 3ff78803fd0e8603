from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.errors import Conflict, NotFound
from core.paths import Paths
from core.storage.db import Database
from core.storage.overlay import Snapshots
from core.storage.usage import tree_size


class Room:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root / "root", root / "run")
        self.db = Database(self.paths.database)
        self.snapshots = Snapshots(self.db, self.paths)

    def again(self) -> Snapshots:
        self.db.close()
        self.db = Database(self.paths.database)
        self.snapshots = Snapshots(self.db, self.paths)
        return self.snapshots


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def listing(path: str) -> list[str]:
    return [item.name for item in Path(path).iterdir()]


async def layers(snapshots: Snapshots, *names: str) -> None:
    parent = None
    for name in names:
        await snapshots.prepare(f"unpack-{name}", parent)
        (snapshots.upper(f"unpack-{name}") / name).write_text(name)
        await snapshots.commit(f"unpack-{name}", name, size=len(name))
        parent = name
    snapshots.settle(snapshots.unsettled())


async def test_a_containers_root_is_its_layers_top_first(room: Room) -> None:
    await layers(room.snapshots, "one", "two")
    await room.snapshots.prepare("c", "two")
    rootfs = room.snapshots.rootfs("c")
    assert rootfs["lower"] == [str(room.snapshots.upper("two")), str(room.snapshots.upper("one"))]
    assert rootfs["upper"] == str(room.snapshots.upper("c"))
    assert listing(rootfs["work"]) == []
    assert room.snapshots.rootfs("two") == {"lower": rootfs["lower"], "upper": None, "work": None}


async def test_an_image_without_layers_stands_on_an_empty_directory(room: Room) -> None:
    await room.snapshots.prepare("c", None)
    (lower,) = room.snapshots.rootfs("c")["lower"]
    assert listing(lower) == []


async def test_the_root_of_a_snapshot_looks_like_its_parents(room: Room) -> None:
    await room.snapshots.prepare("unpack-a", None)
    room.snapshots.upper("unpack-a").chmod(0o1711)
    await room.snapshots.commit("unpack-a", "a", size=0)
    await room.snapshots.prepare("c", "a")
    assert room.snapshots.upper("c").stat().st_mode & 0o7777 == 0o1711


async def test_everything_is_there_for_the_next_engine(room: Room) -> None:
    await layers(room.snapshots, "one", "two")
    await room.snapshots.prepare("c", "two")
    before = room.snapshots.rootfs("c")
    again = room.again()
    assert again.rootfs("c") == before
    assert (again.exists("two"), again.exists("c"), again.size("two")) == (True, False, 3)
    await again.prepare("d", "two")
    assert again.upper("d") != again.upper("c")


async def test_what_is_stood_on_stays(room: Room) -> None:
    await layers(room.snapshots, "one", "two")
    with pytest.raises(Conflict):
        await room.snapshots.remove("one")
    await room.snapshots.remove("two")
    await room.snapshots.remove("one")
    await room.snapshots.remove("one")
    assert [path.name for path in room.paths.snapshots.iterdir()] == ["empty"]


async def test_a_layer_that_came_twice_is_kept_once(room: Room) -> None:
    await layers(room.snapshots, "one")
    await room.snapshots.prepare("unpack-b", None)
    await room.snapshots.commit("unpack-b", "one", size=1)
    assert [item.name for item in room.snapshots.all()] == ["one"]


async def test_parents_and_keys_must_make_sense(room: Room) -> None:
    await room.snapshots.prepare("c", None)
    for parent in ("missing", "c"):
        with pytest.raises(NotFound):
            await room.snapshots.prepare("d", parent)
    with pytest.raises(Conflict):
        await room.snapshots.prepare("c", None)
    with pytest.raises(NotFound):
        room.snapshots.rootfs("missing")


async def test_the_sweep_takes_what_a_crash_left(room: Room) -> None:
    await layers(room.snapshots, "one")
    for key in ("unpack-half", "mine", "gone"):
        await room.snapshots.prepare(key, "one")
    stray = room.paths.snapshots / "77" / "fs"
    stray.mkdir(parents=True)
    await room.again().sweep(["mine"])
    assert {item.name for item in room.snapshots.all()} == {"one", "mine"}
    assert not stray.exists()
    await room.snapshots.sweep()
    assert {item.name for item in room.snapshots.all()} == {"one", "mine"}


async def test_a_snapshot_whose_directory_a_power_loss_took_is_made_again(room: Room) -> None:
    await room.snapshots.prepare("c", None)
    home = room.snapshots.upper("c").parent
    for folder in ("fs", "work", "."):
        (home / folder).rmdir()
    await room.again().sweep(["c"])
    assert room.snapshots.upper("c").is_dir()


async def test_a_lost_layer_is_told_and_the_engine_starts(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    await layers(room.snapshots, "one")
    (room.snapshots.upper("one") / "one").unlink()
    room.snapshots.upper("one").rmdir()
    await room.again().sweep()
    assert "layer one has lost its directory" in caplog.text


def test_disk_usage_counts_a_hard_link_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(b"x" * 10)
    (tmp_path / "b").hardlink_to(tmp_path / "d/a")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert tree_size(tmp_path) == 10 + len(str(tmp_path))


async def test_a_layer_that_is_not_settled_is_half_applied_to_the_next_engine(room: Room) -> None:
    await layers(room.snapshots, "one")
    await room.snapshots.prepare("unpack-two", None)
    room.snapshots.upper("one").chmod(0o751)
    await room.snapshots.commit("unpack-two", "two", size=3, parent="one", own_root=False)
    assert room.snapshots.exists("two")
    assert room.snapshots.parents("two") == ["two", "one"]
    assert room.snapshots.upper("two").stat().st_mode & 0o777 == 0o751
    again = room.again()
    await again.sweep()
    assert not again.exists("two")
    assert [row.name for row in again.all()] == ["one"]


async def test_a_layer_keeps_the_root_it_says_and_needs_its_parent(room: Room) -> None:
    await layers(room.snapshots, "one")
    room.snapshots.upper("one").chmod(0o751)
    for key in ("unpack-two", "unpack-three"):
        await room.snapshots.prepare(key, None)
    await room.snapshots.commit("unpack-two", "two", size=3, parent="one", own_root=True)
    assert room.snapshots.upper("two").stat().st_mode & 0o777 == 0o755
    with pytest.raises(NotFound):
        await room.snapshots.commit("unpack-three", "three", size=0, parent="missing")
    await room.snapshots.remove("two")
    room.snapshots.settle(room.snapshots.unsettled())
    assert {row.name for row in room.again().all()} == {"one", "unpack-three"}


async def test_a_snapshot_that_nobody_waits_for_any_more_is_not_made(room: Room) -> None:
    await layers(room.snapshots, "one")
    before = listing(str(room.paths.snapshots))
    task = asyncio.create_task(room.snapshots.prepare("c", "one"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and not room.snapshots.exists("c")
    assert listing(str(room.paths.snapshots)) == before
    assert [snapshot.name for snapshot in room.again().all()] == ["one"]
