"""Launching into a real cgroup: limits hold, also the smallest, and an OOM is counted."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from core import cgroups
from core.cgroups.model import Cgroup
from core.errors import InitFailed
from core.oci.runtime import Cpu, Memory, Pids, Resources
from core.runtime.spec_defaults import device_rules
from tests.support.containers import Sandbox, docker_like

pytestmark = pytest.mark.root
MIB = 1 << 20


@pytest.fixture
def group() -> Iterator[Cgroup]:
    made = cgroups.detect().create(f"/onggi-tests-{os.getpid()}", Resources(devices=device_rules()))
    yield made
    made.kill()
    made.delete()


def test_six_mebibytes_are_enough_to_start(sandbox: Sandbox, group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=6 * MIB, swap=12 * MIB)))
    for _ in range(3):
        assert sandbox.run(docker_like("echo", "fits"), cgroup=group).output == "fits\n"
    assert group.oom_kills() == 0


def test_too_little_memory_to_start_says_so(sandbox: Sandbox, group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=MIB // 8, swap=MIB // 8)))
    try:
        result = sandbox.run(docker_like("true"), cgroup=group)
    except InitFailed as error:
        assert "memory limit may be too low" in str(error)
    else:
        assert result.code in (-9, -11, 0)


def test_an_oom_is_counted(sandbox: Sandbox, group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=16 * MIB, swap=16 * MIB)))
    result = sandbox.run(docker_like("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"), cgroup=group)
    assert result.code == -9
    assert group.oom_kills() >= 1


def test_processes_are_limited(sandbox: Sandbox, group: Cgroup) -> None:
    group.apply(Resources(pids=Pids(5)))
    script = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo forked"
    assert "can't fork" in sandbox.run(docker_like("sh", "-c", script), cgroup=group).output


def test_a_device_that_is_not_allowed_cannot_be_opened(sandbox: Sandbox, group: Cgroup) -> None:
    script = "mknod /dev/kmsg2 c 1 11 && echo made; head -c1 /dev/kmsg2; head -c1 /dev/zero | wc -c"
    output = sandbox.run(docker_like("sh", "-c", script), cgroup=group).output
    assert output.startswith("made\n")
    assert "not permitted" in output
    assert output.endswith("1\n")


def test_the_cgroup_is_shown_read_only_and_is_its_own(sandbox: Sandbox, group: Cgroup) -> None:
    script = "cat /proc/self/cgroup; f=$(find /sys/fs/cgroup -name cgroup.procs | head -1); cat $f; mkdir ${f%/*}/x"
    output = sandbox.run(docker_like("sh", "-c", script), cgroup=group).output
    lines = output.splitlines()
    assert all(line.endswith(":/") for line in lines if line[0].isdigit() and ":" in line)
    assert "1" in lines  # pid 1 is in the cgroup that it sees
    assert "Read-only file system" in output


def test_statistics_of_a_used_cgroup(sandbox: Sandbox, group: Cgroup) -> None:
    group.apply(Resources(memory=Memory(limit=64 * MIB), cpu=Cpu(quota=50_000, period=100_000), pids=Pids(77)))
    sandbox.run(docker_like("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"), cgroup=group)
    stats = group.stats()
    assert stats.cpu_total > 1_000_000
    assert (stats.memory_limit, stats.pids_limit, stats.pids) == (64 * MIB, 77, 0)
    assert stats.memory_peak > 0 or cgroups.detect().version == 2
