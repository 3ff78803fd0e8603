"""What a program needs to be loaded, read from its own headers: elf(5), System V ABI chapter 5.

`ldd` is not used, because it runs what it looks at.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_LIMIT = 256 << 20
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29


@dataclass(frozen=True, slots=True)
class Elf:
    """`interpreter` is "" for a static program; `needed` are sonames; `search` its own library folders."""

    bits: int
    machine: int
    interpreter: str
    needed: tuple[str, ...]
    search: tuple[str, ...]

    @property
    def static(self) -> bool:
        return not self.interpreter and not self.needed


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def read_elf(path: Path) -> Elf | None:
    """The headers of the file at `path`; None where it is no ELF file, or a broken one. Raises OSError."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        file.seek(0)
        data = file.read(_LIMIT)
    try:
        return _parse(data)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, StopIteration):
        return None


def _parse(data: bytes) -> Elf:
    bits = {1: 32, 2: 64}[data[4]]
    order = {1: "<", 2: ">"}[data[5]]
    (machine,) = struct.unpack_from(order + "H", data, 18)
    segments = _segments(data, bits, order)
    interpreter = next((_string(data, item.offset) for item in segments if item.kind == _PT_INTERP), "")
    dynamic = next((item for item in segments if item.kind == _PT_DYNAMIC), None)
    tags = _tags(data, dynamic, bits, order) if dynamic else []
    table = next((value for tag, value in tags if tag == _DT_STRTAB), 0)
    strings = _file_offset(segments, table) if table else 0
    needed = tuple(_string(data, strings + value) for tag, value in tags if tag == _DT_NEEDED)
    search = [_string(data, strings + value) for tag, value in tags if tag in (_DT_RPATH, _DT_RUNPATH)]
    return Elf(
        bits, machine, interpreter, needed, tuple(part for text in search for part in text.split(":") if part)
    )


def _segments(data: bytes, bits: int, order: str) -> list[_Segment]:
    if bits == 64:
        (offset,) = struct.unpack_from(order + "Q", data, 32)
        entry_size, count = struct.unpack_from(order + "HH", data, 54)
    else:
        (offset,) = struct.unpack_from(order + "I", data, 28)
        entry_size, count = struct.unpack_from(order + "HH", data, 42)
    found = []
    for number in range(count):
        at = offset + number * entry_size
        if bits == 64:
            kind, _, start, address, _, size = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, start, address, _, size = struct.unpack_from(order + "IIIII", data, at)
        found.append(_Segment(kind, start, address, size))
    return found


def _tags(data: bytes, dynamic: _Segment, bits: int, order: str) -> list[tuple[int, int]]:
    form = order + ("qQ" if bits == 64 else "iI")
    size = struct.calcsize(form)
    found = []
    for at in range(dynamic.offset, dynamic.offset + dynamic.size, size):
        tag, value = struct.unpack_from(form, data, at)
        if tag == 0:
            break
        found.append((tag, value))
    return found


def _file_offset(segments: list[_Segment], address: int) -> int:
    return next(
        item.offset + address - item.address
        for item in segments
        if item.kind == _PT_LOAD and item.address <= address < item.address + item.size
    )


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "surrogateescape") if at < len(data) else ""
