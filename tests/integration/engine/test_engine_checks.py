"""Health checks of real containers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidArgument
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root
MS = 1_000_000


def check(script: str, **members: Any) -> dict[str, Any]:
    return {"Test": ["CMD-SHELL", script], "Interval": 100 * MS, "Retries": 2, **members}


def health(engine: EngineUnderTest, ident: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.state(ident)["Health"]
    return found


def becomes(engine: EngineUnderTest, ident: str, status: str) -> None:
    wait_until(lambda: health(engine, ident)["Status"] == status, f"{status}: {health(engine, ident)}")


def actions(engine: EngineUnderTest, ident: str, since: str) -> list[str]:
    until = f"{time.time():.6f}"
    query = {"since": since, "until": until, "filters": {"container": [ident]}}
    return [event["Action"] for event in engine.client.open("GET", "/events", query).values()]


def test_from_starting_to_healthy_to_unhealthy_and_back(engine: EngineUnderTest) -> None:
    since = f"{time.time():.6f}"
    script = "test -e /ill && echo ill && exit 7; test -e /well && echo well"
    ident = engine.run("sh", "-c", "sleep 1000", Healthcheck=check(script), Labels={"l": "h"})
    shown = lambda: engine.client.get("/containers/json", {"filters": {"label": ["l=h"]}})[0]["Status"]  # noqa: E731
    assert shown().endswith("(health: starting)")
    wait_until(lambda: bool(health(engine, ident)["Log"]), "a probe")
    root = f"/proc/{engine.state(ident)['Pid']}/root"
    Path(f"{root}/well").touch()
    becomes(engine, ident, "healthy")
    assert shown().endswith("(healthy)")
    Path(f"{root}/ill").touch()
    becomes(engine, ident, "unhealthy")
    found = health(engine, ident)
    assert found["FailingStreak"] >= 2
    last = found["Log"][-1]
    assert (last["ExitCode"], last["Output"]) == (7, "ill\n") and last["Start"] < last["End"]
    assert len(found["Log"]) <= 5
    names = [item["Id"] for item in engine.client.get("/containers/json", {"filters": {"health": ["unhealthy"]}})]
    assert names == [ident]
    Path(f"{root}/ill").unlink()
    becomes(engine, ident, "healthy")
    said = actions(engine, ident, since)
    assert [action for action in said if action.startswith("health")] == [
        "health_status: healthy", "health_status: unhealthy", "health_status: healthy",
    ]  # fmt: skip
    assert f"exec_create: /bin/sh -c {script}" in said and f"exec_start: /bin/sh -c {script}" in said
    assert "exec_die" in said
    engine.client.post(f"/containers/{ident}/stop", {"t": "0"})
    assert health(engine, ident)["Status"] == "unhealthy"
    engine.client.delete(f"/containers/{ident}")


def test_a_probe_that_hangs_is_killed_with_all_it_began(engine: EngineUnderTest) -> None:
    script = "echo before; sleep 987 & sleep 987"
    ident = engine.run("sleep", "1000", Healthcheck=check(script, Timeout=200 * MS, Retries=1))
    becomes(engine, ident, "unhealthy")
    last = health(engine, ident)["Log"][-1]
    assert last["ExitCode"] == -1
    assert last["Output"] == "Health check exceeded timeout (200ms): before\n"
    engine.client.post(f"/containers/{ident}/pause")
    running = engine.client.get(f"/containers/{ident}/top")["Processes"]
    assert sum("sleep 987" in line[-1] for line in running) <= 3  # those of one probe, with its shell
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_what_it_says_is_bounded_and_a_flood_does_not_matter(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "1000", Healthcheck=check("yes | head -c 30000000"))
    becomes(engine, ident, "healthy")
    output = health(engine, ident)["Log"][0]["Output"]
    assert output == "y\n" * 2048 + "..."
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


@pytest.mark.parametrize("test", [["CMD", "nosuch"], ["CMD", "/etc"], ["CMD", "a\0b"]])
def test_a_command_that_cannot_run(engine: EngineUnderTest, test: list[str]) -> None:
    body = {"Test": test, "Interval": 100 * MS, "Retries": 1}
    if "\0" in test[1]:
        with pytest.raises(InvalidArgument):
            engine.create("sleep", "1000", Healthcheck=body)
        return
    ident = engine.run("sleep", "1000", Healthcheck=body)
    becomes(engine, ident, "unhealthy")
    last = health(engine, ident)["Log"][-1]
    assert last["ExitCode"] == -1 and "exec:" in last["Output"]
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


GARBAGE: list[Any] = [
    {"Test": ["CMD"]}, {"Test": ["BOGUS", "x"]}, {"Test": []}, {}, {"Test": None}, None,
    {"Test": ["CMD-SHELL", ""]}, {"Test": ["CMD", "true"], "Interval": -5, "Timeout": -1, "Retries": -9},
    {"Test": ["CMD-SHELL", "x" * 5000], "Interval": 2**62, "StartPeriod": 2**62},
    {"Test": ["CMD", "false"], "Interval": 1, "Retries": 1},
]  # fmt: skip


def test_whatever_an_image_says_the_engine_lives(engine: EngineUnderTest) -> None:
    layer = busybox_layer()
    for number, garbage in enumerate(GARBAGE):
        data = archive([layer], f"garbage:{number}", {"Cmd": ["sleep", "1000"], "Healthcheck": garbage})
        engine.client.open("POST", "/images/load", None, data, headers={"Content-Type": "application/x-tar"}).read()
        body = {"Image": f"garbage:{number}", "HostConfig": {"NetworkMode": "none"}}
        ident = engine.client.post("/containers/create", None, body)["Id"]
        engine.client.post(f"/containers/{ident}/start")
    daemon = engine.daemon_pid()
    found = engine.client.get("/containers/json")
    assert len(found) == len(GARBAGE)
    wait_until(lambda: health(engine, found[0]["Id"])["FailingStreak"] > 0, "the last one is asked")
    assert engine.daemon_pid() == daemon
    for item in found:
        engine.client.delete(f"/containers/{item['Id']}", {"force": "1"})


def test_an_image_s_check_can_be_changed_and_left_out(engine: EngineUnderTest) -> None:
    config = {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Healthcheck": {"Test": ["CMD", "true"]}}
    data = archive([busybox_layer()], "checked:1", config)
    engine.client.open("POST", "/images/load", None, data, headers={"Content-Type": "application/x-tar"}).read()
    body = {"Image": "checked:1", "HostConfig": {"NetworkMode": "none"}}
    for own, expected in (({"Interval": 100 * MS}, "healthy"), ({"Test": ["NONE"]}, None), (None, "starting")):
        ident = engine.client.post("/containers/create", None, {**body, "Healthcheck": own})["Id"]
        engine.client.post(f"/containers/{ident}/start")
        if expected:
            becomes(engine, ident, expected)
        else:
            assert "Health" not in engine.state(ident)
        engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_the_next_engine_knows_and_goes_on(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    ident = engine.run("sh", "-c", "sleep 1000", Healthcheck=check("echo x >>/asked; test ! -e /ill"))
    becomes(engine, ident, "healthy")
    before = health(engine, ident)["Log"][0]
    engine.kill_daemon()
    assert health(engine, ident)["Status"] == "healthy"
    assert before["End"] <= health(engine, ident)["Log"][-1]["End"]
    Path(f"/proc/{engine.state(ident)['Pid']}/root/ill").touch()
    becomes(engine, ident, "unhealthy")
    engine.stop()
    engine.start()
    assert health(engine, ident)["Status"] == "unhealthy"
    Path(f"/proc/{engine.state(ident)['Pid']}/root/ill").unlink()
    becomes(engine, ident, "healthy")


def test_a_hanging_probe_ends_though_its_engine_died(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    asked = check("echo here >/here; exec sleep 4321", Timeout=1500 * MS)
    ident = engine.run("sleep", "1000", Healthcheck=asked)
    root = f"/proc/{engine.state(ident)['Pid']}/root"
    wait_until(lambda: Path(f"{root}/here").exists(), "it is asked")
    engine.kill_daemon()
    running = lambda: json.dumps(engine.client.get(f"/containers/{ident}/top")["Processes"]).count("4321")  # noqa: E731
    wait_until(lambda: running() <= 1 and bool(health(engine, ident)["Log"]), "the old one ends, a new one did too")


def test_a_restart_begins_anew(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "1000", Healthcheck=check("true", Interval=300 * MS))
    becomes(engine, ident, "healthy")
    engine.client.post(f"/containers/{ident}/restart", {"t": "0"})
    assert health(engine, ident)["Status"] == "starting"
    becomes(engine, ident, "healthy")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
