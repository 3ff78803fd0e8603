"""Compiles seccomp rules to a cBPF program. Pure: no ctypes, no libseccomp. seccomp(2), linux/filter.h.

Layout: for each architecture one section; in it a binary search over ranges of call numbers that share a verdict;
at each leaf a return, or the checks of that call's arguments. Rules for one call are asked in their order, the
first that matches decides, and one without arguments always matches. Several conditions on one argument are
alternatives, as runc has it; conditions on different arguments must all hold.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.errors import InvalidSpec, Unsupported
from core.oci.runtime import Seccomp, SyscallArg, SyscallRule
from core.runtime import syscall_numbers as numbers

_LOAD, _AND, _JUMP, _JUMP_EQ, _JUMP_GT, _JUMP_GE, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
_NUMBER, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data; both machines are little-endian
X32_BIT = 0x40000000
_SHORT = 255  # the longest conditional jump
_ENOSYS = 38
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ACTIONS = {
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_ERRNO": _ERRNO,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": _KILL_PROCESS,
}

Code = list[bytes]


class _Arch(NamedTuple):
    token: int  # AUDIT_ARCH_, linux/audit.h
    table: dict[str, int]
    offset: int = 0
    words: int = 2  # 32-bit halves of an argument that count


_ARCHES = {
    "SCMP_ARCH_X86_64": _Arch(0xC000003E, numbers.X86_64),
    "SCMP_ARCH_X32": _Arch(0xC000003E, numbers.X32, X32_BIT),
    "SCMP_ARCH_X86": _Arch(0x40000003, numbers.I386, words=1),
    "SCMP_ARCH_AARCH64": _Arch(0xC00000B7, numbers.AARCH64),
    "SCMP_ARCH_ARM": _Arch(0x40000028, numbers.ARM, words=1),
}
_NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


def compile_seccomp(seccomp: Seccomp, machine: str) -> bytes:
    """An array of struct sock_filter for `machine` (uname -m) and the architectures that the profile names.

    Calls of any other architecture end the process. Where the default is an errno, numbers newer than our tables
    get ENOSYS, so that programs fall back to what they did before. Raises InvalidSpec, Unsupported.
    """
    native = _NATIVE.get(machine)
    if native is None:
        raise Unsupported(f"compile seccomp filter: no table of system calls for {machine}")
    names = [native, *(name for name in seccomp.architectures if name in _ARCHES and name != native)]
    code = [_op(_LOAD, _ARCH)]
    for token in dict.fromkeys(_ARCHES[name].token for name in names):
        section = _section([_ARCHES[name] for name in names if _ARCHES[name].token == token], seccomp)
        code += [_op(_JUMP_EQ, token, 1, 0), _op(_JUMP, len(section)), *section]
    code.append(_op(_RETURN, _KILL_PROCESS))
    if len(code) > 4096:
        raise InvalidSpec(f"seccomp profile is too long: {len(code)} instructions, the kernel takes 4096")
    return b"".join(code)


def _op(code: int, k: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, true, false, k)


def _section(arches: Sequence[_Arch], seccomp: Seccomp) -> Code:
    """One AUDIT_ARCH; on x86_64 that is two sets of numbers, told apart by a bit."""
    code = [_op(_LOAD, _NUMBER)]
    if arches[0].token == _ARCHES["SCMP_ARCH_X86_64"].token:
        x32 = [_op(_RETURN, _KILL_PROCESS)] if len(arches) == 1 else _search(arches[1], seccomp)
        code += [_op(_JUMP_GE, X32_BIT, 1, 0), _op(_JUMP, len(x32)), *x32]
    return [*code, *_search(arches[0], seccomp)]


def _search(arch: _Arch, seccomp: Seccomp) -> Code:
    return _tree(_ranges(arch, seccomp))


def _ranges(arch: _Arch, seccomp: Seccomp) -> list[tuple[int, Code]]:
    """From which number on which code holds; neighbours differ."""
    default = _op(_RETURN, _verdict(seccomp.default_action, seccomp.default_errno_ret))
    unknown = default
    if seccomp.default_action == "SCMP_ACT_ERRNO":
        unknown = _op(_RETURN, _ERRNO | _ENOSYS)
    rules: dict[int, list[SyscallRule]] = {}
    for rule in seccomp.syscalls:
        for name in dict.fromkeys(rule.names):
            if name in arch.table:
                rules.setdefault(arch.table[name], []).append(rule)
    known = frozenset(arch.table.values())
    newest = max(number for number in known if number < 512)  # x32 and ARM have old numbers of their own above
    found: list[tuple[int, Code]] = []
    for number in sorted({0, newest + 1, *(item + step for item in known | set(rules) for step in (0, 1))}):
        fallback = default if number <= newest or number in known else unknown
        code = _leaf(rules.get(number, ()), fallback, arch.words)
        if not found or found[-1][1] != code:
            found.append((number + arch.offset, code))
    return found


def _tree(ranges: list[tuple[int, Code]]) -> Code:
    """Binary search for the last range that begins at or below the number in the accumulator."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(low) <= _SHORT:
        return [_op(_JUMP_GE, ranges[middle][0], len(low), 0), *low, *high]
    return [_op(_JUMP_GE, ranges[middle][0], 0, 1), _op(_JUMP, len(low)), *low, *high]


def _leaf(rules: Sequence[SyscallRule], fallback: bytes, words: int) -> Code:
    code: Code = []
    for rule in rules:
        verdict = _op(_RETURN, _verdict(rule.action, rule.errno_ret))
        if not rule.args:
            return [*code, verdict]
        for conditions in _alternatives(rule.args):
            code += _checks(conditions, words, verdict)
    return [*code, fallback]


def _alternatives(args: Sequence[SyscallArg]) -> Iterator[Sequence[SyscallArg]]:
    indexes = [item.index for item in args]
    if len(set(indexes)) == len(indexes):
        yield args
    else:
        yield from ([item] for item in args)


def _verdict(action: str, errno: int | None) -> int:
    value = _ACTIONS.get(action)
    if value is None:
        raise InvalidSpec(f"unknown seccomp action {action!r}")
    if action in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        return value | ((1 if errno is None else errno) & 0xFFFF)
    return value


class _Test(NamedTuple):
    """One word of an argument. `passes` and `fails`: what the outcome means, None = ask the next test."""

    load: int
    mask: int | None
    jump: int
    value: int
    true: bool | None
    false: bool | None


def _checks(conditions: Sequence[SyscallArg], words: int, verdict: bytes) -> Code:
    """`verdict` when all conditions hold, else on to what follows."""
    code: Code = [verdict]
    for condition in reversed(conditions):
        code = _condition(condition, words, code)
    return code


def _condition(condition: SyscallArg, words: int, then: Code) -> Code:
    tests = _tests(condition, words)
    sizes = [2 if test.mask is None else 3 for test in tests]
    code: Code = []
    for position, test in enumerate(tests):
        to_then = sum(sizes[position + 1 :])
        distance = {None: 0, True: to_then, False: to_then + len(then)}
        code.append(_op(_LOAD, test.load))
        if test.mask is not None:
            code.append(_op(_AND, test.mask))
        code.append(_op(test.jump, test.value, distance[test.true], distance[test.false]))
    return [*code, *then]


def _tests(condition: SyscallArg, words: int) -> list[_Test]:
    """The comparison of an unsigned 64-bit argument, high word first."""
    if not 0 <= condition.index <= 5:
        raise InvalidSpec(f"seccomp argument {condition.index} does not exist")
    low, high = _ARGS + 8 * condition.index, _ARGS + 8 * condition.index + 4
    value, mask = condition.value & (1 << 64) - 1, None
    if condition.op == "SCMP_CMP_MASKED_EQ":
        mask, value = value, condition.value_two & (1 << 64) - 1
    value_low, value_high = value & 0xFFFFFFFF, value >> 32
    mask_low, mask_high = (None, None) if mask is None else (mask & 0xFFFFFFFF, mask >> 32)
    if condition.op in ("SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"):
        same = condition.op != "SCMP_CMP_NE"
        upper = _Test(high, mask_high, _JUMP_EQ, value_high, None, not same)
        lower = _Test(low, mask_low, _JUMP_EQ, value_low, same, not same)
        return [upper, lower] if words == 2 else [lower]
    orders = {
        "SCMP_CMP_GT": (_JUMP_GT, True),
        "SCMP_CMP_LE": (_JUMP_GT, False),
        "SCMP_CMP_GE": (_JUMP_GE, True),
        "SCMP_CMP_LT": (_JUMP_GE, False),
    }
    if condition.op not in orders:
        raise InvalidSpec(f"unknown seccomp comparison {condition.op!r}")
    jump, above = orders[condition.op]
    lower = _Test(low, None, jump, value_low, above, not above)
    if words == 1:
        return [lower]
    greater = _Test(high, None, _JUMP_GT, value_high, above, None)
    return [greater, _Test(high, None, _JUMP_EQ, value_high, None, not above), lower]
