"""What limits become: the lines that are written, and in which order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cgroups.devices import device_program
from core.cgroups.hierarchies import parse_mountinfo
from core.cgroups.writes import (
    UNLIMITED,
    cpu_weight,
    device_line,
    io_weight,
    v1_memory_writes,
    v1_writes,
    v2_writes,
)
from core.errors import InvalidSpec
from core.oci.runtime import BlockIO, Cpu, DeviceRule, Memory, Pids, Resources
from core.runtime.spec_defaults import device_rules

MIB = 1 << 20
FULL = Resources(
    memory=Memory(limit=64 * MIB, swap=96 * MIB, reservation=32 * MIB),
    cpu=Cpu(shares=512, quota=50_000, period=100_000, cpus="0-1", mems="0"),
    pids=Pids(100),
    block_io=BlockIO(300),
)


def lines(writes: tuple[tuple[object, ...], ...]) -> list[str]:
    return [f"{item[1]} <- {item[2]}{' ?' if item[3] else ''}" for item in writes]


def test_everything_on_v1() -> None:
    assert lines(v1_writes(FULL)) == [
        "cpu.shares <- 512",
        "cpu.cfs_period_us <- 100000",
        "cpu.cfs_quota_us <- 50000",
        "cpuset.cpus <- 0-1",
        "cpuset.mems <- 0",
        "blkio.weight <- 300 ?",
        "blkio.bfq.weight <- 300 ?",
        "pids.max <- 100",
    ]


def test_everything_on_v2() -> None:
    assert lines(v2_writes(FULL)) == [
        f"memory.swap.max <- {32 * MIB} ?",
        f"memory.max <- {64 * MIB}",
        f"memory.low <- {32 * MIB}",
        "cpu.weight <- 20",
        "cpu.max <- 50000 100000",
        "cpuset.cpus <- 0-1",
        "cpuset.mems <- 0",
        "pids.max <- 100",
        "io.bfq.weight <- 300 ?",
        "io.weight <- default 2930 ?",
    ]


def test_devices_on_v1_as_docker_has_them() -> None:
    assert lines(v1_writes(Resources(devices=device_rules()))) == [
        "devices.deny <- a",
        "devices.allow <- c *:* m",
        "devices.allow <- b *:* m",
        *(f"devices.allow <- c 1:{minor} rwm" for minor in (3, 5, 7, 8, 9)),
        *(f"devices.allow <- c 5:{minor} rwm" for minor in (0, 1, 2)),
        "devices.allow <- c 136:* rwm",
    ]


@pytest.mark.parametrize(
    ("memory", "now", "expected"),
    [
        (Memory(limit=64, swap=128), UNLIMITED, ["limit", "memsw"]),  # lower the smaller one first
        (Memory(limit=64, swap=128), 256, ["limit", "memsw"]),
        (Memory(limit=512, swap=1024), 256, ["memsw", "limit"]),  # raise the larger one first
        (Memory(limit=256, swap=256), 256, ["limit", "memsw"]),
        (Memory(limit=-1, swap=-1), 256, ["memsw", "limit"]),
        (Memory(limit=64), 256, ["limit"]),
        (Memory(swap=-1), 256, ["memsw"]),
    ],
)
def test_memory_limits_in_the_order_the_kernel_takes(memory: Memory, now: int, expected: list[str]) -> None:
    writes = v1_memory_writes(memory, now)
    assert [item.file.split(".")[1].split("_")[0] for item in writes] == expected


@given(st.integers(1, 1 << 40), st.integers(1, 1 << 40), st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_no_step_of_a_change_puts_the_limit_above_memory_and_swap(
    old: int, extra: int, new: int, more: int
) -> None:
    state = {"limit": old, "memsw": old + extra}
    for item in v1_memory_writes(Memory(limit=new, swap=new + more), state["memsw"]):
        state[item.file.split(".")[1].split("_")[0]] = int(item.value)
        assert state["limit"] <= state["memsw"]
    assert state == {"limit": new, "memsw": new + more}


def test_unlimited_is_written_as_each_version_reads_it() -> None:
    memory = Memory(limit=64 * MIB, swap=-1)
    assert {item.value for item in v1_memory_writes(memory, 0)} == {"-1", str(64 * MIB)}
    assert lines(v2_writes(Resources(memory=memory)))[0] == "memory.swap.max <- max ?"
    assert lines(v2_writes(Resources(pids=Pids(-1)))) == ["pids.max <- max"]
    assert v1_writes(Resources(pids=Pids(0))) == v2_writes(Resources(pids=Pids(0))) == ()
    assert lines(v2_writes(Resources(cpu=Cpu(quota=-1, period=100_000)))) == ["cpu.max <- max 100000"]
    assert lines(v2_writes(Resources(unified={"memory.high": "1000"}))) == ["memory.high <- 1000"]


@pytest.mark.parametrize(("shares", "weight"), [(0, 1), (2, 1), (1024, 39), (262144, 10000), (1 << 30, 10000)])
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


def test_io_weights_keep_their_ends() -> None:
    assert (io_weight(10), io_weight(1000)) == (1, 10000)


def allowed(rules: list[DeviceRule], kind: str, access: str, major: int, minor: int) -> bool:
    """The last rule that has something to say; an allowing one must cover all that is asked."""
    for rule in reversed(rules):
        if rule.type == "a":
            return rule.allow
        if rule.type != kind or rule.major not in (None, major) or rule.minor not in (None, minor):
            continue
        covered = set(access) <= set(rule.access) if rule.allow else bool(set(access) & set(rule.access))
        if covered:
            return rule.allow
    return False


def run(program: bytes, kind: str, access: str, major: int, minor: int) -> bool:
    """An interpreter of the few eBPF instructions that the programs are made of."""
    asked = {"b": 1, "c": 2}[kind] | sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access) << 16
    context = struct.pack("<III", asked, major, minor)
    code = list(struct.iter_unpack("<BBhi", program))
    registers = [0] * 11
    at = 0
    while True:
        op, both, offset, immediate = code[at]
        dst, src = both & 15, both >> 4
        at += 1
        if op == 0x61:
            assert src == 1
            (registers[dst],) = struct.unpack_from("<I", context, offset)
        elif op == 0x54:
            registers[dst] &= immediate
        elif op == 0x74:
            registers[dst] >>= immediate
        elif op == 0xBC:
            registers[dst] = registers[src]
        elif op == 0xB4:
            registers[dst] = immediate
        elif op == 0x95:
            return bool(registers[0])
        else:
            hit = {
                0x55: registers[dst] != immediate,
                0x15: registers[dst] == immediate,
                0x5D: registers[dst] != registers[src],
            }
            at += offset if hit[op] else 0


accesses = st.sets(st.sampled_from("rwm"), min_size=1).map(lambda found: "".join(sorted(found)))
optional = st.one_of(st.none(), st.integers(0, 3))
device_rule = st.builds(DeviceRule, st.booleans(), st.sampled_from("abc"), optional, optional, accesses)


@given(st.lists(device_rule, max_size=8), st.sampled_from("bc"), accesses, st.integers(0, 3), st.integers(0, 3))
def test_device_programs_do_what_their_rules_say(
    rules: list[DeviceRule], kind: str, access: str, major: int, minor: int
) -> None:
    assert run(device_program(rules), kind, access, major, minor) == allowed(rules, kind, access, major, minor)


def test_dockers_device_program() -> None:
    program = device_program(device_rules())
    assert run(program, "c", "rw", 1, 3)
    assert run(program, "c", "rw", 136, 7)
    assert run(program, "b", "m", 8, 0)
    assert not run(program, "b", "r", 8, 0)
    assert not run(program, "c", "rw", 1, 1)
    assert run(device_program(device_rules(privileged=True)), "b", "rwm", 8, 0)


@pytest.mark.parametrize(
    "rule",
    [
        DeviceRule(True, "", 1, 1),
        DeviceRule(True, "c 1:1 rwm\nb"),
        DeviceRule(True, "c", 1, 1, "rwx"),
        DeviceRule(True, "c", 1 << 40, 1),
        DeviceRule(True, "c", 1, -2),
    ],
)
def test_device_rules_that_no_kernel_holds(rule: DeviceRule) -> None:
    with pytest.raises(InvalidSpec):
        device_program([rule])
    with pytest.raises(InvalidSpec):
        v1_writes(Resources(devices=(rule,)))


def test_a_device_line_without_numbers() -> None:
    assert device_line(DeviceRule(True, "c", None, -1, "")) == "c *:* rwm"


def test_mounted_hierarchies() -> None:
    found = parse_mountinfo(
        "25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "27 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "28 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        "29 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "30 1 0:24 / /mnt/a\\040copy rw - cgroup cgroup rw,memory\n"
        "broken line\n"
    )
    assert found.mounts == {name: f"/sys/fs/cgroup/{name}" for name in ("cpu,cpuacct", "memory", "systemd")}
    assert found.controllers["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert found.controllers["memory"] == "/sys/fs/cgroup/memory"
    assert found.unified == "/sys/fs/cgroup/unified"
