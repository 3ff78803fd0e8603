"""System call numbers of both machines, beside the kernel's own headers and each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.linux.syscalls import OWN_NUMBERS, SHARED_NUMBERS
from core.runtime import syscall_numbers as tables
from core.runtime.filter import _ARCHES

TABLES = {"x86_64": tables.X86_64, "aarch64": tables.AARCH64}
HEADERS = {
    # arm64 has the numbers of no machine in particular
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/x86_64-linux-gnu/include/asm/unistd_64.h"),
}
_DEFINED = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)
_FOR_32_BITS = range(403, 424)  # the calls with times of 64 bits, which 64-bit machines always had
_NO_CALLS = {"syscalls", "arch_specific_syscall"}


@pytest.mark.parametrize("machine", TABLES)
def test_the_numbers_that_we_call_are_those_of_the_tables(machine: str) -> None:
    for name, number in {**OWN_NUMBERS[machine], **SHARED_NUMBERS}.items():
        assert TABLES[machine][name] == number, name
    assert OWN_NUMBERS["x86_64"].keys() == OWN_NUMBERS["aarch64"].keys()


@pytest.mark.parametrize("machine", TABLES)
def test_the_tables_are_the_kernels(machine: str) -> None:
    header = next((Path(path) for path in HEADERS[machine] if Path(path).is_file()), None)
    if header is None:
        pytest.skip("needs the kernel's headers: apt install linux-libc-dev")
    found = {name: int(number) for name, number in _DEFINED.findall(header.read_text())}
    found = {name: n for name, n in found.items() if name not in _NO_CALLS and n not in _FOR_32_BITS}
    assert len(found) > 300
    ours = TABLES[machine]
    wrong = {name: (n, ours.get(name)) for name, n in found.items() if ours.get(name, n) != n}
    assert wrong == {}
    # Newer headers know newer calls; those of a 32-bit machine in the common file have a 64 in their names here.
    newest = max(ours.values())
    missing = {name for name, n in found.items() if n <= newest and n not in ours.values()}
    assert missing == set()


def test_what_five_point_three_made_the_same_is_the_same() -> None:
    for name, number in tables.AARCH64.items():
        if number >= 424:
            assert tables.X86_64[name] == number, name


def test_the_tokens_are_made_of_the_elf_machine(
    bits: int = 0x80000000, little: int = 0x40000000
) -> None:  # linux/audit.h: __AUDIT_ARCH_64BIT, __AUDIT_ARCH_LE; linux/elf-em.h
    assert _ARCHES["SCMP_ARCH_X86_64"].token == 62 | bits | little
    assert _ARCHES["SCMP_ARCH_AARCH64"].token == 183 | bits | little
    assert _ARCHES["SCMP_ARCH_ARM"].token == 40 | little
    assert _ARCHES["SCMP_ARCH_X86"].token == 3 | little
