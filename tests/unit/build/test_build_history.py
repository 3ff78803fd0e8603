"""What is kept of builds: records, bounded logs, followers, and what an engine that died has left."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.build import history as module
from core.build.history import History
from core.build.recording import LAG, LOG_LIMIT, TAIL, Recording
from core.errors import Conflict, InvalidArgument, NotFound
from core.model.build import Built, Failed, Finished, Output, Planned, PlannedStep, Progressed, Started


def planned(*texts: str) -> Planned:
    steps = tuple(
        PlannedStep(id=n, stage="s", number=n, total=len(texts), text=text, line=n, last_line=n)
        for n, text in enumerate(texts, 1)
    )
    return Planned(steps=steps, warnings=("careful",))


async def lines(history: History, ident: str, *, follow: bool = False) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in history.lines(ident, follow=follow)]


def output(found: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(line["Data"]) for line in found if line.get("Event") == "output")


async def test_a_build_is_kept_with_its_steps_and_its_log_over_restarts(tmp_path: Path) -> None:
    history = History(tmp_path / "builds")
    with history.recording("ab" * 16, place="/x", names=("n:1",)) as recording:
        recording.has_source(b"FROM x\n")
        for event in (
            planned("FROM x", "RUN y", "CMD z"),
            Started(id=1),
            Progressed(id=1, name="layer", status="Downloading", current=1),
            Finished(id=1, cached=False, seconds=0.5),
            Started(id=2, cause="the line changed"),
            Output(id=2, stream=2, data=b"\xffsaid\n"),
            Finished(id=2, cached=False, seconds=1.5, layer="sha256:1", size=7),
            Finished(id=3, cached=True, seconds=0.0),
            Built(image="sha256:9", names=("n:1",)),
        ):
            recording.take(event)
        assert history.get("ab").outcome == "running"
        assert history.all()[0].steps[1].state == "done"
    again = History(tmp_path / "builds")
    again.recover()
    record = again.get("")
    assert (record.outcome, record.image, record.place, record.error) == ("done", "sha256:9", "/x", "")
    assert [step.state for step in record.steps] == ["done", "done", "cached"]
    assert (record.steps[1].cause, record.steps[1].size, record.steps[1].seconds) == ("the line changed", 7, 1.5)
    assert (record.warnings, record.source, record.output) == (("careful",), "FROM x\n", 6)
    told = await lines(again, record.id)
    assert [line["Event"] for line in told] == [
        "planned", "started", "finished", "started", "output", "finished", "finished", "built",
    ]  # fmt: skip
    assert output(told) == b"\xffsaid\n" and told == await lines(again, record.id, follow=True)


async def test_a_flood_is_bounded_and_the_end_of_what_failed_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "builds")
    with pytest.raises(InvalidArgument), history.recording("cd" * 16) as recording:
        recording.take(planned("RUN flood"))
        recording.take(Started(id=1))
        for number in range(3000):
            recording.take(Output(id=1, stream=1, data=b"%07d" % number + b"x" * 1017))
        recording.take(Failed(id=1, error="it failed", exit_code=3))
        raise InvalidArgument("it failed")
    record = history.get("cd")
    assert (record.outcome, record.error, record.output) == ("failed", "it failed", 3000 * 1024)
    assert (record.steps[0].state, record.steps[0].exit_code) == ("failed", 3)
    told = await lines(history, "cd")
    said = output(told)
    assert LOG_LIMIT <= len(said) <= LOG_LIMIT + TAIL + 100
    assert b"0001023x" in said and b"0001024x" not in said and b"0002999x" in said
    assert f"[{(3000 - 1024) * 1024 - TAIL} bytes of output are left out here]".encode() in said
    assert told[-1]["Event"] == "failed"  # nothing is said twice
    assert (tmp_path / "builds" / record.id / "log").stat().st_size < 2 * LOG_LIMIT


async def test_followers_see_what_comes_and_one_that_sleeps_holds_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "builds")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def build() -> None:
        with history.recording("ef" * 16) as recording:
            recording.take(planned("RUN x"))
            begun.set()
            await go_on.wait()
            recording.take(Output(id=1, stream=1, data=b"late"))
            with recording.followed() as (_, queue):
                for _ in range(3 * LAG):
                    recording.take(Output(id=1, stream=1, data=b"x" * 1024))
                assert queue.qsize() <= LAG

    task = asyncio.create_task(build())
    await begun.wait()
    with pytest.raises(Conflict):
        await history.remove("ef")
    follower = asyncio.create_task(lines(history, "ef", follow=True))
    await asyncio.sleep(0)
    go_on.set()
    await task
    found = await follower
    assert found[0]["Event"] == "planned" and output(found).startswith(b"late")


async def test_a_cancelled_build_says_so_and_its_running_step_too(tmp_path: Path) -> None:
    history = History(tmp_path / "builds")

    async def build() -> None:
        with history.recording("12" * 16) as recording:
            recording.take(planned("RUN x", "RUN y"))
            recording.take(Started(id=1))
            await asyncio.Event().wait()

    task = asyncio.create_task(build())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    record = history.get("12")
    assert record.outcome == "cancelled" and [step.state for step in record.steps] == ["cancelled", "waiting"]
    assert (await lines(history, "12"))[-1]["error"] == "the build was cancelled"


async def test_what_an_engine_died_over_is_lost_and_keeps_its_log(tmp_path: Path) -> None:
    from core.model.buildrecord import BuildRecord

    dead = Recording(BuildRecord(id="34" * 16, started=1.0), tmp_path / "builds" / ("34" * 16))
    dead.take(planned("RUN x"))
    dead.take(Output(id=1, stream=1, data=b"until here"))
    (tmp_path / "builds" / "nonsense").mkdir()
    history = History(tmp_path / "builds")
    history.recover()
    assert history.get("34").outcome == "lost"
    assert output(await lines(history, "34")) == b"until here"
    assert [entry.name for entry in (tmp_path / "builds").iterdir()] == ["34" * 16]
    dead.end(None)


async def test_the_oldest_go_and_names_must_be_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    history = History(tmp_path / "builds")
    for number in range(5):
        with history.recording(f"a{number}".ljust(32, "0")):
            pass
    assert [record.id[:2] for record in history.all()] == ["a4", "a3", "a2"]
    assert len(list((tmp_path / "builds").iterdir())) == 3
    with pytest.raises(InvalidArgument, match="multiple builds"):
        history.get("a")
    with pytest.raises(NotFound, match="No such build: b"):
        history.get("b")
    await history.remove("a3")
    assert [record.id[:2] for record in history.all()] == ["a4", "a2"]


async def test_a_disk_that_takes_nothing_costs_the_log_and_not_the_build(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("no folder")
    history = History(tmp_path / "builds")
    with history.recording("56" * 16) as recording:
        recording.take(planned("RUN x"))
    assert history.get("56").outcome == "done"
