"""The state machine of health checks, and what images may say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.api.container_views import inspect, status_text
from core.engine.events import Events
from core.engine.filters import check, matches
from core.engine.health import Check, HealthChecks, check_of, first_pause, interval_of, judged
from core.engine.merge import merge
from core.engine.probing import FAILED, OUTPUT_LIMIT, _go, _Output
from core.engine.records import Records, replace_state
from core.engine.validate import check_healthcheck
from core.errors import InvalidArgument
from core.model.container import (
    ContainerConfig,
    ContainerRecord,
    Health,
    HealthStatus,
    HostConfig,
    Probe,
    State,
    Status,
)
from core.oci.image import ExecutionConfig, Healthcheck
from core.paths import Paths
from core.storage.db import Database
from core.wire.codec import timestamp
from core.wire.streams import STDERR, STDOUT, frame

SECOND = 1_000_000_000
T0 = 1_795_000_000 * SECOND


def probe(code: int, at: float = 0, took: float = 0.1) -> Probe:
    return Probe(timestamp(T0 + int(at * SECOND)), timestamp(T0 + int((at + took) * SECOND)), code)


def record(health: Health | None = None, status: Status = Status.RUNNING, **config: object) -> ContainerRecord:
    return ContainerRecord(
        "ab" * 32, "web", timestamp(T0), "sha256:" + "1" * 64, "busybox",
        ContainerConfig(image="busybox", **config), HostConfig(),  # type: ignore[arg-type]
        state=State(status, pid=5, started_at=timestamp(T0), health=health),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (("CMD", "true", "x y"), ("true", "x y")),
        (("CMD-SHELL", "a | b"), ("/bin/sh", "-c", "a | b")),
        (("NONE",), None), ((), None), (("CMD",), None), (("CMD-SHELL",), None), (("CMD", ""), None),
        (("BOGUS", "x"), None), (("",), None),
    ],
)  # fmt: skip
def test_what_is_a_check(test: tuple[str, ...], command: tuple[str, ...] | None) -> None:
    found = check_of(ContainerConfig(healthcheck=Healthcheck(test=test)))
    assert (found.command if found else None) == command


def test_no_check_at_all() -> None:
    assert check_of(ContainerConfig()) is None


@given(st.builds(Healthcheck, test=st.lists(st.text(max_size=9), max_size=3).map(tuple),
                 **{name: st.integers(-(2**63), 2**63 - 1) for name in
                    ("interval", "timeout", "start_period", "start_interval", "retries")}))  # fmt: skip
def test_an_image_may_say_anything(asked: Healthcheck) -> None:
    found = check_of(ContainerConfig(healthcheck=asked))
    if found:
        assert found.interval >= 0.1 and found.start_interval >= 0.1 and found.timeout > 0 and found.retries > 0
        assert found.start_period >= 0 and 0 <= first_pause(record(), found, T0) <= max(
            found.interval, found.start_interval
        )


def test_docker_s_defaults() -> None:
    assert check_of(ContainerConfig(healthcheck=Healthcheck(test=("CMD", "x")))) == Check(("x",), 30, 30, 0, 5, 3)


def test_the_way_of_a_container() -> None:
    rules = Check(("x",), retries=2)
    health, seen = Health(), []
    for number, code in enumerate([1, 0, 1, 0, 1, 1, 1, 0, FAILED, FAILED]):
        health = judged(health, probe(code, number * 30), rules, started_at=timestamp(T0))
        seen.append((str(health.status), health.failing_streak))
    assert seen == [
        ("starting", 1), ("healthy", 0), ("healthy", 1), ("healthy", 0), ("healthy", 1), ("unhealthy", 2),
        ("unhealthy", 3), ("healthy", 0), ("healthy", 1), ("unhealthy", 2),
    ]  # fmt: skip
    assert [item.exit_code for item in health.log] == [1, 1, 0, -1, -1]


def test_failures_while_it_starts_do_not_count() -> None:
    rules = Check(("x",), retries=1, start_period=60)
    early = judged(Health(), probe(1, 59), rules, started_at=timestamp(T0))
    assert early == Health(HealthStatus.STARTING, 0, (probe(1, 59),))
    assert judged(early, probe(1, 60), rules, started_at=timestamp(T0)).status is HealthStatus.UNHEALTHY
    well = judged(early, probe(0, 10), rules, started_at=timestamp(T0))
    assert judged(well, probe(1, 20), rules, started_at=timestamp(T0)).status is HealthStatus.UNHEALTHY


def test_how_often() -> None:
    rules = Check(("x",), interval=30, start_interval=2, start_period=10)
    starting, healthy = record(Health()), record(Health(HealthStatus.HEALTHY, log=(probe(0, 5, 1),)))
    assert interval_of(starting, rules, T0 + 9 * SECOND) == 2
    assert interval_of(starting, rules, T0 + 10 * SECOND) == 30
    assert interval_of(healthy, rules, T0 + 9 * SECOND) == 30
    assert first_pause(starting, rules, T0) == 2
    assert first_pause(healthy, rules, T0 + 6 * SECOND) == 30
    assert first_pause(healthy, rules, T0 + 26 * SECOND) == 10
    assert first_pause(healthy, rules, T0 + 9000 * SECOND) == 0
    assert first_pause(healthy, rules, T0 - 9000 * SECOND) == 30


@given(
    st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=3000)), max_size=6),
    st.integers(1, 700),
)
def test_output_is_kept_to_a_bound_however_it_comes(frames: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(frame(stream, piece) for stream, piece in frames)
    found = _Output()
    for at in range(0, len(data), step):
        found.take(data[at : at + step])
    whole = b"".join(piece for _, piece in frames)
    shown = whole[:OUTPUT_LIMIT].decode("utf-8", "replace")
    assert found.text() == (shown + "..." if len(whole) > OUTPUT_LIMIT else shown)
    assert found.full == (len(whole) > OUTPUT_LIMIT)


def test_times_as_go_prints_them() -> None:
    assert [_go(x) for x in (0.5, 1, 1.5, 30, 90, 3600)] == ["500ms", "1s", "1.5s", "30s", "1m30s", "1h0m0s"]


def test_the_request_goes_over_the_image_member_by_member() -> None:
    image = ExecutionConfig(healthcheck=Healthcheck(test=("CMD", "image"), interval=5, retries=2))
    merged = merge(ContainerConfig(healthcheck=Healthcheck(interval=7, timeout=9)), image).healthcheck
    assert merged == Healthcheck(test=("CMD", "image"), interval=7, timeout=9, retries=2)
    assert merge(ContainerConfig(), image).healthcheck == image.healthcheck
    none = merge(ContainerConfig(healthcheck=Healthcheck(test=("NONE",))), image)
    assert check_of(none) is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Healthcheck(interval=999_999), "Interval in Healthcheck cannot be less than 1ms"),
        (Healthcheck(timeout=-1), "Timeout in Healthcheck cannot be less than 1ms"),
        (Healthcheck(start_period=5), "StartPeriod in Healthcheck cannot be less than 1ms"),
        (Healthcheck(start_interval=5), "StartInterval in Healthcheck cannot be less than 1ms"),
        (Healthcheck(retries=-1), "Retries in Healthcheck cannot be negative"),
    ],
)
def test_what_a_request_may_not_ask(asked: Healthcheck, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        check_healthcheck(asked)


def test_how_it_is_shown(tmp_path: Path) -> None:
    now = T0 + 5 * SECOND
    up = "Up 5 seconds"
    assert status_text(record(), now) == up
    assert status_text(record(Health()), now) == f"{up} (health: starting)"
    sick = record(Health(HealthStatus.UNHEALTHY, 3, (probe(1),)))
    assert status_text(sick, now) == f"{up} (unhealthy)"
    assert status_text(record(Health(HealthStatus.HEALTHY), Status.PAUSED), now) == f"{up} (Paused)"
    paths = Paths(tmp_path / "r", tmp_path / "n")
    assert "Health" not in inspect(record(), paths, rootfs={}, execs=[])["State"]
    assert json.loads(json.dumps(inspect(sick, paths, rootfs={}, execs=[])["State"]["Health"])) == {
        "Status": "unhealthy", "FailingStreak": 3,
        "Log": [{"Start": probe(1).start, "End": probe(1).end, "ExitCode": 1, "Output": ""}],
    }  # fmt: skip


def test_the_filter() -> None:
    well = record(Health(HealthStatus.HEALTHY))
    assert matches(well, {"health": ["healthy"]}) and not matches(well, {"health": ["none", "starting"]})
    assert matches(record(), {"health": ["none"]}) and not matches(record(), {"health": ["healthy"]})
    with pytest.raises(InvalidArgument, match="Unrecognised filter value for health: ill"):
        check({"health": ["ill"]})


class Answers:
    """A prober that answers what it is told, once each time it is let."""

    def __init__(self) -> None:
        self.codes: asyncio.Queue[int] = asyncio.Queue()
        self.asked = 0

    async def probe(self, record: ContainerRecord, command: tuple[str, ...], limit: float) -> Probe | None:
        self.asked += 1
        return probe(await self.codes.get())


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Ward:
    """Checks over one container whose interval is the shortest."""

    def __init__(self, folder: Path, **check: object) -> None:
        asked = Healthcheck(test=("CMD", "x"), interval=1, retries=2, **check)  # type: ignore[arg-type]
        self.records, self.events, self.answers = Records(Database(folder / "db")), Events(), Answers()
        self.records.add(record(healthcheck=asked))
        self.checks = HealthChecks(self.records, self.events, self.answers)  # type: ignore[arg-type]
        self.ident = "ab" * 32

    def tell(self, action: str) -> None:
        self.events.publish("container", action, self.ident)

    @property
    def health(self) -> Health | None:
        return self.records.get(self.ident).state.health

    async def next(self, code: int) -> None:
        """Let a probe end with `code`, and wait until that is known."""
        before = self.health
        self.answers.codes.put_nowait(code)
        await until(lambda: self.health is not before)

    @property
    def said(self) -> list[str]:
        return [event.action for event in self.events.recent() if event.action.startswith("health")]


async def test_a_start_begins_and_an_end_ends(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.tell("start")
    assert ward.health == Health()
    for code in (0, 0, 1, 1, 1, 0):
        await ward.next(code)
    assert ward.said == ["health_status: healthy", "health_status: unhealthy", "health_status: healthy"]
    ward.records.set_state(ward.ident, status=Status.EXITED)
    ward.tell("die")
    assert ward.health is not None and ward.health.status is HealthStatus.UNHEALTHY
    asked = ward.answers.asked
    await asyncio.sleep(0.25)
    assert ward.answers.asked == asked
    ward.records.set_state(ward.ident, status=Status.RUNNING)
    ward.tell("start")
    assert ward.health.status is HealthStatus.STARTING and len(ward.health.log) == 5
    ward.checks.close()


async def test_a_probe_of_the_life_before_says_nothing_of_this_one(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.tell("start")
    await until(lambda: ward.answers.asked > 0)
    ward.records.change(ward.ident, lambda old: replace_state(old, started_at=timestamp(T0 + 1)))
    ward.answers.codes.put_nowait(0)
    await asyncio.sleep(0.02)
    assert ward.health == Health()
    ward.checks.close()


async def test_the_next_engine_goes_on(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.tell("start")
    await ward.next(0)
    ward.checks.close()
    again = HealthChecks(ward.records, ward.events, ward.answers)  # type: ignore[arg-type]
    again.adopt()
    again.adopt()
    await ward.next(1)
    assert ward.health is not None and (ward.health.status, ward.health.failing_streak) == ("healthy", 1)
    again.close()


async def test_a_paused_container_is_not_asked(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.tell("start")
    ward.records.set_state(ward.ident, status=Status.PAUSED)
    await asyncio.sleep(0.3)
    assert ward.answers.asked == 0
    ward.records.set_state(ward.ident, status=Status.RUNNING)
    await ward.next(0)
    ward.checks.close()
