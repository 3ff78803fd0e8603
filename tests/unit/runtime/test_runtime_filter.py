"""The seccomp compiler, checked by an interpreter of cBPF against what the rules say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidSpec, Unsupported
from core.oci.runtime import Seccomp, SyscallArg, SyscallRule
from core.runtime import syscall_numbers as numbers
from core.runtime.default_profile import default_seccomp
from core.runtime.filter import X32_BIT, compile_seccomp
from core.runtime.spec_defaults import ALL_CAPABILITIES, CAPABILITIES

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050001, 0x00050026
ARCHES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")
WORD = (1 << 64) - 1


def run(program: bytes, arch: int, number: int, *args: int) -> int:
    """What the kernel's interpreter would return. linux/filter.h; jumps only go forward, so it ends."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(args + (0,) * 6)[:6])
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator, at = 0, 0
    while True:
        op, true, false, k = code[at]
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif op == 0x54:
            accumulator &= k
        elif op == 0x05:
            at += k
        elif op == 0x06:
            return int(k)
        else:
            hit = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k}[op]
            at += true if hit else false


DEFAULT = compile_seccomp(default_seccomp(CAPABILITIES, "x86_64"), "x86_64")
nr = numbers.X86_64


def test_the_default_profile_fits_and_is_well_formed() -> None:
    code = list(struct.iter_unpack("<HBBI", DEFAULT))
    assert len(code) <= 4096
    for at, (op, true, false, k) in enumerate(code):
        longest = k if op == 0x05 else max(true, false)
        assert at + 1 + longest < len(code) or op == 0x06
    assert code[-1][0] == 0x06


@pytest.mark.parametrize(
    "name", ["read", "clone", "execve", "openat2", "ptrace", "chroot", "getxattrat", "futex_wait"]
)
def test_usual_calls_are_allowed(name: str) -> None:
    assert run(DEFAULT, X86_64, nr[name]) == ALLOW


@pytest.mark.parametrize(
    "name",
    [
        "mount",
        "umount2",
        "unshare",
        "setns",
        "keyctl",
        "add_key",
        "bpf",
        "perf_event_open",
        "io_uring_setup",
        "reboot",
        "init_module",
        "kexec_load",
        "open_by_handle_at",
        "userfaultfd",
        "swapon",
        "acct",
        "settimeofday",
        "iopl",
        "syslog",
        "fsopen",
        "move_mount",
        "quotactl",
        "pivot_root",
        "sysfs",
        "uselib",
        "vserver",
    ],
)
def test_dangerous_calls_are_refused(name: str) -> None:
    assert run(DEFAULT, X86_64, nr[name]) == EPERM


def test_calls_newer_than_the_tables_are_unknown() -> None:
    newest = max(nr.values())
    for number in (newest + 1, 500, 9999, X32_BIT - 1):
        assert run(DEFAULT, X86_64, number) == ENOSYS
    assert run(DEFAULT, I386, newest + 1) == ENOSYS
    assert run(DEFAULT, X86_64, nr["clone3"]) == ENOSYS


def test_other_architectures_end_the_process() -> None:
    assert run(DEFAULT, AARCH64, 0) == KILL
    only = compile_seccomp(Seccomp("SCMP_ACT_ALLOW", architectures=("SCMP_ARCH_X86_64",)), "x86_64")
    assert run(only, X86_64, 0) == ALLOW
    assert run(only, X86_64, X32_BIT) == KILL
    assert run(only, I386, 0) == KILL


def test_32_bit_programs_have_their_own_numbers() -> None:
    assert run(DEFAULT, I386, numbers.I386["mount"]) == EPERM
    assert run(DEFAULT, I386, numbers.I386["read"]) == ALLOW
    assert run(DEFAULT, X86_64, X32_BIT | numbers.X32["mount"]) == EPERM
    assert run(DEFAULT, X86_64, X32_BIT | numbers.X32["read"]) == ALLOW
    assert run(DEFAULT, X86_64, X32_BIT | numbers.X32["ptrace"]) == ALLOW


@pytest.mark.parametrize(
    ("family", "verdict"), [(1, ALLOW), (2, ALLOW), (16, ALLOW), (38, EPERM), (39, ALLOW), (40, EPERM), (41, ALLOW)]
)
def test_socket_families(family: int, verdict: int) -> None:
    assert run(DEFAULT, X86_64, nr["socket"], family) == verdict
    # The kernel takes an int: what stands above it changes nothing.
    assert run(DEFAULT, X86_64, nr["socket"], family | 1 << 32) == verdict
    assert run(DEFAULT, X86_64, nr["socket"], family | 0xFFFFFFFF << 32) == verdict


@pytest.mark.parametrize("flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
def test_clone_makes_no_namespaces(flag: int) -> None:
    assert run(DEFAULT, X86_64, nr["clone"], flag | 17) == EPERM
    assert run(DEFAULT, X86_64, nr["clone"], 0x00010F00) == ALLOW


@pytest.mark.parametrize(
    ("persona", "verdict"), [(0, ALLOW), (8, ALLOW), (0x20008, ALLOW), (0xFFFFFFFF, ALLOW), (0x40000, EPERM)]
)
def test_personality(persona: int, verdict: int) -> None:
    assert run(DEFAULT, X86_64, nr["personality"], persona) == verdict


def test_capabilities_open_what_needs_them() -> None:
    everything = compile_seccomp(default_seccomp(ALL_CAPABILITIES, "x86_64"), "x86_64")
    for name in ("mount", "unshare", "setns", "clone3", "bpf", "reboot", "open_by_handle_at", "settimeofday"):
        assert run(everything, X86_64, nr[name]) == ALLOW
    assert run(everything, X86_64, nr["clone"], 0x20000) == ALLOW
    assert run(everything, X86_64, nr["keyctl"]) == EPERM
    nothing = compile_seccomp(default_seccomp((), "x86_64"), "x86_64")
    assert run(nothing, X86_64, nr["chroot"]) == EPERM


def test_another_machine() -> None:
    program = compile_seccomp(default_seccomp(CAPABILITIES, "aarch64"), "aarch64")
    assert run(program, AARCH64, numbers.AARCH64["openat"]) == ALLOW
    assert run(program, AARCH64, numbers.AARCH64["mount"]) == EPERM
    assert run(program, X86_64, 0) == KILL
    with pytest.raises(Unsupported, match="sparc64"):
        compile_seccomp(Seccomp("SCMP_ACT_ALLOW"), "sparc64")


OPS = {
    "SCMP_CMP_EQ": lambda a, v, _: a == v,
    "SCMP_CMP_NE": lambda a, v, _: a != v,
    "SCMP_CMP_LT": lambda a, v, _: a < v,
    "SCMP_CMP_LE": lambda a, v, _: a <= v,
    "SCMP_CMP_GT": lambda a, v, _: a > v,
    "SCMP_CMP_GE": lambda a, v, _: a >= v,
    "SCMP_CMP_MASKED_EQ": lambda a, v, w: a & v == w,
}
edges = st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, WORD - 1, WORD])
words = st.one_of(edges, st.integers(0, WORD))
conditions = st.builds(SyscallArg, st.integers(0, 5), words, words, st.sampled_from(sorted(OPS)))
ACTIONS = {
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_ERRNO": 0x00050011,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_LOG": 0x7FFC0000,
}
rules = st.builds(
    SyscallRule,
    st.lists(st.sampled_from(["read", "write", "socket", "close"]), min_size=1, max_size=3).map(tuple),
    st.sampled_from(sorted(ACTIONS)),
    st.just(17),
    st.lists(conditions, max_size=3).map(tuple),
)


def expected(profile: Seccomp, name: str, args: tuple[int, ...]) -> int:
    for rule in profile.syscalls:
        if name in rule.names:
            met = [OPS[item.op](args[item.index], item.value, item.value_two) for item in rule.args]
            repeated = len({item.index for item in rule.args}) < len(rule.args)
            if any(met) if repeated else all(met):
                return ACTIONS[rule.action]
    return EPERM


@given(
    st.lists(rules, max_size=6).map(tuple),
    st.sampled_from(["read", "write", "socket", "close", "open"]),
    st.tuples(*[words] * 6),
)
def test_programs_do_what_their_rules_say(found: tuple[SyscallRule, ...], name: str, args: tuple[int, ...]) -> None:
    profile = Seccomp("SCMP_ACT_ERRNO", 1, ARCHES, syscalls=found)
    program = compile_seccomp(profile, "x86_64")
    assert run(program, X86_64, nr[name], *args) == expected(profile, name, args)
    # A 32-bit program has only low words.
    low = tuple(item & 0xFFFFFFFF for item in args)
    narrow = Seccomp("SCMP_ACT_ERRNO", 1, ARCHES, syscalls=tuple(map(narrowed, found)))
    verdict = run(compile_seccomp(narrow, "x86_64"), I386, numbers.I386[name], *low)
    assert verdict == expected(narrow, name, low)


def narrowed(rule: SyscallRule) -> SyscallRule:
    args = tuple(
        SyscallArg(item.index, item.value & 0xFFFFFFFF, item.value_two & 0xFFFFFFFF, item.op) for item in rule.args
    )
    return SyscallRule(rule.names, rule.action, 17, args)


@given(st.integers(0, 0xFFFFFFFF))
def test_every_number_gets_the_verdict_of_the_table(number: int) -> None:
    profile = default_seccomp(CAPABILITIES, "x86_64")
    always = set(profile.syscalls[0].names)
    byte = {value: name for name, value in nr.items()}
    for at in (number, number & 0x1FF):
        name = byte.get(at)
        verdict = run(DEFAULT, X86_64, at)
        if at >= X32_BIT:
            assert verdict in (ALLOW, EPERM, ENOSYS)
        elif name is None:
            assert verdict == (ENOSYS if at > max(nr.values()) else EPERM)
        elif name in always:
            assert verdict == ALLOW


@pytest.mark.parametrize(
    "profile",
    [
        Seccomp("SCMP_ACT_NONSENSE"),
        Seccomp("SCMP_ACT_ALLOW", syscalls=(SyscallRule(("read",), "SCMP_ACT_NOTIFY"),)),
        Seccomp("SCMP_ACT_ALLOW", syscalls=(SyscallRule(("read",), "SCMP_ACT_LOG", None, (SyscallArg(6, 0),)),)),
        Seccomp(
            "SCMP_ACT_ALLOW", syscalls=(SyscallRule(("read",), "SCMP_ACT_LOG", None, (SyscallArg(0, 0, 0, "=="),)),)
        ),
    ],
)
def test_profiles_that_say_nonsense_are_refused(profile: Seccomp) -> None:
    with pytest.raises(InvalidSpec):
        compile_seccomp(profile, "x86_64")


def test_tables_agree_with_well_known_numbers() -> None:
    assert (nr["read"], nr["execve"], nr["openat2"], nr["mseal"]) == (0, 59, 437, 462)
    assert (numbers.I386["exit"], numbers.I386["socketcall"], numbers.I386["mount_setattr"]) == (1, 102, 442)
    assert (numbers.AARCH64["openat"], numbers.AARCH64["execve"], numbers.AARCH64["clone3"]) == (56, 221, 435)
    assert (numbers.X32["execve"], numbers.X32["ioctl"]) == (520, 514)
