"""Removed containers and volumes come back as they were, and when their time is over nothing of them is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, NotFound
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root

HOUR = 3600


@pytest.fixture(autouse=True)
def clean(engine: EngineUnderTest) -> Iterator[None]:
    yield
    engine.remove_all()
    for volume in engine.client.get("/volumes")["Volumes"]:
        engine.client.delete(f"/volumes/{volume['Name']}")
    engine.client.delete("/onggi/v1/undo")


def web(engine: EngineUnderTest, name: str = "web", **config: Any) -> str:
    """A container that has written to its log, its layer and its anonymous volume, and ended; its id."""
    work = "echo said; echo mine > /mine; echo held > /held/file; exit 3"
    ident = engine.run("sh", "-c", work, name=name, Volumes={"/held": {}}, **config)
    engine.wait(ident)
    return ident


def left(engine: EngineUnderTest) -> list[str]:
    """What there is of containers that are gone."""
    paths = engine.paths
    snapshots = [path.name for path in paths.snapshots.glob("[0-9]*")]
    layers = sum(len(image["RootFS"]["Layers"]) for image in [engine.client.get("/images/busybox/json")])
    aside = paths.removed_volumes
    found = [str(path) for path in (paths.root / "containers").iterdir()]
    found += [str(path) for path in (aside.iterdir() if aside.is_dir() else ())]
    return found + snapshots[layers:]


def undo(engine: EngineUnderTest, ident: int | None = None) -> dict[str, Any]:
    done: dict[str, Any] = engine.client.post("/onggi/v1/undo", {"id": ident})
    return done


def entries(engine: EngineUnderTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.get("/onggi/v1/undo")
    return found


def lasting(document: dict[str, Any]) -> dict[str, Any]:
    """What is not the network's to know, which a container leaves some time after its end."""
    return {name: value for name, value in document.items() if name != "NetworkSettings"}


def test_a_container_comes_back_with_all_that_was_its(engine: EngineUnderTest) -> None:
    ident = web(engine)
    before = engine.inspect(ident)
    engine.client.delete("/containers/web", {"v": "1"})
    with pytest.raises(NotFound):
        engine.inspect("web")
    assert engine.client.get("/volumes")["Volumes"] == []
    (entry,) = entries(engine)
    assert (entry["What"], entry["Command"]) == ("container web", "rm web")
    assert entry["Bytes"] > 100, "its log, its layer and its volume"
    assert engine.client.get("/system/df")["OnggiKept"] == {"Count": 1, "Size": entry["Bytes"]}

    engine.kill_daemon()  # the next one knows of it too
    done = undo(engine)
    assert [one["Name"] for one in done["Containers"]] == ["web"]
    assert done["Notes"] == []
    assert lasting(engine.inspect("web")) == lasting(before)
    assert engine.logs(ident) == "said\n"
    assert engine.wait(ident) == 3
    assert entries(engine) == []
    probe = engine.run("cat", "/held/file", host={"VolumesFrom": None, "Binds": [f"{_volume(before)}:/held:ro"]})
    assert engine.wait(probe) == 0
    assert engine.logs(probe) == "held\n"
    engine.client.post(f"/containers/{ident}/start")
    assert engine.wait(ident) == 3
    assert engine.logs(ident) == "said\nsaid\n"


def _volume(document: dict[str, Any]) -> str:
    (mount,) = document["Mounts"]
    return str(mount["Name"])


def test_a_name_that_is_taken_is_told_and_another_given(engine: EngineUnderTest) -> None:
    old = web(engine)
    engine.client.delete("/containers/web")
    new = engine.create("true", name="web")
    done = undo(engine)
    assert done["Containers"] == [{"Id": old, "Name": "web-2"}]
    assert done["Notes"] == ["web is another container's name by now: it is back as web-2"]
    assert engine.inspect("web")["Id"] == new
    assert engine.inspect("web-2")["Id"] == old


def test_what_one_command_removed_one_undo_brings_back(engine: EngineUnderTest) -> None:
    for name in ("one", "two"):
        web(engine, name)
    running = engine.run("sleep", "1000", name="three")
    for name in ("one", "two", "three"):
        query = {"force": "1", "v": "1", "group": "0123", "command": "rm -f one two three"}
        engine.client.delete(f"/containers/{name}", query)
    (entry,) = entries(engine)
    assert (entry["What"], entry["Command"]) == ("containers one, two, three", "rm -f one two three")
    assert {one["Name"] for one in undo(engine)["Containers"]} == {"one", "two", "three"}
    assert engine.state(running)["Status"] == "exited"
    engine.client.post("/containers/prune")
    (entry,) = entries(engine)
    assert entry["Command"] == "container prune"
    assert sorted(one["Name"] for one in undo(engine)["Containers"]) == ["one", "three", "two"]


def test_an_image_may_go_and_come_back_below_it(engine: EngineUnderTest) -> None:
    web(engine)
    engine.client.delete("/containers/web", {"v": "1"})
    engine.client.delete("/images/busybox:latest")
    assert [entry["What"] for entry in entries(engine)] == ["busybox:latest", "container web"]
    undo(engine)
    undo(engine)
    engine.client.post("/containers/web/start")
    assert engine.wait("web") == 3


def test_a_volume_comes_back_unless_its_name_is_taken(engine: EngineUnderTest) -> None:
    engine.client.post("/volumes/create", None, {"Name": "data", "Labels": {"a": "b"}})
    fill = engine.run("sh", "-c", "echo one > /d/x", host={"Binds": ["data:/d"]})
    engine.wait(fill)
    engine.client.delete(f"/containers/{fill}")
    engine.client.delete("/onggi/v1/undo")
    engine.client.delete("/volumes/data")
    engine.client.post("/volumes/create", None, {"Name": "data"})
    with pytest.raises(Conflict, match="cannot bring back volume data: there is one of that name by now"):
        undo(engine)
    engine.client.delete("/volumes/data")
    (second, first) = entries(engine)
    assert first["What"] == "volume data"
    assert undo(engine, first["Id"])["Volumes"] == ["data"]
    found = engine.client.get("/volumes/data")
    assert found["Labels"] == {"a": "b"}
    assert (Path(found["Mountpoint"]) / "x").read_text() == "one\n"
    with pytest.raises(Conflict):
        undo(engine, second["Id"])


def test_prune_of_everything_comes_back_with_its_volumes(engine: EngineUnderTest) -> None:
    web(engine)
    plan = engine.client.get("/onggi/v1/prune", {"what": ["containers", "volumes"]})
    assert len(plan["Volumes"]) == 1
    engine.client.post("/onggi/v1/prune", {"command": "system prune --volumes"}, plan)
    (entry,) = entries(engine)
    assert entry["What"] == "container web"
    done = undo(engine)
    assert (len(done["Volumes"]), done["Notes"]) == (1, [])
    engine.client.post("/containers/web/start")
    assert engine.wait("web") == 3


def test_a_volume_that_is_gone_for_good_is_told(engine: EngineUnderTest) -> None:
    ident = web(engine)
    name = _volume(engine.inspect(ident))
    engine.client.delete("/containers/web")
    engine.client.delete(f"/volumes/{name}")
    volume, container = entries(engine)
    engine.client.delete("/onggi/v1/undo", {"id": volume["Id"]})
    done = undo(engine, container["Id"])
    assert done["Notes"] == [f"volume {name} is gone: web has an empty one"]
    engine.client.post("/containers/web/start")
    assert engine.wait("web") == 3


def test_what_removes_itself_and_what_was_given_up_leaves_nothing(engine: EngineUnderTest) -> None:
    ident = engine.run("true", host={"AutoRemove": True})
    engine.wait(ident, "removed")
    assert entries(engine) == []
    web(engine)
    engine.client.delete("/containers/web", {"v": "1"})
    size = entries(engine)[0]["Bytes"]
    assert engine.client.delete("/onggi/v1/undo")["SpaceReclaimed"] == size
    wait_until(lambda: left(engine) == [], "all of it is gone")
    with pytest.raises(NotFound, match="nothing to undo"):
        undo(engine)


def test_when_the_time_is_over_nothing_is_left(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    for name in ("old", "new"):
        web(engine, name)
        engine.client.delete(f"/containers/{name}", {"v": "1"})
    engine.stop()
    database = sqlite3.connect(engine.paths.database)
    database.execute("UPDATE undo SET expires = expires - ? WHERE command = 'rm old'", (2 * HOUR,))
    database.commit()
    database.close()
    engine.start()
    assert [entry["What"] for entry in entries(engine)] == ["container new"]
    wait_until(lambda: len(left(engine)) == 3, "log, layer and volume of the other one are left")
    undo(engine)
    assert engine.logs("new") == "said\n"
