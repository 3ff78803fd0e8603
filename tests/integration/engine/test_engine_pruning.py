"""Prunes on a whole engine: the plan is what goes, and what changed meanwhile stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import InvalidArgument
from tests.integration.conftest import EngineUnderTest
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def clean(engine: EngineUnderTest) -> Iterator[None]:
    yield
    engine.remove_all()
    for volume in engine.client.get("/volumes")["Volumes"]:
        engine.client.delete(f"/volumes/{volume['Name']}")
    for image in engine.client.get("/images/json"):
        if image["RepoTags"] != ["busybox:latest"]:
            engine.client.delete(f"/images/{image['Id']}", {"force": "1"})
    engine.client.delete("/onggi/v1/undo")


def load(engine: EngineUnderTest, tag: str, extra: bytes) -> str:
    """An image of busybox and one layer more; its id."""
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("extra")
        info.size = len(extra)
        tar.addfile(info, io.BytesIO(extra))
    with tempfile.TemporaryFile() as file:
        file.write(archive([busybox_layer(), buffer.getvalue()], tag, {"Cmd": ["sh"]}))
        file.seek(0)
        engine.client.open("POST", "/images/load", None, file).read()
    return str(engine.client.get(f"/images/{tag}/json")["Id"])


def plan(engine: EngineUnderTest, *what: str, **filters: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = engine.client.get("/onggi/v1/prune", {"what": list(what), "filters": filters})
    return found


def carry_out(engine: EngineUnderTest, wanted: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = engine.client.post("/onggi/v1/prune", {"command": "a test"}, wanted)
    return done


def test_the_plan_is_what_goes(engine: EngineUnderTest) -> None:
    old = load(engine, "x:1", b"x" * 5000)
    load(engine, "x:1", b"y" * 3000)  # the first is left without a name
    stopped = engine.create("true", name="stopped", Volumes={"/v": {}})
    running = engine.run("sleep", "100", name="running")
    wanted = plan(engine, "containers", "images", "volumes")
    assert [item["Id"] for item in wanted["Containers"]] == [stopped]
    assert wanted["Images"] == [{"Id": old, "Names": [], "Size": 5000}]
    assert len(wanted["Volumes"]) == 1
    assert wanted["SpaceReclaimed"] == 5000
    done = carry_out(engine, wanted)
    assert done["ContainersDeleted"] == [stopped]
    assert done["ImagesDeleted"][0] == {"Deleted": old}
    assert done["VolumesDeleted"] == [wanted["Volumes"][0]["Name"]]
    assert (done["Kept"], done["SpaceReclaimed"]) == ([], 5000)
    assert [one["Id"] for one in engine.client.get("/containers/json", {"all": "1"})] == [running]
    empty = {"Containers": [], "Images": [], "Volumes": [], "SpaceReclaimed": 0}
    assert plan(engine, "containers", "images", "volumes") == empty


def test_what_changed_since_the_plan_stays(engine: EngineUnderTest) -> None:
    tagged = load(engine, "x:1", b"tagged")
    used = load(engine, "y:1", b"used")
    started = engine.create("sleep", "100")
    wanted = plan(engine, "containers", "images", dangling=["false"])
    assert {item["Id"] for item in wanted["Images"]} == {tagged, used} | {
        image["Id"] for image in engine.client.get("/images/json") if image["RepoTags"] == ["busybox:latest"]
    }
    engine.client.post("/images/x:1/tag", {"repo": "x", "tag": "2"})
    engine.create("true", Image="y:1")
    engine.client.post(f"/containers/{started}/start")
    wanted["Images"] = [item for item in wanted["Images"] if item["Id"] in (tagged, used)]
    wanted["Containers"].append({"Id": "f" * 64, "Name": "gone"})
    done = carry_out(engine, wanted)
    assert (done["ContainersDeleted"], done["ImagesDeleted"], done["SpaceReclaimed"]) == ([], [], 0)
    assert {item["Id"] for item in done["Kept"]} == {tagged, used, started, "f" * 64}


def test_layers_that_two_images_share_count_once_and_all_come_back(engine: EngineUnderTest) -> None:
    first, second = load(engine, "x:1", b"x" * 1000), load(engine, "y:1", b"y" * 500)
    engine.client.delete("/images/busybox:latest")
    shared = len(busybox_layer())
    wanted = plan(engine, "images", dangling=["false"])
    sizes = {item["Id"]: item["Size"] for item in wanted["Images"]}
    assert sizes == {first: 1000, second: 500}  # the layer below is gone only with both
    assert 1500 < wanted["SpaceReclaimed"] < 1500 + shared
    done = carry_out(engine, wanted)
    assert done["SpaceReclaimed"] == wanted["SpaceReclaimed"]
    (entry, _) = engine.client.get("/onggi/v1/undo")
    assert (entry["Command"], entry["What"], entry["Bytes"]) == ("a test", "x:1, y:1", done["SpaceReclaimed"])
    for _ in range(2):
        engine.client.post("/onggi/v1/undo")
    assert len(engine.client.get("/images/json")) == 3
    assert engine.output("cat", "/extra", Image="x:1") == "x" * 1000


def test_dockers_own_prunes_say_what_they_freed(engine: EngineUnderTest) -> None:
    keep = engine.create("true", Labels={"keep": "1"})
    gone = engine.create("true")
    filters = {"filters": {"label!": ["keep"]}}
    done = engine.client.post("/containers/prune", filters)
    assert done["ContainersDeleted"] == [gone]
    assert engine.client.post("/containers/prune", {"filters": {"until": ["1h"]}})["ContainersDeleted"] is None
    assert engine.client.post("/containers/prune", {"filters": {"until": ["0s"]}})["ContainersDeleted"] == [keep]
    load(engine, "x:1", b"x" * 5000)
    assert engine.client.post("/images/prune") == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    done = engine.client.post("/images/prune", {"filters": {"dangling": ["false"], "label!": ["nope"]}})
    assert {"Untagged": "x:1"} in done["ImagesDeleted"]
    assert done["SpaceReclaimed"] > 5000
    engine.client.post("/onggi/v1/undo")
    assert engine.client.post("/networks/prune") == {"NetworksDeleted": None}
    assert engine.client.post("/build/prune")["SpaceReclaimed"] == 0
    for path in ("/containers/prune", "/images/prune", "/volumes/prune"):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            engine.client.post(path, {"filters": {"nonsense": ["1"]}})
    with pytest.raises(InvalidArgument):
        engine.client.post("/onggi/v1/prune", None, {"Images": [{"Id": "short"}]})


def test_the_policy_shows_its_plan_and_never_takes_what_a_container_has(engine: EngineUnderTest) -> None:
    off = engine.client.get("/onggi/v1/policy")
    assert (off["Active"], off["Images"]) == (False, [])
    old, used = load(engine, "r:1", b"old"), load(engine, "r:2", b"used")
    engine.create("true", Image="r:1")
    load(engine, "r:3", b"new")
    wanted = {"Keep": 1}
    planned = engine.client.post("/onggi/v1/policy/plan", None, wanted)
    assert [item["Names"] for item in planned["Images"]] == [["r:2"]]
    assert engine.client.get("/onggi/v1/policy")["Active"] is False
    assert engine.client.post("/onggi/v1/policy", None, wanted)["Keep"] == 1
    engine.kill_daemon()
    assert engine.client.get("/onggi/v1/policy")["Keep"] == 1
    done = engine.client.post("/onggi/v1/policy/run")
    assert done["ImagesDeleted"][:2] == [{"Untagged": "r:2"}, {"Deleted": used}]
    assert old in {image["Id"] for image in engine.client.get("/images/json")}
    assert engine.client.get("/onggi/v1/undo")[0]["Command"] == "clean-up policy"
    with pytest.raises(InvalidArgument):
        engine.client.post("/onggi/v1/policy", None, {"HighWater": 200})
    with pytest.raises(InvalidArgument):
        engine.client.post("/onggi/v1/policy", None, {"Keep": "many"})
    assert engine.client.post("/onggi/v1/policy", None, {})["Active"] is False
