"""Device rules -> an eBPF program for cgroup v2. Pure. bpf(2), linux/bpf.h: struct bpf_cgroup_dev_ctx.

The last rule that matches decides, so the program asks them from the last to the first. Registers: r2 type,
r3 access asked, r4 major, r5 minor, r0 scratch and answer (1 = allowed).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from core.errors import InvalidSpec
from core.oci.runtime import DeviceRule

_LOAD32 = 0x61  # dst = *(u32 *)(src + off)
_AND, _SHIFT_RIGHT = 0x54, 0x74  # on 32 bits, with an immediate
_MOVE, _MOVE_IMMEDIATE = 0xBC, 0xB4
_JUMP_NE, _JUMP_EQ, _JUMP_NE_REGISTER = 0x55, 0x15, 0x5D
_EXIT = 0x95
_TYPES = {"b": 1, "c": 2, "u": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = 7


def check_rules(rules: Sequence[DeviceRule]) -> None:
    """Raises InvalidSpec for a rule that no kernel could hold."""
    for rule in rules:
        if rule.type not in ("a", *_TYPES):
            raise InvalidSpec(f"unknown device type {rule.type[:20]!r}")
        if set(rule.access) - set(_ACCESS):
            raise InvalidSpec(f"unknown device access {rule.access[:20]!r}")
        for number in (rule.major, rule.minor):
            if number is not None and not -1 <= number < 1 << 20:
                raise InvalidSpec(f"device number {number} is out of range")


def _op(code: int, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", code, dst | src << 4, offset, immediate)


def device_program(rules: Sequence[DeviceRule]) -> bytes:
    """The program for `rules` in their order; what no rule names is denied. Raises InvalidSpec."""
    check_rules(rules)
    code = [
        _op(_LOAD32, 2, 1, 0),
        _op(_AND, 2, immediate=0xFFFF),
        _op(_LOAD32, 3, 1, 0),
        _op(_SHIFT_RIGHT, 3, immediate=16),
        _op(_LOAD32, 4, 1, 4),
        _op(_LOAD32, 5, 1, 8),
    ]
    for rule in reversed(rules):
        code += _rule(rule)
        if rule.type == "a":  # nothing before it can decide any more
            return b"".join(code)
    return b"".join([*code, _op(_MOVE_IMMEDIATE, 0, immediate=0), _op(_EXIT)])


def _rule(rule: DeviceRule) -> list[bytes]:
    answer = [_op(_MOVE_IMMEDIATE, 0, immediate=int(rule.allow)), _op(_EXIT)]
    if rule.type == "a":
        return answer
    checks = [(_JUMP_NE, 2, 0, _TYPES[rule.type])]
    mask = sum(_ACCESS[letter] for letter in set(rule.access or "rwm"))
    scratch = []
    if mask != _ALL:
        scratch = [_op(_MOVE, 0, 3), _op(_AND, 0, immediate=mask)]
        # Allowed is what asks for nothing beyond the rule, denied what asks for anything in it.
        checks.append((_JUMP_NE_REGISTER, 0, 3, 0) if rule.allow else (_JUMP_EQ, 0, 0, 0))
    for register, number in ((4, rule.major), (5, rule.minor)):
        if number is not None and number >= 0:
            checks.append((_JUMP_NE, register, 0, number))
    jumps = [
        _op(code, dst, src, len(checks) - index - 1 + len(answer), immediate)
        for index, (code, dst, src, immediate) in enumerate(checks)
    ]
    if scratch:  # the type is asked before the scratch register is filled
        jumps[0] = _op(_JUMP_NE, 2, 0, len(scratch) + len(jumps) - 1 + len(answer), checks[0][3])
    return [jumps[0], *scratch, *jumps[1:], *answer]
