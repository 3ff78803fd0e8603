"""Cgroups of this machine, whichever version it mounts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core import cgroups
from core.cgroups.model import Cgroup
from core.errors import SyscallFailed
from core.oci.runtime import Cpu, Memory, Resources

pytestmark = pytest.mark.root
MIB = 1 << 20


@pytest.fixture
def group() -> Iterator[Cgroup]:
    made = cgroups.detect().create(f"/onggi-tests-live-{os.getpid()}", Resources())
    yield made
    made.kill()
    made.delete()


def inside(group: Cgroup, script: str) -> subprocess.Popen[bytes]:
    """A shell that goes into the cgroup by itself."""
    doors = group.doors()
    with ExitStack() as stack:
        for fd in doors:
            stack.callback(os.close, fd)
        enter = "".join(f"echo 0 >/proc/self/fd/{fd}; " for fd in doors)
        return subprocess.Popen(["sh", "-c", enter + script], pass_fds=doors)


@pytest.fixture
def sleeper(group: Cgroup) -> Iterator[subprocess.Popen[bytes]]:
    with inside(group, "exec sleep 1000") as process:
        while len(group.pids()) < 1:
            time.sleep(0.001)
        yield process
        process.kill()


def state(pid: int) -> str:
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]


def test_freezing_stops_and_thawing_goes_on(group: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    group.freeze()
    sleeper.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.1)
    group.thaw()
    assert sleeper.wait(5) == -signal.SIGTERM


def test_kill_ends_everything_even_what_forks(group: Cgroup) -> None:
    with inside(group, "while :; do sleep 1000 & sleep 0.01; done") as bomb:
        deadline = time.monotonic() + 5
        while len(group.pids()) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        group.kill()
        assert group.pids() == []
        assert bomb.wait(5) == -signal.SIGKILL


def test_a_frozen_cgroup_can_be_killed(group: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    group.freeze()
    group.kill()
    assert sleeper.wait(5) == -signal.SIGKILL


def test_memory_limits_change_in_either_direction(group: Cgroup) -> None:
    for limit, swap in ((64, 128), (256, 512), (32, 64), (32, 32), (512, 512), (16, -1), (-1, -1), (64, 64)):
        size = limit * MIB if limit > 0 else -1
        group.apply(Resources(memory=Memory(limit=size, swap=swap * MIB if swap > 0 else -1)))
        assert group.stats().memory_limit == max(size, 0)


def test_cpu_limits_change(group: Cgroup) -> None:
    for quota, period in ((50_000, 100_000), (1_000, 1_000), (200_000, 100_000), (-1, 100_000)):
        group.apply(Resources(cpu=Cpu(quota=quota, period=period, shares=512)))


def test_a_wrong_limit_says_where(group: Cgroup) -> None:
    with pytest.raises(SyscallFailed, match="set cpuset"):
        group.apply(Resources(cpu=Cpu(cpus="4000")))


def test_making_and_deleting_twice(group: Cgroup) -> None:
    manager = cgroups.detect()
    path = f"/onggi-tests-twice-{os.getpid()}"
    manager.create(path, Resources())
    made = manager.create(path, Resources())
    made.delete()
    made.delete()
    made.kill()
    assert made.pids() == []
    assert made.oom_kills() == 0
    assert made.stats().pids == 0


def test_what_could_not_be_limited_leaves_nothing(group: Cgroup) -> None:
    path = f"/onggi-tests-bad-{os.getpid()}"
    with pytest.raises(SyscallFailed):
        cgroups.detect().create(path, Resources(cpu=Cpu(cpus="nonsense")))
    assert not list(Path("/sys/fs/cgroup").glob(f"*{path}"))
    assert not list(Path("/sys/fs/cgroup").glob(path.strip("/")))
