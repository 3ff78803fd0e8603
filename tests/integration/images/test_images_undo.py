"""`rmi` and its undo on a real store: names go at once, bytes when nobody can want them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from store_kit import ForkingZygote, Store, docker_archive, make_tar

from core.errors import NoSuchImage, NotFound
from core.images.room import ImageRoom
from core.images.service import Images
from core.images.undo import Removal, restore
from core.oci.digest import Digest
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.overlay import Snapshots

pytestmark = pytest.mark.root

ONE, TWO = make_tar({"one": b"1"}), make_tar({"two": b"22"})


def nobody(ident: Digest) -> tuple[str, ...]:
    return ()


def opened(store: Store, *, undo: float = 3600.0) -> ImageRoom:
    """The store of an engine that started this moment; what is removed can be had back."""
    store.db = Database(store.paths.database)
    store.content, store.snapshots = ContentStore(store.paths), Snapshots(store.db, store.paths)
    room = ImageRoom.open(store.db, store.content, store.snapshots, ForkingZygote(), undo=undo)
    store.images = Images(room)
    return room


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path)
    opened(store)
    await store.load(docker_archive([ONE, TWO], ["a:1", "a:2"]))
    return store


async def rmi(store: Store, *names: str) -> list[str]:
    lines = []
    for name in names:
        lines += await store.images.remove(name, force=False, in_use=nobody)
    return [next(iter(line)) for line in lines]


def room_of(store: Store) -> ImageRoom:
    return store.images._room


def undo(store: Store) -> Removal:
    room = room_of(store)
    entry = room.journal.find(None)
    restore(entry, room.store)
    room.journal.drop(entry)
    return entry


async def test_what_was_removed_comes_back_as_it_was(store: Store) -> None:
    before = await store.save("a")
    assert await rmi(store, "a:1", "a:2") == ["Untagged", "Untagged", "Deleted", "Deleted", "Deleted"]
    with pytest.raises(NoSuchImage):
        await store.images.resolve("a:1")
    assert undo(store).what == "a:2"
    assert (await store.images.resolve("a:2")).references == ("docker.io/library/a:2",)
    assert undo(store).what == "a:1"
    await room_of(store).collector.collect()
    assert await store.save("a") == before
    with pytest.raises(NotFound, match="nothing to undo"):
        undo(store)


async def test_another_engine_can_undo_it_too(store: Store) -> None:
    before = await store.save("a:1")
    await rmi(store, "a:1", "a:2")
    room = opened(store)
    await store.images.start()
    assert [entry.command for entry in room.journal.all()] == ["rmi a:2", "rmi a:1"]
    undo(store)
    undo(store)
    assert await store.save("a:1") == before


async def test_a_name_that_another_image_took_stays_there(store: Store) -> None:
    first = await store.images.resolve("a:1")
    await rmi(store, "a:1", "a:2")
    await store.load(docker_archive([ONE], ["a:2"]))
    room = room_of(store)
    done = restore(room.journal.find(None), room.store)
    assert (done.names, done.taken, done.images) == ((), ("docker.io/library/a:2",), (first.id,))
    assert (await store.images.resolve("a:2")).id != first.id
    assert (await store.images.resolve(first.id)).references == ()


async def test_what_expired_is_collected(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await rmi(store, "a:1", "a:2")
    assert store.leftovers()
    later = time_after(4000)
    monkeypatch.setattr("core.images.undo.time.time", later)
    assert room_of(store).journal.all() == ()
    await room_of(store).collector.collect()
    assert store.leftovers() == []


async def test_a_short_disk_takes_what_is_kept_the_oldest_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load(docker_archive([TWO], ["b:1"]))
    await rmi(store, "a:1", "a:2", "b:1")
    monkeypatch.setattr(store.content, "is_short", lambda: len(room_of(store).journal.all()) > 1)
    async with room_of(store).collector.working():
        pass
    assert [entry.what for entry in room_of(store).journal.all()] == ["b:1"]
    undo(store)
    assert await store.save("b:1")


async def test_removals_of_one_command_are_one_entry(store: Store) -> None:
    await store.load(docker_archive([TWO], ["b:1"]))
    room = room_of(store)
    with room.journal.batch("image prune"):
        await rmi(store, "a:1", "a:2", "b:1")
    (entry,) = room.journal.all()
    assert (entry.command, entry.what, entry.size) == ("image prune", "a:1, a:2, b:1", 1 + 2 + 2)
    undo(store)
    assert len(await store.images.list()) == 2
    assert len((await store.images.resolve("a:1")).references) == 2


async def test_without_a_journal_the_bytes_go_at_once(store: Store) -> None:
    room = opened(store, undo=0.0)
    await rmi(store, "a:1", "a:2")
    assert room.journal.all() == ()
    assert store.leftovers() == []


def time_after(seconds: float) -> Callable[[], float]:
    import time

    now = time.time() + seconds
    return lambda: now
