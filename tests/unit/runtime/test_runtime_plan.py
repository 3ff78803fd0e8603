"""Spec -> plan. The golden files show every decision; `ONGGI_UPDATE_GOLDEN=1` writes them anew, to be read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.cgroups.model import CgroupView
from core.errors import InvalidSpec, Unsupported
from core.oci.runtime import (
    Capabilities,
    ConsoleSize,
    Device,
    Linux,
    Mount,
    Namespace,
    Process,
    Rlimit,
    Root,
    Spec,
    User,
)
from core.runtime.plan import plan
from core.runtime.processplan import exec_plan
from core.runtime.spec_defaults import CAPABILITIES, DEVICES, MASKED_PATHS, READONLY_PATHS, mounts
from core.runtime.steps import Execute, LoadFilter, NoNewPrivs, OpenConsole, Plan, WaitAtGate

GOLDEN = Path(__file__).resolve().parents[2] / "golden/runtime"
V1 = CgroupView(
    1, (("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/onggi/ID"), ("memory", "/sys/fs/cgroup/memory/onggi/ID"))
)
FILTER = b"\x06\0\0\0\0\0\xff\x7f"


def docker_default(**process: object) -> Spec:
    base = Process(
        ("sh", "-c", "true"),
        "/",
        ("PATH=/usr/bin:/bin", "HOME=/root"),
        capabilities=Capabilities(*(CAPABILITIES,) * 3),
    )
    kinds = ("mount", "uts", "ipc", "pid", "network", "cgroup")
    return Spec(
        root=Root("/rootfs"),
        process=replace(base, **process),  # type: ignore[arg-type]
        hostname="box",
        mounts=mounts(shm_size=67108864),
        linux=Linux(
            namespaces=tuple(Namespace(kind) for kind in kinds),
            devices=DEVICES,
            masked_paths=tuple(path for path in MASKED_PATHS if "cpu" not in path),
            readonly_paths=READONLY_PATHS,
        ),
    )


def with_linux(spec: Spec, **members: object) -> Spec:
    return replace(spec, linux=replace(spec.linux, **members))  # type: ignore[arg-type]


def rich() -> Spec:
    """Everything that can be asked for."""
    spec = docker_default(
        terminal=True,
        console_size=ConsoleSize(24, 80),
        user=User(1000, 1000, 0o077, (1000, 27)),
        cwd="/srv/app",
        no_new_privileges=True,
        rlimits=(Rlimit("RLIMIT_NOFILE", 1024, 524288), Rlimit("RLIMIT_CORE", 0, (1 << 64) - 1)),
    )
    bound = (
        Mount("/data", "bind", "/host/data", ("rbind", "rro", "rprivate")),
        Mount("/etc/hosts", "bind", "hosts", ("bind", "ro", "nosuid")),
        Mount("/proc/cpuinfo", "bind", "/lxcfs/cpuinfo", ("bind",)),
        Mount("/cache", "tmpfs", "tmpfs", ("size=1m", "noatime", "nodev")),
    )
    spec = replace(
        spec, domainname="example.org", mounts=(*spec.mounts, *bound), root=Root("/rootfs", readonly=True)
    )
    return with_linux(
        spec,
        namespaces=(
            *(Namespace(kind) for kind in ("mount", "uts", "ipc", "pid")),
            Namespace("network", "/run/netns/x"),
        ),
        devices=(*DEVICES, Device("/dev/fuse", "c", 10, 229, 0o660, 5, 6)),
        sysctl={"net.ipv4.ip_forward": "1"},
        rootfs_propagation="rslave",
    )


def shown(found: Plan) -> str:
    return "".join(f"{step!r}\n" for step in found)


def check_golden(name: str, text: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("ONGGI_UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text(), f"{file} differs"


def make(spec: Spec, *, cgroup: CgroupView = V1, seccomp: bytes | None = None, gate: bool = False) -> Plan:
    return plan(spec, bundle="/bundle", cgroup=cgroup, seccomp=seccomp, gate=gate)


@pytest.mark.parametrize(
    ("env", "utf8"),
    [
        ((), True),
        (("LANG=C",), True),
        (("LANG=ko_KR.EUC-KR",), False),
        (("LANG=ko_KR.EUC-KR", "LC_ALL=ko_KR.utf8"), True),
        (("LC_ALL=", "LC_CTYPE=de_DE.ISO-8859-15@euro", "LANG=C.UTF-8"), False),
        (("TERM=xterm", "LANG=sr_RS.UTF-8@latin"), True),
    ],
)
def test_a_terminal_edits_lines_in_the_characters_of_the_locale(env: tuple[str, ...], utf8: bool) -> None:
    steps = make(docker_default(terminal=True, env=env))
    (console,) = (step for step in steps if isinstance(step, OpenConsole))
    assert console.utf8 is utf8


def test_dockers_default_on_v1() -> None:
    check_golden("default-v1", shown(make(docker_default(), seccomp=FILTER)))


def test_dockers_default_on_v2() -> None:
    check_golden("default-v2", shown(make(docker_default(), cgroup=CgroupView(2), seccomp=FILTER)))


def test_everything_at_once() -> None:
    check_golden("rich", shown(make(rich(), seccomp=FILTER, gate=True)))


def test_an_exec() -> None:
    process = replace(rich().process, no_new_privileges=False)
    check_golden("exec", shown(exec_plan(process, seccomp=FILTER)))


def test_each_step_has_words_for_its_failure() -> None:
    words = [str(step) for step in make(rich(), seccomp=FILTER, gate=True)]
    assert all(text and text == text.strip() and "\n" not in text for text in words)
    assert "mount proc at /proc" in words
    assert "make new mount and uts and ipc namespace" in words


def test_a_filter_is_loaded_while_it_may_be() -> None:
    def kinds(found: Plan) -> list[str]:
        return [type(step).__name__ for step in found]

    usual = kinds(make(docker_default(), seccomp=FILTER))
    assert usual.index("LoadFilter") < usual.index("BecomeUser") < usual.index("FindProgram")
    strict = make(docker_default(no_new_privileges=True), seccomp=FILTER)
    assert [type(step) for step in strict[-3:]] == [NoNewPrivs, LoadFilter, Execute]
    assert isinstance(make(docker_default(), gate=True)[-2], WaitAtGate)


def mounting(destination: str, kind: str = "bind", source: str = "/x", *options: str) -> Spec:
    return replace(docker_default(), mounts=(Mount(destination, kind, source, options),))


def spaces(*namespaces: Namespace) -> Spec:
    return with_linux(docker_default(), namespaces=namespaces)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (docker_default(args=()), "args must not be empty"),
        (docker_default(cwd="srv"), "absolute path"),
        (docker_default(user=User((1 << 32) - 1)), "out of range"),
        (docker_default(user=User(-1)), "out of range"),
        (docker_default(capabilities=Capabilities(("CAP_FLY",))), "unknown capability 'CAP_FLY'"),
        (docker_default(rlimits=(Rlimit("RLIMIT_X", 1, 1),)), "unknown resource limit"),
        (docker_default(rlimits=(Rlimit("RLIMIT_NOFILE", 2, 1),)), "is above hard limit"),
        (spaces(), "needs a new mount namespace"),
        (spaces(Namespace("mount", "/proc/1/ns/mnt")), "needs a new mount namespace"),
        (spaces(Namespace("mount"), Namespace("astral")), "unknown namespace"),
        (spaces(Namespace("mount"), Namespace("mount")), "given twice"),
        (spaces(Namespace("mount")), "hostname needs a uts namespace"),
        (with_linux(docker_default(), devices=(Device("/dev/x", "z"),)), "unknown device type"),
        (with_linux(docker_default(), devices=(Device("/dev/x", "c", 1 << 12, 0),)), "out of range"),
        (with_linux(docker_default(), devices=(Device("/dev/x", "c", 1, -1),)), "out of range"),
        (with_linux(docker_default(), devices=(Device("/dev/x", "c", 1, 1, None, -1),)), "out of range"),
        (docker_default(oom_score_adj=1001), "out of range"),
        (docker_default(rlimits=(Rlimit("RLIMIT_NOFILE", -2, 5),)), "out of range"),
        (docker_default(rlimits=(Rlimit("RLIMIT_NOFILE", 5, 1 << 63),)), "out of range"),
        (with_linux(docker_default(), rootfs_propagation="sideways"), "unknown propagation"),
        (with_linux(docker_default(), sysctl={"kernel.core_pattern": "|/x"}), "not in a separate kernel namespace"),
        (mounting("/"), "must not be the root"),
        (mounting("/x" * 70_000), "longer than 4095 bytes"),
        (mounting("/x", "bind", "/y" * 70_000), "longer than 4095 bytes"),
        (mounting("/a/../"), "must not be the root"),
        (mounting("/proc"), "nothing may cover /proc"),
        (mounting("/proc", "tmpfs"), "nothing may cover /proc"),
        (mounting("/x/../proc/sys"), "nothing may cover /proc"),
        (mounting("/x", "bind", ""), "has no source"),
        (mounting("/x", ""), "has no type"),
        (mounting("/x", "tmpfs", "x", "remount"), "not supported"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(spec: Spec, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        make(spec)


def test_user_namespaces_are_not_there_yet() -> None:
    with pytest.raises(Unsupported):
        make(with_linux(docker_default(), namespaces=(Namespace("mount"), Namespace("user"))))


def test_a_dev_of_the_hosts_is_left_alone() -> None:
    spec = docker_default()
    spec = replace(spec, mounts=(*spec.mounts, Mount("/dev", "bind", "/dev", ("rbind",))))
    assert "MakeNode" not in shown(make(spec))
    assert "MakeLink(path='/dev" not in shown(make(spec))


def test_the_environment_is_exact() -> None:
    found = make(docker_default(env=("A=1", "A=2", "=odd", "plain", "B=x=y")))[-1]
    assert isinstance(found, Execute)
    assert found.env == ((b"A", b"2"), (b"B", b"x=y"))
