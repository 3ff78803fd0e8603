"""Records as Docker's API shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.api import container_views as views
from core.api import image_views
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
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import encode
from core.oci.image import Descriptor, ExecutionConfig, ImageConfig, RootFS
from core.paths import Paths
from core.wire.codec import parse_timestamp

NOW = parse_timestamp("2026-01-01T00:10:00Z")


def record(state: State, **members: object) -> ContainerRecord:
    made = ContainerRecord(
        "ab" * 32, "web", "2026-01-01T00:00:00Z", "sha256:" + "1" * 64, "busybox",
        ContainerConfig(image="busybox", cmd=("sh",), exposed_ports={"80/tcp": {}, "81/tcp": {}}),
        HostConfig(), args=("sh", "-c", "true"), state=state,
        endpoint=Endpoint(
            network_id="n" * 64, ip_address="172.17.0.2", ip_prefix_len=16, gateway="172.17.0.1",
            ports={"80/tcp": (PortBinding("0.0.0.0", "8080"),)},
        ),
        mounts=(MountPoint("volume", "/data", "/v/_data", name="v", driver="local", mode="z"),),
    )  # fmt: skip
    return msgspec.structs.replace(made, **members)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(), "Created"),
        (State(Status.RUNNING, started_at="2026-01-01T00:09:55Z"), "Up 5 seconds"),
        (State(Status.PAUSED, started_at="2026-01-01T00:09:55Z"), "Up 5 seconds (Paused)"),
        (State(Status.RESTARTING, exit_code=1, finished_at="2026-01-01T00:09:59Z"), "Restarting (1) 1 second ago"),
        (
            State(Status.EXITED, exit_code=137, finished_at="2026-01-01T00:09:59.5Z"),
            "Exited (137) Less than a second ago",
        ),
        (State(Status.REMOVING), "Removal In Progress"),
        (State(Status.DEAD), "Dead"),
    ],
)
def test_the_status_column(state: State, words: str) -> None:
    assert views.status_text(record(state), NOW) == words


def sent(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it arrives."""
    received: dict[str, Any] = json.loads(encode(document))
    return received


RUNNING = State(Status.RUNNING, pid=5, started_at="2026-01-01T00:09:55Z")


def test_a_line_of_the_list_has_dockers_members() -> None:
    line = views.summary(record(RUNNING), NOW, image="busybox")
    assert set(line) == {
        "Id", "Names", "Image", "ImageID", "Command", "Created", "Ports", "Labels", "State", "Status", "HostConfig",
        "NetworkSettings", "Mounts",
    }  # fmt: skip
    assert line["Command"] == "sh -c true"
    assert line["Created"] == 1767225600
    assert line["Ports"] == [
        {"IP": "0.0.0.0", "PublicPort": 8080, "PrivatePort": 80, "Type": "tcp"},
        {"PrivatePort": 81, "Type": "tcp"},
    ]
    assert line["Mounts"] == [
        {
            "Type": "volume", "Name": "v", "Source": "/v/_data", "Destination": "/data", "Driver": "local",
            "Mode": "z", "RW": True, "Propagation": "",
        }
    ]  # fmt: skip
    assert views.summary(record(State()), NOW, image="x")["Ports"] == []


def test_inspect_has_dockers_members() -> None:
    paths = Paths(Path("/r"), Path("/n"))
    found = sent(views.inspect(record(RUNNING), paths, rootfs={"lower": ["/a", "/b"], "upper": "/u"}, execs=[]))
    assert set(found) - {"Onggi"} == {
        "AppArmorProfile", "Args", "Config", "Created", "Driver", "ExecIDs", "GraphDriver", "HostConfig",
        "HostnamePath", "HostsPath", "Id", "Image", "LogPath", "MountLabel", "Mounts", "Name", "NetworkSettings",
        "Path", "Platform", "ProcessLabel", "ResolvConfPath", "RestartCount", "State",
    }  # fmt: skip
    assert (found["Path"], found["Args"]) == ("sh", ["-c", "true"])
    assert found["GraphDriver"]["Data"]["LowerDir"] == "/a:/b"
    settings = found["NetworkSettings"]
    assert settings["IPAddress"] == settings["Networks"]["bridge"]["IPAddress"] == "172.17.0.2"
    assert settings["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": None}
    assert found["State"]["Running"] and found["State"]["Pid"] == 5
    config = found["Config"]
    assert (config["Cmd"], config["Entrypoint"], config["Volumes"]) == (["sh"], None, None)
    host = found["HostConfig"]
    assert host["Binds"] is None and host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host["UTSMode"] == "" and host["ContainerIDFile"] == "" and host["ConsoleSize"] == [0, 0]


def test_an_image_has_dockers_members() -> None:
    layer = Digest("sha256:" + "2" * 64)
    config = ImageConfig(
        RootFS((layer,)), created="2026-01-01T00:00:00Z", config=ExecutionConfig(cmd=("sh",), env=("A=1",))
    )
    ident = Digest("sha256:" + "1" * 64)
    image = Image(ident, Descriptor(), config, 1234, ("docker.io/library/busybox:latest",))
    line = image_views.summary(image, 2)
    assert line["RepoTags"] == ["busybox:latest"]
    assert (line["Created"], line["Size"], line["Containers"], line["Labels"]) == (1767225600, 1234, 2, None)
    found = sent(image_views.inspect(image))
    assert found["RootFS"] == {"Type": "layers", "Layers": [layer]}
    assert found["Config"]["Cmd"] == ["sh"] and found["Config"]["Entrypoint"] is None
    assert (found["Os"], found["Architecture"]) == ("linux", "amd64")
