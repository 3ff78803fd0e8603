"""From a record to a Spec: each option alone, against the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.engine import specgen
from core.engine.devices import HostDevice
from core.engine.shimconfig import shim_config
from core.model.container import (
    ContainerConfig,
    ContainerRecord,
    DeviceMapping,
    ExecConfig,
    HostConfig,
    LogConfig,
    MountPoint,
    RestartPolicy,
    Ulimit,
)
from core.oci.runtime import Capabilities, ConsoleSize, Cpu, Device, DeviceRule, Memory, Pids, Spec
from core.paths import Paths
from core.runtime import spec_defaults as defaults

BUNDLE = Path("/root-of-engine/containers/ab")
FUSE = HostDevice("/dev/fuse", "c", 10, 229, 0o666, 0, 0)
FACTS = specgen.HostFacts({"/dev/fuse": FUSE})


def record(
    host: HostConfig | None = None, config: ContainerConfig | None = None, **members: Any
) -> ContainerRecord:
    config = config or ContainerConfig()
    made = ContainerRecord(
        "ab" * 32, "web", "2026-01-01T00:00:00Z", "", "busybox",
        msgspec.structs.replace(config, hostname=config.hostname or "abababababab"),
        host or HostConfig(), args=("sh", "-c", "true"),
    )  # fmt: skip
    return msgspec.structs.replace(made, **members)


def build(host: HostConfig | None = None, config: ContainerConfig | None = None, **members: Any) -> Spec:
    made = record(host, config, **members)
    return specgen.build(made, BUNDLE, FACTS, cgroups_path="/onggi/ab", seccomp_program="/s.bpf")


def kinds(spec: Spec) -> set[str]:
    return {item.type for item in spec.linux.namespaces}


def test_a_plain_container_is_confined_as_docker_confines_it() -> None:
    spec = build()
    assert spec.root.path == f"{BUNDLE}/rootfs" and not spec.root.readonly
    assert spec.hostname == "abababababab"
    assert spec.process.args == ("sh", "-c", "true")
    assert spec.process.cwd == "/"
    assert spec.process.env == (
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=abababababab",
    )
    names = tuple(sorted(defaults.CAPABILITIES))
    assert spec.process.capabilities == Capabilities(bounding=names, effective=names, permitted=names)
    assert len(names) == 14
    assert kinds(spec) == {"mount", "uts", "ipc", "pid", "network", "cgroup"}
    assert spec.linux.masked_paths == defaults.MASKED_PATHS
    assert spec.linux.readonly_paths == defaults.READONLY_PATHS
    assert spec.linux.resources is not None
    assert spec.linux.resources.memory is spec.linux.resources.cpu is spec.linux.resources.pids is None
    assert spec.annotations == {"io.onggi.seccomp.program": "/s.bpf"}
    assert [mount.destination for mount in spec.mounts][-3:] == ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]
    assert Spec.from_json(spec.to_json()) == spec


def test_the_environment_is_laid_over_dockers_own() -> None:
    spec = build(config=ContainerConfig(env=("PATH=/mine", "A=1"), tty=True))
    assert spec.process.env == ("PATH=/mine", "HOSTNAME=abababababab", "TERM=xterm", "A=1")


def test_a_terminal_has_the_size_the_client_gave() -> None:
    spec = build(HostConfig(console_size=(24, 80)), ContainerConfig(tty=True))
    assert spec.process.console_size == ConsoleSize(24, 80)
    assert build(HostConfig(console_size=(24, 80))).process.console_size is None


@pytest.mark.parametrize(
    ("host", "has", "has_not"),
    [
        (HostConfig(cap_add=("NET_ADMIN",)), {"CAP_NET_ADMIN", "CAP_CHOWN"}, set()),
        (HostConfig(cap_drop=("cap_chown",)), {"CAP_KILL"}, {"CAP_CHOWN"}),
        (HostConfig(cap_drop=("ALL",)), set(), {"CAP_CHOWN", "CAP_KILL"}),
        (HostConfig(cap_drop=("ALL",), cap_add=("CHOWN",)), {"CAP_CHOWN"}, {"CAP_KILL"}),
        (HostConfig(cap_add=("ALL",), cap_drop=("SYS_ADMIN",)), {"CAP_SYS_TIME"}, {"CAP_SYS_ADMIN"}),
        (HostConfig(privileged=True), {"CAP_SYS_ADMIN"}, set()),
    ],
)
def test_capabilities(host: HostConfig, has: set[str], has_not: set[str]) -> None:
    found = specgen.capabilities(host)
    assert has <= set(found.bounding) and not has_not & set(found.bounding)
    assert found.inheritable == found.ambient == ()


@pytest.mark.parametrize(
    ("host", "missing"),
    [
        (HostConfig(network_mode="host"), "network"),
        (HostConfig(pid_mode="host"), "pid"),
        (HostConfig(ipc_mode="host"), "ipc"),
        (HostConfig(uts_mode="host"), "uts"),
        (HostConfig(cgroupns_mode="host"), "cgroup"),
    ],
)
def test_what_is_shared_with_the_host_has_no_namespace(host: HostConfig, missing: str) -> None:
    assert kinds(build()) - kinds(build(host)) == {missing}


def test_on_cgroup_v1_the_cgroup_namespace_is_the_hosts() -> None:
    assert "cgroup" not in {item.type for item in specgen.namespaces(HostConfig(), 1)}
    assert "cgroup" in {item.type for item in specgen.namespaces(HostConfig(cgroupns_mode="private"), 1)}


def test_limits() -> None:
    host = HostConfig(
        memory=64 << 20, memory_reservation=32 << 20, nano_cpus=500_000_000, cpu_shares=512, cpuset_cpus="0",
        pids_limit=20,
    )  # fmt: skip
    found = specgen.limits(host)
    assert found.memory == Memory(limit=64 << 20, reservation=32 << 20, swap=128 << 20)
    assert found.cpu == Cpu(shares=512, quota=50_000, period=100_000, cpus="0")
    assert found.pids == Pids(20)
    unlimited = specgen.limits(HostConfig(memory=64 << 20, memory_swap=-1, pids_limit=-1))
    assert unlimited.memory == Memory(limit=64 << 20, swap=-1)
    assert unlimited.pids is None
    assert specgen.limits(HostConfig(pids_limit=0)).pids is None


def test_mounts_nearer_to_the_root_come_first_and_cover_the_defaults() -> None:
    points = (
        MountPoint("bind", "/a/b/c", "/x", rw=False, propagation="rprivate"),
        MountPoint("volume", "/a", "/v/_data", name="v"),
        MountPoint("bind", "/etc/hosts", "/h", propagation="rslave"),
        MountPoint("tmpfs", "/t"),
    )
    spec = build(HostConfig(tmpfs={"/run": "size=1m,exec"}), mounts=points)
    own = [mount for mount in spec.mounts if mount.destination in ("/a", "/a/b/c", "/etc/hosts", "/t", "/run")]
    assert [(mount.destination, mount.type, mount.source) for mount in own] == [
        ("/a", "bind", "/v/_data"),
        ("/t", "tmpfs", "tmpfs"),
        ("/run", "tmpfs", "tmpfs"),
        ("/etc/hosts", "bind", "/h"),
        ("/a/b/c", "bind", "/x"),
    ]
    assert own[0].options == ("rbind", "rprivate", "rw")
    assert own[4].options == ("rbind", "rprivate", "ro")
    assert own[2].options[-2:] == ("size=1m", "exec")
    assert spec.linux.rootfs_propagation == "rslave"


def test_shared_memory_has_its_size() -> None:
    (shm,) = (mount for mount in build(HostConfig(shm_size=1 << 20)).mounts if mount.destination == "/dev/shm")
    assert f"size={1 << 20}" in shm.options


def test_masks_are_the_defaults_unless_given() -> None:
    assert build(HostConfig(masked_paths=())).linux.masked_paths == ()
    assert build(HostConfig(masked_paths=("/x",))).linux.masked_paths == ("/x",)
    assert build(HostConfig(privileged=True)).linux.masked_paths == ()
    assert build(HostConfig(security_opt=("systempaths=unconfined",))).linux.readonly_paths == ()


def test_devices_are_made_and_allowed() -> None:
    spec = build(HostConfig(devices=(DeviceMapping("/dev/fuse", "/dev/f", "rw"),)))
    assert spec.linux.devices[-1] == Device("/dev/f", "c", 10, 229, 0o666)
    assert spec.linux.resources is not None
    assert spec.linux.resources.devices[-1] == DeviceRule(True, "c", 10, 229, "rw")


def test_ulimits_privileges_and_sysctls() -> None:
    spec = build(
        HostConfig(
            ulimits=(Ulimit("nofile", 10, 20),),
            security_opt=("no-new-privileges",),
            sysctls={"net.ipv4.ip_forward": "1"},
            readonly_rootfs=True,
        )
    )
    assert (spec.process.rlimits[0].type, spec.process.rlimits[0].hard) == ("RLIMIT_NOFILE", 20)
    assert spec.process.no_new_privileges and spec.root.readonly
    assert spec.linux.sysctl == {"net.ipv4.ip_forward": "1"}


def test_an_exec_inherits_and_overrides() -> None:
    made = record(config=ContainerConfig(env=("A=1",), working_dir="/srv"))
    process = specgen.exec_process(made, ExecConfig(("ls",), env=("B=2",), tty=True, console_size=(10, 20)))
    assert (process.args, process.cwd, process.console_size) == (("ls",), "/srv", ConsoleSize(10, 20))
    assert process.env[-2:] == ("A=1", "B=2") and "TERM=xterm" in process.env
    everything = specgen.exec_process(made, ExecConfig(("ls",), privileged=True)).capabilities
    assert everything is not None and set(everything.effective) == set(defaults.ALL_CAPABILITIES)
    assert everything.inheritable == ()


def test_the_shim_is_told_what_it_needs() -> None:
    host = HostConfig(
        restart_policy=RestartPolicy("on-failure", 3),
        log_config=LogConfig("json-file", {"max-size": "1m", "max-file": "3"}),
        group_add=("extra",),
    )
    config = ContainerConfig(user="app", tty=True, open_stdin=True, stdin_once=True, stop_signal="SIGINT")
    told = shim_config(record(host, config), Paths(Path("/r"), Path("/n")), {"lower": ["/l"]}, restart_count=2)
    ident = "ab" * 32
    assert told == {
        "id": ident,
        "bundle": f"/r/containers/{ident}",
        "run": f"/n/containers/{ident}",
        "journal": f"/r/containers/{ident}/journal",
        "log": f"/r/containers/{ident}/{ident}-json.log",
        "log_max_size": 1 << 20,
        "log_max_file": 3,
        "log_compress": False,
        "rootfs": {"lower": ["/l"]},
        "user": "app",
        "groups": ["extra"],
        "tty": True,
        "open_stdin": True,
        "stdin_once": True,
        "restart": {"name": "on-failure", "max": 3},
        "stop_signal": 2,
        "default_home": True,
        "restart_count": 2,
        "cgroup": f"/onggi/{ident}",
        "own_pids": True,
    }
    shared = shim_config(record(HostConfig(pid_mode="host")), Paths(Path("/r"), Path("/n")), {}, restart_count=0)
    assert shared["own_pids"] is False
