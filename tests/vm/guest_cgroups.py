"""Run inside the emulated machine: containers in cgroups v2. Prints `ok NAME` or `FAILED NAME: why` for each."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from cgroups_contract import CHECKS as CONTRACT

from core import cgroups
from core.cgroups.model import Cgroup
from core.linux.constants import CLONE_NEWNS, MS_PRIVATE, MS_REC
from core.linux.mounts import mount_overlay
from core.linux.syscalls import mount, umount2, unshare
from core.oci.runtime import (
    Capabilities,
    Cpu,
    DeviceRule,
    Linux,
    Memory,
    Namespace,
    Pids,
    Process,
    Resources,
    Root,
    Spec,
)
from core.runtime import spec_defaults as defaults
from core.runtime.create import launch
from core.runtime.default_profile import default_seccomp

MIB = 1 << 20
FOLDER = Path("/root/box")


def run(group: Cgroup, *args: str) -> tuple[int, str]:
    """A container of busybox in `group`: exit code and output."""
    names = defaults.CAPABILITIES
    spec = Spec(
        root=Root("rootfs"),
        process=Process(args, env=("PATH=/bin",), capabilities=Capabilities(*(names,) * 3)),
        hostname="box",
        mounts=defaults.mounts(shm_size=MIB),
        linux=Linux(
            namespaces=tuple(Namespace(kind) for kind in ("mount", "uts", "ipc", "network", "pid", "cgroup")),
            devices=defaults.DEVICES,
            masked_paths=defaults.MASKED_PATHS,
            readonly_paths=defaults.READONLY_PATHS,
            seccomp=default_seccomp(names),
        ),
    )
    null = os.open("/dev/null", os.O_RDWR)
    reader, writer = os.pipe()
    rootfs = str(FOLDER / "rootfs")
    mount_overlay([str(FOLDER / "lower")], str(FOLDER / "upper"), str(FOLDER / "work"), rootfs)
    try:
        started = launch(spec, bundle=str(FOLDER), rootfs=rootfs, stdio=(null, writer, writer), cgroup=group)
        started.wait_exec()
        os.close(writer)
        with open(reader, encoding="utf-8") as file:
            output = file.read()
        return os.waitstatus_to_exitcode(os.waitpid(started.pid, 0)[1]), output
    finally:
        os.close(null)
        umount2(rootfs, 2)


def limits(group: Cgroup) -> None:
    cpu = Cpu(quota=50_000, period=100_000, shares=512)
    group.apply(Resources(memory=Memory(limit=32 * MIB, swap=64 * MIB), cpu=cpu, pids=Pids(20)))
    folder = Path("/sys/fs/cgroup/onggi/test")
    assert (folder / "memory.max").read_text() == f"{32 * MIB}\n"
    assert (folder / "cpu.max").read_text() == "50000 100000\n"
    assert (folder / "cpu.weight").read_text() == "20\n"
    assert (folder / "pids.max").read_text() == "20\n"
    group.apply(Resources(memory=Memory(limit=-1, swap=-1), pids=Pids(-1)))
    assert (folder / "memory.max").read_text() == "max\n"


def smallest(group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=6 * MIB, swap=6 * MIB)))
    assert run(group, "echo", "fits") == (0, "fits\n")
    assert group.oom_kills() == 0


def oom(group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=16 * MIB, swap=16 * MIB)))
    code, _ = run(group, "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    assert code == -9, code
    assert group.oom_kills() >= 1


def pids(group: Cgroup) -> None:
    group.apply(Resources(pids=Pids(5)))
    _, output = run(group, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done 2>&1; echo over")
    assert "can't fork" in output, output


def devices(group: Cgroup) -> None:
    group.apply(Resources(devices=defaults.device_rules()))
    script = (
        "exec 2>&1; mknod /dev/k c 1 11 && echo made; head -c1 /dev/k; head -c1 /dev/zero | wc -c; "
        "mknod /dev/d b 254 0; head -c1 /dev/d"
    )
    _, output = run(group, "sh", "-c", script)
    assert output.startswith("made\n") and output.count("not permitted") == 2 and "\n1\n" in output, output
    # A second set of rules takes the place of the first.
    major, minor = map(int, Path("/sys/block/vda/dev").read_text().split(":"))
    group.apply(Resources(devices=(*defaults.device_rules(), DeviceRule(True, "b", major, minor, "r"))))
    script = f"exec 2>&1; mknod /dev/disk b {major} {minor}; : < /dev/disk && echo opened; : > /dev/disk"
    _, output = run(group, "sh", "-c", script)
    assert "opened" in output and "not permitted" in output, output


def namespace(group: Cgroup) -> None:
    script = "cat /proc/self/cgroup; cd /sys/fs/cgroup; ls; cat cgroup.procs; mkdir x; mount"
    _, output = run(group, "sh", "-c", script)
    assert output.startswith("0::/\n"), output
    assert "memory.max" in output and "Read-only" in output, output
    assert "cgroup on /sys/fs/cgroup type cgroup2 (ro,nosuid,nodev,noexec,relatime" in output, output


def freezing(group: Cgroup) -> None:
    pid = os.fork()
    if pid == 0:
        cgroups.enter(group.doors())
        while True:
            pass
    while not group.pids():
        pass
    group.freeze()
    before = group.stats().cpu_total
    assert group.stats().cpu_total == before
    assert group.pids() == [pid]
    group.thaw()
    group.kill()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert group.pids() == []


def confinement(group: Cgroup) -> None:
    code, output = run(group, "grep", "-E", "CapEff|Seccomp:", "/proc/self/status")
    assert code == 0 and "00000000a80425fb" in output and "Seccomp:\t2" in output, output


CHECKS: tuple[Callable[[Cgroup], None], ...] = (
    limits, smallest, oom, pids, devices, namespace, freezing, confinement,
)  # fmt: skip


def main() -> None:
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    for name in ("lower/bin", "lower/proc", "lower/sys", "lower/dev", "upper", "work", "rootfs"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    shutil.copytree("/bin", FOLDER / "lower/bin", symlinks=True, dirs_exist_ok=True)
    manager = cgroups.detect()
    print("version", manager.version)
    for check in CHECKS:
        group = manager.create("/onggi/test", Resources())
        try:
            check(group)
            print("ok", check.__name__)
        except BaseException:
            print("FAILED", check.__name__, traceback.format_exc(limit=3).replace("\n", " | "))
        finally:
            group.kill()
            group.delete()
        sys.stdout.flush()
    for kept in CONTRACT:
        try:
            kept(manager)
            print("ok", kept.__name__)
        except BaseException:
            print("FAILED", kept.__name__, traceback.format_exc(limit=3).replace("\n", " | "))
        sys.stdout.flush()
    print("left", Path("/sys/fs/cgroup/onggi/test").exists())


main()
