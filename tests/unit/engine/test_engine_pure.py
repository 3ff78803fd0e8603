"""Merging with the image, the files over /etc, and reading isolation from /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import errors
from core.engine import hostfiles, isolation, processes
from core.engine.merge import arguments, merge, overlay_env
from core.model.container import ContainerConfig, ContainerRecord, Endpoint, HostConfig
from core.oci.image import ExecutionConfig

IMAGE = ExecutionConfig(
    user="app",
    env=("PATH=/bin", "A=image"),
    entrypoint=("/entry",),
    cmd=("default",),
    volumes={"/data": {}},
    working_dir="/srv",
    labels={"a": "image", "b": "image"},
    stop_signal="SIGINT",
    exposed_ports={"80/tcp": {}},
)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (ContainerConfig(), ("/entry", "default")),
        (ContainerConfig(cmd=("x",)), ("/entry", "x")),
        (ContainerConfig(cmd=()), ("/entry", "default")),
        (ContainerConfig(entrypoint=("/mine",)), ("/mine",)),
        (ContainerConfig(entrypoint=("/mine",), cmd=("x",)), ("/mine", "x")),
        (ContainerConfig(entrypoint=("",), cmd=("x",)), ("x",)),
        (ContainerConfig(entrypoint=()), ("default",)),
    ],
)
def test_what_runs(asked: ContainerConfig, words: tuple[str, ...]) -> None:
    assert arguments(merge(asked, IMAGE)) == words


def test_nothing_to_run_is_said() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^No command specified$"):
        arguments(merge(ContainerConfig(), ExecutionConfig()))


def test_the_request_lies_over_the_image() -> None:
    merged = merge(ContainerConfig(env=("A=mine", "B=b"), labels={"a": "mine"}, volumes={"/x": {}}), IMAGE)
    assert merged.env == ("PATH=/bin", "A=mine", "B=b")
    assert merged.labels == {"a": "mine", "b": "image"}
    assert set(merged.volumes) == {"/data", "/x"}
    assert (merged.user, merged.working_dir, merged.stop_signal) == ("app", "/srv", "SIGINT")
    assert merge(ContainerConfig(user="0", working_dir="/"), IMAGE).user == "0"


def test_a_name_without_a_value_takes_the_variable_away() -> None:
    assert overlay_env(("A=1", "B=2"), ("A", "C=")) == ("B=2", "C=")


def record(host: HostConfig | None = None, endpoint: Endpoint | None = None) -> ContainerRecord:
    return ContainerRecord(
        "ab" * 32, "web", "2026-01-01T00:00:00Z", "", "", ContainerConfig(hostname="abababababab"),
        host or HostConfig(), endpoint=endpoint,
    )  # fmt: skip


LOCAL = (
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)


def test_hosts_names_the_container_by_its_address() -> None:
    there = Endpoint(ip_address="172.17.0.2", gateway="172.17.0.1")
    assert hostfiles.hosts(record(endpoint=there), host_file="x") == f"{LOCAL}172.17.0.2\tabababababab\n"
    extra = HostConfig(extra_hosts=("a:1.2.3.4", "gate:host-gateway"))
    assert hostfiles.hosts(record(extra, there), host_file="x") == (
        f"{LOCAL}1.2.3.4\ta\n172.17.0.1\tgate\n172.17.0.2\tabababababab\n"
    )
    assert hostfiles.hosts(record(HostConfig(network_mode="none")), host_file="x") == LOCAL
    assert hostfiles.hosts(record(HostConfig(network_mode="host")), host_file="own\n") == "own\n"


@pytest.mark.parametrize(
    ("host", "file", "text"),
    [
        (HostConfig(), "nameserver 10.0.0.1\nsearch a b\n# x\n", "nameserver 10.0.0.1\nsearch a b\n"),
        (
            HostConfig(),
            "nameserver 127.0.0.53\noptions edns0\n",
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\noptions edns0\n",
        ),
        (HostConfig(), "", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        (HostConfig(dns=("1.1.1.1",)), "nameserver 10.0.0.1\n", "nameserver 1.1.1.1\n"),
        (HostConfig(dns_search=(".",)), "nameserver 10.0.0.1\nsearch a\n", "nameserver 10.0.0.1\n"),
        (HostConfig(network_mode="host"), "nameserver 127.0.0.1\n", "nameserver 127.0.0.1\n"),
    ],
)
def test_resolv_conf_keeps_what_a_container_can_reach(host: HostConfig, file: str, text: str) -> None:
    assert hostfiles.resolv_conf(record(host), host_file=file) == text


def test_capabilities_have_their_names() -> None:
    docker = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT"
    names = [*docker.split(), "MKNOD", "AUDIT_WRITE", "SETFCAP"]
    assert isolation.capability_names(0xA80425FB) == [f"CAP_{name}" for name in names]
    assert isolation.capability_names(1 << 50) == ["CAP_50"]


def test_mounts_are_read_with_their_escapes() -> None:
    text = (
        "22 28 0:21 / /proc rw,nosuid - proc proc rw\n"
        "23 22 0:22 / /proc/sys ro - proc proc rw\n"
        "24 22 0:6 /null /proc/kcore rw shared:1 - devtmpfs udev rw\n"
        "25 22 0:9 / /proc/acpi ro,relatime - tmpfs tmpfs ro\n"
        "26 28 8:1 /a\\040b /mnt/a\\040b rw - ext4 /dev/sda1 rw\n"
        "torn line\n"
    )
    mounts = isolation.parse_mounts(text)
    assert mounts[4] == {
        "source": "/dev/sda1", "root": "/a b", "target": "/mnt/a b", "type": "ext4", "options": "rw",
    }  # fmt: skip
    assert isolation.masked(mounts) == ["/proc/kcore", "/proc/acpi"]
    assert isolation.readonly(mounts) == ["/proc/sys"]


def test_a_process_of_ones_own_shares_everything_with_the_host() -> None:
    found = isolation.describe_process(os.getpid())
    assert {item["type"] for item in found["namespaces"]} >= {"mnt", "pid", "net", "ipc", "uts"}
    assert all(item["shared"] for item in found["namespaces"])
    assert found["seccomp"]["mode"] in ("disabled", "filter")
    assert any(mount["target"] == "/proc" for mount in found["mounts"])


def test_no_process_hides_from_top_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (tmp_path / "uptime").write_text("100.0 0.0\n")
    (folder / "stat").write_bytes(b"7 (\xff) x) S 1 7 7 34816 7 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 0")
    (folder / "status").write_bytes(b"Name:\t\xff) x\nUid:\t5\t5\t5\t5\n")
    (folder / "cmdline").write_bytes(b"")
    (row,) = processes.table([7], tmp_path)
    assert (row[0], row[1], row[5], row[7]) == ("5", "7", "pts/0", "[\ufffd) x]")


def test_top_shows_living_processes_only() -> None:
    rows = processes.table([os.getpid(), 2**22 + 1])
    assert [row[1] for row in rows] == [str(os.getpid())]
    assert len(rows[0]) == len(processes.TITLES)
    assert rows[0][2] == str(os.getppid())
