"""What every cgroup manager keeps to, as plain functions of the manager: they also run where there is no pytest.

Each check makes the groups it needs below `BASE` and leaves none.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core import cgroups
from core.cgroups.model import Cgroup, Manager
from core.errors import SyscallFailed
from core.oci.runtime import Cpu, DeviceRule, Memory, Pids, Resources

MIB = 1 << 20
BASE = f"/onggi-contract-{os.getpid()}"
PATIENCE = 60.0  # seconds, in an emulated machine too


@contextmanager
def made(manager: Manager, resources: Resources | None = None) -> Iterator[Cgroup]:
    group = manager.create(f"{BASE}/box", resources or Resources())
    try:
        yield group
    finally:
        group.kill()
        group.delete()
        manager.open(BASE).delete()


def member(group: Cgroup, work: Callable[[], object] = signal.pause) -> int:
    """A process that goes into the group by itself and does `work`; its exit code is 0 unless that raises."""
    doors = group.doors()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            cgroups.enter(doors)
            work()
            code = 0
        finally:
            os._exit(code)
    for fd in doors:
        os.close(fd)
    return pid


def code_of(pid: int) -> int:
    """How a child ended: as `os.waitstatus_to_exitcode` has it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("the process does not end")
        time.sleep(0.002)


def until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def spin() -> None:
    while True:
        pass


def names_its_version(manager: Manager) -> None:
    with made(manager) as group:
        assert manager.version in (1, 2)
        assert group.view().version == manager.version


def making_and_deleting_twice_is_no_error(manager: Manager) -> None:
    with made(manager) as group:
        again = manager.create(f"{BASE}/box", Resources())
        assert again.pids() == group.pids() == []
        again.delete()
        again.delete()


def one_that_is_not_there_is_empty(manager: Manager) -> None:
    group = manager.open(f"{BASE}/nowhere")
    group.kill()
    group.delete()
    assert group.pids() == []
    assert group.oom_kills() == 0
    assert group.stats().pids == group.stats().memory_usage == 0


def what_cannot_be_limited_leaves_nothing(manager: Manager) -> None:
    try:
        manager.create(f"{BASE}-bad", Resources(cpu=Cpu(cpus="nonsense")))
    except SyscallFailed as error:
        assert "cpuset" in str(error), error
    else:
        raise AssertionError("made with a limit that means nothing")
    left = [path for top in ("*", ".") for path in Path("/sys/fs/cgroup").glob(f"{top}{BASE}-bad")]
    assert not left, left


def a_wrong_limit_says_which(manager: Manager) -> None:
    with made(manager) as group:
        try:
            group.apply(Resources(cpu=Cpu(cpus="4000")))
        except SyscallFailed as error:
            assert "set cpuset.cpus to 4000" in str(error), error
        else:
            raise AssertionError("there is no such processor")


def a_process_goes_in_by_itself_and_its_children_follow(manager: Manager) -> None:
    with made(manager) as group:

        def two() -> None:
            os.fork()
            signal.pause()

        pid = member(group, two)
        until(lambda: len(group.pids()) == 2, "the child is not counted")
        assert pid in group.pids()
        assert group.stats().pids == 2
        group.kill()
        assert code_of(pid) == -signal.SIGKILL


def freezing_stops_and_thawing_goes_on(manager: Manager) -> None:
    with made(manager) as group:

        def heed() -> None:
            # Handled: version 2 lets a signal through that ends the process.
            signal.signal(signal.SIGUSR1, lambda *_: os._exit(7))
            spin()

        pid = member(group, heed)
        until(lambda: group.stats().cpu_total > 20_000_000, "it uses no time")
        group.freeze()
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.05)  # its last slice is still to be counted
        before = group.stats().cpu_total
        time.sleep(0.1)
        assert group.stats().cpu_total == before
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        group.thaw()
        assert code_of(pid) == 7


def kill_ends_even_what_forks(manager: Manager) -> None:
    with made(manager, Resources(pids=Pids(64))) as group:

        def bomb() -> None:
            while True:
                try:
                    if os.fork() == 0:
                        signal.pause()
                except OSError:
                    pass
                time.sleep(0.001)

        pid = member(group, bomb)
        until(lambda: len(group.pids()) > 5, "it does not fork")
        group.kill()
        assert group.pids() == []
        assert code_of(pid) == -signal.SIGKILL


def a_frozen_one_can_be_killed(manager: Manager) -> None:
    with made(manager) as group:
        pid = member(group)
        until(lambda: bool(group.pids()), "it does not go in")
        group.freeze()
        group.kill()
        assert code_of(pid) == -signal.SIGKILL


def deleting_waits_for_the_dying(manager: Manager) -> None:
    with made(manager) as group:
        pid = member(group)
        until(lambda: bool(group.pids()), "it does not go in")
        os.kill(pid, signal.SIGKILL)
        group.delete()
        assert group.pids() == []
        assert code_of(pid) == -signal.SIGKILL


def memory_limits_change_in_either_direction(manager: Manager) -> None:
    with made(manager) as group:
        for limit, swap in ((64, 128), (256, 512), (32, 64), (32, 32), (512, 512), (16, -1), (-1, -1), (64, 64)):
            size = limit * MIB if limit > 0 else -1
            group.apply(Resources(memory=Memory(limit=size, swap=swap * MIB if swap > 0 else -1)))
            assert group.stats().memory_limit == max(size, 0), limit


def cpu_limits_change(manager: Manager) -> None:
    with made(manager) as group:
        for quota, period in ((50_000, 100_000), (1_000, 1_000), (200_000, 100_000), (-1, 100_000)):
            group.apply(Resources(cpu=Cpu(quota=quota, period=period, shares=512)))


def a_quota_throttles(manager: Manager) -> None:
    with made(manager, Resources(cpu=Cpu(quota=5_000, period=50_000))) as group:
        member_pid = member(group, spin)
        until(lambda: group.stats().cpu_throttled_periods > 1, "it is not throttled")
        group.kill()
        code_of(member_pid)


def as_many_processes_as_allowed(manager: Manager) -> None:
    with made(manager, Resources(pids=Pids(3))) as group:

        def fill() -> None:
            children = 0
            try:
                while children < 10:
                    if os.fork() == 0:
                        signal.pause()
                    children += 1
            except BlockingIOError:  # EAGAIN
                os._exit(children)

        assert group.stats().pids_limit == 3
        assert code_of(member(group, fill)) == 2
        group.apply(Resources(pids=Pids(-1)))
        assert group.stats().pids_limit == 0


def want_of_memory_kills_and_is_counted(manager: Manager) -> None:
    with made(manager, Resources(memory=Memory(limit=16 * MIB, swap=16 * MIB))) as group:
        assert group.oom_kills() == 0
        assert code_of(member(group, lambda: len(b"x" * (64 * MIB)))) == -signal.SIGKILL
        assert group.oom_kills() >= 1


def only_the_devices_that_are_allowed(manager: Manager) -> None:
    nothing = DeviceRule(False, access="rwm")
    zero = DeviceRule(True, "c", 1, 5, "rwm")
    with made(manager, Resources(devices=(nothing, zero))) as group:

        def look() -> None:
            os.close(os.open("/dev/zero", os.O_RDONLY))
            try:
                os.close(os.open("/dev/full", os.O_RDONLY))
            except PermissionError:
                return
            os._exit(2)

        assert code_of(member(group, look)) == 0


def only_empty_ones_are_pruned(manager: Manager) -> None:
    with made(manager) as group:
        pid = member(group)
        until(lambda: bool(group.pids()), "it does not go in")
        for path in (BASE, f"{BASE}/box", f"{BASE}/nowhere"):
            manager.prune(path)
        assert group.pids() == [pid]
        group.kill()
        code_of(pid)
        group.delete()
        manager.prune(BASE)
        assert not list(Path("/sys/fs/cgroup").glob(f"*{BASE}")) + list(Path("/sys/fs/cgroup").glob(BASE[1:]))


def a_process_leaves_and_what_it_was_in_can_go(manager: Manager) -> None:
    with made(manager) as group:

        def leave() -> None:
            if not group.pids():
                os._exit(3)
            manager.leave()
            if group.pids():
                os._exit(4)
            manager.prune(f"{BASE}/box")
            manager.prune(BASE)

        assert code_of(member(group, leave)) == 0
        assert not list(Path("/sys/fs/cgroup").glob(f"*{BASE}")) + list(Path("/sys/fs/cgroup").glob(BASE[1:]))


def making_one_while_another_prunes(manager: Manager) -> None:
    def prune() -> None:
        while True:
            manager.prune(BASE)

    pid = os.fork()
    if pid == 0:
        prune()
    try:
        for number in range(100):
            group = manager.create(f"{BASE}/box{number}", Resources())
            group.delete()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        manager.open(BASE).delete()


CHECKS: tuple[Callable[[Manager], None], ...] = (
    names_its_version,
    making_and_deleting_twice_is_no_error,
    one_that_is_not_there_is_empty,
    what_cannot_be_limited_leaves_nothing,
    a_wrong_limit_says_which,
    a_process_goes_in_by_itself_and_its_children_follow,
    freezing_stops_and_thawing_goes_on,
    kill_ends_even_what_forks,
    a_frozen_one_can_be_killed,
    deleting_waits_for_the_dying,
    memory_limits_change_in_either_direction,
    cpu_limits_change,
    a_quota_throttles,
    as_many_processes_as_allowed,
    want_of_memory_kills_and_is_counted,
    only_the_devices_that_are_allowed,
    only_empty_ones_are_pruned,
    a_process_leaves_and_what_it_was_in_can_go,
    making_one_while_another_prunes,
)
