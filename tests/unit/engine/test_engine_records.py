"""Records, waiters, events and filters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from core import errors
from core.engine import filters
from core.engine.events import BACKLOG, Events, matches
from core.engine.records import Records
from core.engine.waiters import Condition, Waiters
from core.model.container import (
    ContainerConfig,
    ContainerRecord,
    Endpoint,
    HostConfig,
    MountPoint,
    PortBinding,
    State,
    Status,
)
from core.model.events import Event
from core.storage.db import Database


def record(ident: str, name: str, **members: object) -> ContainerRecord:
    made = ContainerRecord(
        ident * (64 // len(ident)), name, f"2026-01-01T00:00:0{len(name)}Z", "sha256:" + "1" * 64, "busybox",
        ContainerConfig(image="busybox"), HostConfig(),
    )  # fmt: skip
    return msgspec.structs.replace(made, **members)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Database(tmp_path / "db"))


def test_a_container_is_found_by_id_name_and_beginning(records: Records) -> None:
    one, two = record("ab", "one"), record("ac", "two")
    records.add(one)
    records.add(two)
    for reference in (one.id, "one", "/one", "ab", one.short_id):
        assert records.get(reference) == one
    with pytest.raises(errors.InvalidArgument, match="multiple IDs found with provided prefix: a"):
        records.get("a")
    for reference in ("nope", "", "ZZ", "b"):
        with pytest.raises(errors.NoSuchContainer, match=f"^No such container: {reference}$"):
            records.get(reference)


def test_a_name_belongs_to_one_container(records: Records) -> None:
    one = record("ab", "one")
    records.add(one)
    with pytest.raises(errors.NameInUse) as caught:
        records.add(record("cd", "one"))
    assert str(caught.value) == (
        f'Conflict. The container name "/one" is already in use by container "{one.id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    other = record("cd", "other")
    records.add(other)
    with pytest.raises(errors.NameInUse):
        records.change(other.id, lambda old: msgspec.structs.replace(old, name="one"))
    records.change(one.id, lambda old: msgspec.structs.replace(old, name="third"))
    records.change(other.id, lambda old: msgspec.structs.replace(old, name="one"))
    assert records.get("one").id == other.id


def test_a_volume_has_users_before_their_records_are_stored(records: Records) -> None:
    point = MountPoint(type="volume", name="data", destination="/data")
    one = record("ab", "one", mounts=(point,))
    assert records.users("data") == ()
    records.claim(one.id, "data")
    assert records.users("data") == (one.id,)
    assert records.users("other") == ()
    records.unclaim(one.id)
    assert records.users("data") == ()
    records.add(one)
    assert records.users("data") == (one.id,)


def test_the_next_engine_finds_every_record(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    records = Records(database)
    one = record(
        "ab", "one", endpoint=Endpoint(ports={"80/tcp": (PortBinding("", "80"),)}), args=("a", "\udcff"[:0])
    )
    records.add(one)
    records.set_state(one.id, status=Status.RUNNING, pid=7)
    records.add(record("cd", "gone"))
    records.delete("cd" * 32)
    database.close()
    again = Records(Database(tmp_path / "db"))
    assert [found.name for found in again.all()] == ["one"]
    assert again.get("one").state.pid == 7
    assert again.get("one").endpoint == one.endpoint


async def test_waiters_are_told_what_they_wait_for() -> None:
    waiters, running = Waiters(), record("ab", "one", state=State(Status.RUNNING))
    stopped = record("ab", "one", state=State(Status.EXITED, exit_code=5))
    assert await waiters.wait(stopped, Condition.NOT_RUNNING) == 5
    exit_, end, gone = (waiters.wait(running, condition) for condition in (
        Condition.NEXT_EXIT, Condition.NOT_RUNNING, Condition.REMOVED,
    ))  # fmt: skip
    waiters.exited(running.id, 3, for_good=False)
    assert (exit_.done(), end.done(), gone.done()) == (True, False, False)
    waiters.exited(running.id, 4, for_good=True)
    assert await end == 4 and not gone.done()
    waiters.removed(running.id, 4)
    assert [await exit_, await gone] == [3, 4]
    with pytest.raises(errors.InvalidArgument, match='invalid condition: "never"'):
        Condition.parse("never")


async def test_events_come_to_those_who_listen_and_the_last_are_kept() -> None:
    events = Events()
    before = events.publish("container", "create", "abc")
    stream = events.stream(since=before.time_ns)
    assert (await anext(stream)).action == "create"
    coming = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    events.publish("container", "start", "abc")
    assert (await coming).action == "start"
    await stream.aclose()


async def test_events_end_at_until() -> None:
    events = Events()
    past = events.publish("container", "create", "abc")
    found = [event.action async for event in events.stream(since=1, until=past.time_ns)]
    assert found == ["create"]


async def test_a_reader_that_does_not_read_is_let_go() -> None:
    events = Events()
    stream = events.stream()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    for _ in range(BACKLOG + 2):
        events.publish("container", "x", "abc")
    await first
    assert len([event async for event in stream]) == BACKLOG - 1


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({}, True),
        ({"type": ("container",)}, True),
        ({"type": ("image", "container")}, True),
        ({"type": ("image",)}, False),
        ({"event": ("exec_create",)}, True),
        ({"event": ("start",)}, False),
        ({"container": ("web",)}, True),
        ({"container": ("a" * 12,)}, True),
        ({"container": ("other",)}, False),
        ({"label": ("tier",)}, True),
        ({"label": ("tier=front",)}, True),
        ({"label": ("tier=back",)}, False),
        ({"image": ("busybox",)}, True),
        ({"image": ("alpine",)}, False),
        ({"type": ("container",), "event": ("die",)}, False),
    ],
)
def test_event_filters(wanted: dict[str, tuple[str, ...]], passes: bool) -> None:
    attributes = {"name": "web", "image": "busybox:latest", "tier": "front"}
    assert matches(Event("container", "exec_create: ls", "a" * 64, attributes), wanted) is passes


def test_lists_are_filtered_as_docker_does() -> None:
    up = record("ab", "web1", state=State(Status.RUNNING), config=ContainerConfig(labels={"a": "b"}))
    down = record(
        "cd", "db", state=State(Status.EXITED, exit_code=3), mounts=(MountPoint("volume", "/d", name="v"),)
    )
    every = [up, down]

    def names(asked: dict[str, tuple[str, ...]], *, all_states: bool = False, limit: int = 0) -> list[str]:
        found = filters.select(
            every,
            asked,
            all_states=all_states,
            limit=limit,
            lookup=lambda reference: next(item for item in every if item.name == reference),
            ancestors=lambda value: {up.image_id} if value == "busybox" else set(),
        )
        return [item.name for item in found]

    assert names({}) == ["web1"]
    assert names({}, all_states=True) == ["web1", "db"]
    assert names({}, limit=1) == ["web1"]
    assert names({"status": ("exited",)}) == ["db"]
    assert names({"exited": ("3",)}) == ["db"]
    assert names({"exited": ("0",)}) == []
    assert names({"name": ("^/web",)}, all_states=True) == ["web1"]
    assert names({"name": ("^db$",)}, all_states=True) == ["db"]
    assert names({"label": ("a=b",)}, all_states=True) == ["web1"]
    assert names({"volume": ("v",)}, all_states=True) == ["db"]
    assert names({"ancestor": ("busybox",)}, all_states=True) == ["web1", "db"]
    assert names({"ancestor": ("alpine",)}, all_states=True) == []
    assert names({"since": ("db",)}, all_states=True) == ["web1"]
    assert names({"before": ("web1",)}, all_states=True) == ["db"]
    assert names({"id": ("cd",)}, all_states=True) == ["db"]
    for wrong in ({"nope": ("x",)}, {"status": ("asleep",)}, {"exited": ("x",)}, {"name": ("[",)}):
        with pytest.raises(errors.InvalidArgument):
            names(wrong, all_states=True)


async def test_the_exit_code_of_a_container_that_is_gone_can_be_asked_for() -> None:
    waiters = Waiters()
    waiters.removed("ab", 9)
    found = waiters.gone("ab")
    assert found is not None and await found == 9
    assert waiters.gone("cd") is None
    for number in range(300):
        waiters.removed(str(number), 0)
    assert waiters.gone("ab") is None


class Tight(Database):
    """A database that has no room now and then."""

    full = False

    def execute(self, sql: str, parameters: Sequence[object] = (), *, durable: bool = True) -> int:
        if self.full:
            raise errors.DiskFull("no space left on device")
        return super().execute(sql, parameters, durable=durable)


def test_a_full_disk_hides_no_exit(tmp_path: Path) -> None:
    store = Tight(tmp_path / "db")
    records = Records(store)
    one, two = record("ab", "one"), record("cd", "two")
    records.add(one)
    records.add(two)
    store.full = True
    records.set_state(one.id, status=Status.EXITED, exit_code=4)
    assert records.get("one").state.exit_code == 4
    with pytest.raises(errors.DiskFull):
        records.change(one.id, lambda old: msgspec.structs.replace(old, name="other"), durable=True)
    with pytest.raises(errors.DiskFull):
        records.delete(one.id)
    assert records.get("one").state.exit_code == 4
    store.full = False
    records.set_state(two.id, exit_code=5)
    assert Records(store).get("one").state.exit_code == 4
