"""`--init`: a first process that hands signals on and collects the dead, where a program cannot do so itself.

The kernel drops signals that a pid 1 does not handle, and leaves it the orphans. Docker mounts a packaged `tini` at
/sbin/docker-init for that. We carry 300 bytes of our own, a static program of one page: an interpreter that stays
as pid 1 would keep megabytes of the host's memory within the container's reach, and a package may be missing.

    /sbin/docker-init -- PROGRAM ARGUMENTS...

The path of PROGRAM, which the runtime has looked up, is in the environment's last entry `ONGGI_EXEC`, which is not
passed on. Exit code: the program's, or 128 and the signal that ended it.
"""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path

from core.engine.pid1_code import LISTINGS
from core.errors import Unsupported

PLACE = "/sbin/docker-init"  # where Docker has it; people look for it in `ps`
_BASE, _HEADERS = 0x400000, 64 + 2 * 56
_MACHINES = {"x86_64": 62, "aarch64": 183}  # elf.h, EM_*
_EXECUTABLE, _LOAD, _STACK = 2, 1, 0x6474E551  # ET_EXEC, PT_LOAD, PT_GNU_STACK


def code(listing: str) -> bytes:
    """The bytes of a listing."""
    lines = (line.partition(";")[0].split() for line in listing.splitlines())
    return b"".join(bytes.fromhex(words[0]) for words in lines if len(words) > 1)


def program(machine: str) -> bytes:
    """The whole ELF file. Raises Unsupported for a machine that we have no code for."""
    if machine not in LISTINGS:
        raise Unsupported(f"run with --init: not supported on {machine}")
    body = code(LISTINGS[machine])
    size = _HEADERS + len(body)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = struct.pack(
        "<HHIQQQIHHHHHH", _EXECUTABLE, _MACHINES[machine], 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    text = struct.pack("<IIQQQQQQ", _LOAD, 5, 0, _BASE, _BASE, size, size, 0x10000)  # read and execute
    stack = struct.pack("<IIQQQQQQ", _STACK, 6, 0, 0, 0, 0, 0, 16)  # read and write, no more
    return ident + head + text + stack + body


class InitProgram:
    """The file that is mounted into containers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self) -> str:
        """Where it is; written when it is missing or another version's. Raises Unsupported, OSError."""
        data = program(platform.machine())
        file = self._folder / "docker-init"
        try:
            if file.read_bytes() == data and os.access(file, os.X_OK):
                return str(file)
        except FileNotFoundError:
            pass
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_bytes(data)
        beside.chmod(0o555)
        beside.rename(file)  # never in place: a container may be running it
        return str(file)
