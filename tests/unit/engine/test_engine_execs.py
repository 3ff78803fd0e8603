"""Exec instances: what is kept of them, and how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.engine.events import Events
from core.engine.execs import Execs
from core.engine.instances import KEPT
from core.engine.records import Records
from core.engine.specgen import exec_process
from core.errors import NoSuchExec
from core.model.container import ContainerConfig, ContainerRecord, ExecConfig, HostConfig, State, Status
from core.storage.db import Database

IDENT = "ab" * 32


@pytest.fixture
def execs(tmp_path: Path) -> Execs:
    records = Records(Database(tmp_path / "db"))
    records.add(
        ContainerRecord(
            IDENT, "web", "2026-01-01T00:00:00Z", "sha256:" + "1" * 64, "busybox",
            ContainerConfig(image="busybox"), HostConfig(), state=State(Status.RUNNING, pid=5),
        )
    )  # fmt: skip
    return Execs(records, Events(), exec_process)


def test_a_container_that_is_asked_for_ever_does_not_fill_the_memory(execs: Execs) -> None:
    execs.instances.adopt(IDENT, {"running": 7})
    made = [execs.create("web", ExecConfig(cmd=("true",))) for _ in range(KEPT + 10)]
    assert execs.instances.get(made[-1].id) is made[-1]
    assert execs.instances.get(made[11].id) is made[11]
    for forgotten in made[:11]:
        with pytest.raises(NoSuchExec):
            execs.instances.get(forgotten.id)
    assert [made.id for made in execs.instances.running(IDENT)] == ["running"], "what runs is never forgotten"


def test_instances_that_never_ran_go_with_their_container(execs: Execs) -> None:
    idle = execs.create("web", ExecConfig(cmd=("true",)))
    execs.instances.exited(IDENT, "other", 3)
    execs.instances.all_exited(IDENT)
    with pytest.raises(NoSuchExec):
        execs.instances.get(idle.id)
    assert execs.instances.get("other").exit_code == 3
    execs.instances.forget(IDENT)
    with pytest.raises(NoSuchExec):
        execs.instances.get("other")
