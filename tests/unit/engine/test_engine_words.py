"""Small grammars: ports, mounts, signals, detach keys, sizes, names."""

from __future__ import annotations

import signal

import pytest

from core import errors
from core.engine import binds, ports
from core.engine.keys import parse_detach_keys
from core.engine.names import random_name
from core.engine.validate import NAME
from core.model.container import HostConfig, MountPoint, MountSpec, PortBinding
from core.model.signals import parse_signal


@pytest.mark.parametrize(("text", "full"), [("80", "80/tcp"), ("53/udp", "53/udp"), ("080/TCP", "80/tcp")])
def test_ports_in_full(text: str, full: str) -> None:
    assert ports.parse_port(text) == full


@pytest.mark.parametrize("text", ["", "0", "65536", "x", "80/icmp", "-1", "80/", "８０"])
def test_ports_that_are_none(text: str) -> None:
    if text == "80/":
        assert ports.parse_port(text) == "80/tcp"
        return
    with pytest.raises(errors.InvalidArgument, match="invalid port specification"):
        ports.parse_port(text)


def test_ranges_of_exposed_ports_spread_out() -> None:
    assert ports.parse_exposed(["8000-8002/udp", "80"]) == ("8000/udp", "8001/udp", "8002/udp", "80/tcp")
    with pytest.raises(errors.InvalidArgument):
        ports.parse_exposed(["9-8"])


def test_publishing_all_adds_exposed_ports_that_are_not_bound() -> None:
    host = HostConfig(port_bindings={"80": (PortBinding("127.0.0.1", "8080"),)}, publish_all_ports=True)
    assert ports.published(host, ["80/tcp", "443/tcp"]) == {
        "80/tcp": (PortBinding("127.0.0.1", "8080"),),
        "443/tcp": (PortBinding(),),
    }


@pytest.mark.parametrize("host", [PortBinding("", "99999"), PortBinding("", "x"), PortBinding("nowhere", "80")])
def test_bindings_that_cannot_be(host: PortBinding) -> None:
    with pytest.raises(errors.InvalidArgument):
        ports.check_bindings({"80/tcp": (host,)})


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("/data", MountPoint("volume", "/data", driver="local")),
        ("/a:/b", MountPoint("bind", "/b", "/a", propagation="rprivate")),
        ("/a/../c:/b/:ro", MountPoint("bind", "/b", "/c", mode="ro", rw=False, propagation="rprivate")),
        ("/a:/b:rslave", MountPoint("bind", "/b", "/a", mode="rslave", propagation="rslave")),
        ("v1:/b", MountPoint("volume", "/b", name="v1", driver="local", mode="z")),
        ("v1:/b:ro,nocopy", MountPoint("volume", "/b", name="v1", driver="local", mode="ro,nocopy", rw=False)),
    ],
)
def test_bind_strings(text: str, point: MountPoint) -> None:
    assert binds.parse_bind(text) == point


@pytest.mark.parametrize(
    "text",
    ["data", "/a:b", "/a:/", "/a:/..", ":/b", "/a:", "/a:/b:x", "/a:/b:ro:rw", "v/1:/b", "-v:/b", "v1:/b:shared"],
)
def test_bind_strings_that_cannot_be(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        binds.parse_bind(text)


@pytest.mark.parametrize(
    "spec",
    [
        MountSpec("bind", "/b"),
        MountSpec("bind", "/b", "a"),
        MountSpec("bind", "", "/a"),
        MountSpec("tmpfs", "/b", "/a"),
        MountSpec("npipe", "/b"),
        MountSpec("volume", "/b", "a/b"),
    ],
)
def test_mounts_that_cannot_be(spec: MountSpec) -> None:
    with pytest.raises(errors.InvalidArgument):
        binds.parse_mount(spec)


def test_each_place_is_mounted_once_and_the_request_wins_over_the_image() -> None:
    host = HostConfig(binds=("/a:/data",), tmpfs={"/tmp": ""})
    points = binds.mount_points(host, ["/data", "/tmp", "/var/lib/x"])
    assert [(point.type, point.destination) for point in points] == [("bind", "/data"), ("volume", "/var/lib/x")]
    with pytest.raises(errors.InvalidArgument, match="Duplicate mount point: /data"):
        binds.mount_points(HostConfig(binds=("/a:/data", "/b:/data/")), ())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("9", 9),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "NOPE", "RTMIN+99", "-1"])
def test_signals_that_are_none(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="Invalid signal"):
        parse_signal(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", None), ("ctrl-p,ctrl-q", [16, 17]), ("ctrl-x,x", [24, 120]), ("ctrl-@,ctrl-_,DEL", [0, 31, 127])],
)
def test_detach_keys(text: str, keys: list[int] | None) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "abc", "a,,b", "한"])
def test_detach_keys_that_are_none(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="Invalid detach keys"):
        parse_detach_keys(text)


def test_a_random_name_is_a_name_and_free() -> None:
    tried: list[str] = []

    def taken(name: str) -> bool:
        tried.append(name)
        return len(tried) < 12

    assert NAME.fullmatch(random_name(taken))
    assert len(tried) == 12
    assert random_name(lambda name: True).startswith("onggi_")
