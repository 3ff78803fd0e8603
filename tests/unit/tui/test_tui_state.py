from __future__ import annotations

from typing import Any

import pytest

from tui import state
from tui.state import Container, Port, Volume, World

INSPECT: dict[str, Any] = {
    "Id": "a" * 64,
    "Name": "/web",
    "Created": "2026-11-23T18:10:57.279947561Z",
    "Path": "nginx",
    "Args": ["-g", "daemon off;"],
    "Image": "sha256:" + "b" * 64,
    "RestartCount": 2,
    "State": {
        "Status": "exited", "ExitCode": 3,
        "StartedAt": "2026-11-23T18:10:57Z", "FinishedAt": "2026-11-23T18:11:57Z",
        "Health": {"Status": "healthy"}, "OOMKilled": False, "Error": "", "Pid": 0,
    },
    "Config": {
        "Image": "nginx", "Tty": True, "Labels": {state.PROJECT_LABEL: "shop"}, "ExposedPorts": {"443/tcp": {}},
    },
    "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}, "AutoRemove": False},
    "Mounts": [{"Type": "volume", "Name": "data"}, {"Type": "bind", "Source": "/x"}],
    "NetworkSettings": {
        "Ports": {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
            "53/udp": None,
        },
        "Networks": {"bridge": {"IPAddress": "172.17.0.2"}},
    },
}  # fmt: skip


def test_inspect_becomes_a_container() -> None:
    one = state.container_of_inspect(INSPECT)
    assert (one.name, one.image, one.status, one.exit_code, one.restarts) == ("web", "nginx", "exited", 3, 2)
    assert one.ports == (Port(80, "tcp", 8080, "0.0.0.0"), Port(53, "udp"), Port(443))
    assert one.restart_policy == "on-failure:5"
    assert one.finished - one.started == 60
    assert (one.volumes, one.networks, one.address, one.project) == (("data",), ("bridge",), "172.17.0.2", "shop")
    assert one.tty and one.whole and one.failed and not one.alive


def test_an_empty_answer_is_no_crash() -> None:
    assert state.container_of_inspect({}) == Container("", "", "", status="", whole=True)
    assert state.container_of_list({}).id == ""
    assert state.images_of_list([{}])[0].name == ""
    assert state.volumes_of_list({"Volumes": None}) == ()
    assert state.networks_of_list([{"IPAM": {"Config": []}}])[0].subnet == ""


@pytest.mark.parametrize(
    ("status", "code", "oom", "error", "failed"),
    [
        ("exited", 0, False, "", False),
        ("exited", 143, False, "", False),
        ("exited", 137, False, "", False),
        ("exited", 137, True, "", True),
        ("exited", 137, False, "shim lost", True),
        ("exited", 1, False, "", True),
        ("created", 0, False, "port is taken", True),
        ("created", 0, False, "", False),
        ("running", 0, False, "", False),
    ],
)
def test_what_went_wrong(status: str, code: int, oom: bool, error: str, failed: bool) -> None:
    one = Container("1", "n", "i", status=status, exit_code=code, oom_killed=oom, error=error)
    assert one.failed is failed


def test_one_row_a_tag_and_named_ones_first() -> None:
    rows = state.images_of_list(
        [
            {"Id": "sha256:1", "RepoTags": ["b:2", "a:1"], "Size": 5},
            {"Id": "sha256:2", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]},
            {"Id": "sha256:3", "RepoTags": None, "RepoDigests": ["x@sha256:9"]},
        ]
    )
    assert [row.reference for row in rows] == ["a:1", "b:2", "x@sha256:9", ""]
    assert len({row.key for row in rows}) == 4


def test_links_do_not_name_a_container() -> None:
    assert state.container_of_list({"Names": ["/db/alias", "/web"]}).name == "web"


def test_the_world_forgets_a_container_whole() -> None:
    one = Container("1", "web", "nginx", volumes=("data",), networks=("bridge",), image_id="i")
    world = World().with_container(one)
    assert world.image_users("i") == world.volume_users("data") == world.network_users("bridge") == (one,)
    assert world.without_container("1").containers == {}


def test_anonymous_volumes_come_last() -> None:
    rows = state.volumes_of_list({"Volumes": [{"Name": "f" * 64}, {"Name": "data", "UsageData": {"Size": 7}}]})
    assert [row.anonymous for row in rows] == [False, True]
    assert rows[0] == Volume("data", size=7)


def sample(read: str, cpu: int, **more: Any) -> dict[str, Any]:
    return {"read": read, "cpu_stats": {"cpu_usage": {"total_usage": cpu}}, **more}


def test_usage_is_per_cent_of_one_core_by_the_samples_own_clock() -> None:
    before = sample("2026-01-01T00:00:00Z", 10_000_000_000)
    now = sample(
        "2026-01-01T00:00:02Z",
        11_000_000_000,
        memory_stats={"usage": 100, "limit": 400, "stats": {"inactive_file": 30}},
        networks={"eth0": {"rx_bytes": 5, "tx_bytes": 6}},
        pids_stats={"current": 7},
        blkio_stats={"io_service_bytes_recursive": [{"op": "Read", "value": 8}, {"op": "write", "value": 9}]},
    )
    usage = state.usage_of(now, before)
    assert usage == state.Usage(50.0, 70, 400, 7, 5, 6, 8, 9)


def test_a_first_sample_and_a_restart_have_no_cpu() -> None:
    first = sample("2026-01-01T00:00:02Z", 5)
    assert state.usage_of(first, None).cpu == 0.0
    assert state.usage_of(sample("2026-01-01T00:00:03Z", 4), first).cpu == 0.0
    assert state.usage_of({}, {}).cpu == 0.0
