"""What a shim tells becomes state, events and consequences."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from core.engine.events import Events
from core.engine.lifecycle import Lifecycle
from core.engine.records import Records
from core.engine.waiters import Condition, Waiters
from core.model.container import (
    ContainerConfig,
    ContainerRecord,
    Endpoint,
    HostConfig,
    RestartPolicy,
    State,
    Status,
)
from core.packets import Message
from core.storage.db import Database

IDENT = "ab" * 32


class Surroundings:
    """Networks, remover, execs, cgroup and starter of a lifecycle: they write down what they are asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done = asyncio.Event()

    async def detach(self, container_id: str) -> None:
        self.asked.append("detach")

    async def remove(self, ident: str, *, volumes: bool) -> None:
        self.asked.append(f"remove volumes={volumes}")
        self.done.set()

    async def vanish(self, ident: str) -> None:
        self.asked.append("vanish")
        self.done.set()

    def exited(self, container_id: str, exec_id: str, exit_code: int) -> None:
        self.asked.append(f"exec {exec_id} {exit_code}")

    def all_exited(self, container_id: str) -> None:
        self.asked.append("execs end")

    async def kill(self, ident: str) -> None:
        self.asked.append("kill")

    async def revive(self, ident: str, restart_count: int) -> None:
        self.asked.append(f"revive {restart_count}")
        self.done.set()


class Story:
    """A lifecycle with one container."""

    def __init__(self, folder: Path, host: HostConfig, **members: object) -> None:
        record = ContainerRecord(
            IDENT, "web", "2026-01-01T00:00:00Z", "sha256:" + "1" * 64, "busybox",
            ContainerConfig(image="busybox", labels={"tier": "front"}), host,
            endpoint=Endpoint(network_id="n1"), state=State(Status.RUNNING, pid=5),
        )  # fmt: skip
        self.records = Records(Database(folder / "db"))
        self.records.add(msgspec.structs.replace(record, **members))
        self.events, self.waiters, self.around = Events(), Waiters(), Surroundings()
        self.lifecycle = Lifecycle(
            self.records, self.events, self.waiters, self.around, self.around,
            remover=self.around, kill_group=self.around.kill, revive=self.around.revive,
        )  # fmt: skip

    async def tell(self, event: Message) -> None:
        await self.lifecycle.happened(IDENT, event)

    @property
    def record(self) -> ContainerRecord:
        return self.records.get(IDENT)

    @property
    def actions(self) -> list[str]:
        return [event.action for event in self.events.recent()]


EXITED = {
    "event": "exited",
    "exit_code": 3,
    "oom": False,
    "finished_at": "2026-01-01T00:00:09Z",
    "restarting_in": None,
}


async def test_a_start_is_recorded_and_told(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig(), state=State(error="before", oom_killed=True))
    await story.tell({"event": "started", "pid": 42, "started_at": "2026-01-01T00:00:01Z", "restart_count": 2})
    state = story.record.state
    assert (state.status, state.pid, state.restart_count, state.error) == (Status.RUNNING, 42, 2, "")
    event = story.events.recent()[0]
    assert (event.action, event.attributes) == ("start", {"tier": "front", "image": "busybox", "name": "web"})


async def test_an_exit_is_told_before_the_clean_up_and_the_clean_up_follows(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig())
    waiting = story.waiters.wait(story.record, Condition.NOT_RUNNING)
    await story.tell({"event": "oom"})
    await story.tell({**EXITED, "oom": True})
    assert await waiting == 3
    state = story.record.state
    assert (state.status, state.pid, state.exit_code, state.oom_killed) == (Status.EXITED, 0, 3, True)
    assert story.around.asked == ["execs end"]
    await story.lifecycle.gone(IDENT)
    assert story.around.asked == ["execs end", "detach"]
    assert story.record.endpoint is None
    assert story.actions == ["oom", "die", "disconnect"]
    assert story.events.recent()[1].attributes["exitCode"] == "3"


async def test_an_exit_that_restarts_is_no_end(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig(restart_policy=RestartPolicy("always")))
    end = story.waiters.wait(story.record, Condition.NOT_RUNNING)
    next_exit = story.waiters.wait(story.record, Condition.NEXT_EXIT)
    await story.tell({**EXITED, "restarting_in": 0.1})
    assert story.record.state.status is Status.RESTARTING
    assert (next_exit.done(), end.done()) == (True, False)
    end.cancel()


async def test_rm_lets_the_container_vanish_at_its_exit_and_clears_up_behind_its_shim(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig(auto_remove=True))
    await story.tell(EXITED)
    await story.around.done.wait()
    assert story.around.asked == ["execs end", "detach", "vanish"]
    assert story.actions == ["die", "disconnect"]
    story.records.delete(IDENT)
    story.around.done.clear()
    await story.lifecycle.gone(IDENT)
    await story.around.done.wait()
    assert story.around.asked[3:] == ["remove volumes=True"]


@pytest.mark.parametrize(
    ("policy", "members", "again"),
    [
        (RestartPolicy("no"), {}, False),
        (RestartPolicy("always"), {}, True),
        (RestartPolicy("always"), {"manually_stopped": True}, False),
        (RestartPolicy("unless-stopped"), {}, True),
        (RestartPolicy("on-failure"), {}, True),
        (RestartPolicy("on-failure", 2), {"state": State(Status.RUNNING, restart_count=1)}, True),
        (RestartPolicy("on-failure", 2), {"state": State(Status.RUNNING, restart_count=2)}, False),
    ],
)
async def test_a_lost_shim_ends_its_container_and_the_policy_holds(
    tmp_path: Path, policy: RestartPolicy, members: dict[str, object], again: bool
) -> None:
    story = Story(tmp_path, HostConfig(restart_policy=policy), **members)
    count = story.record.state.restart_count
    await story.lifecycle.lost(IDENT)
    state = story.record.state
    assert (state.status, state.exit_code, state.error) == (Status.EXITED, 137, "shim lost")
    if again:
        await story.around.done.wait()
    assert story.around.asked == ["kill", "execs end", "detach"] + [f"revive {count + 1}"] * again


async def test_a_failed_start_leaves_its_reason(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig(), state=State())
    await story.tell(
        {"event": "failed", "error": {"kind": "InitFailed", "message": "no such program", "exit_code": 127}}
    )
    state = story.record.state
    assert (state.status, state.exit_code, state.error) == (Status.CREATED, 127, "no such program")


async def test_execs_and_detaching_are_told(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig())
    await story.tell({"event": "exec-exited", "exec": "e1", "exit_code": 4})
    await story.tell({"event": "detached"})
    assert story.around.asked == ["exec e1 4"]
    assert story.actions == ["detach"]


async def test_a_container_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path, HostConfig())
    story.records.delete(IDENT)
    await story.tell(EXITED)
    await story.lifecycle.gone(IDENT)
    await story.lifecycle.lost(IDENT)
    assert story.actions == []
