"""The mount namespace of the engine, in which its interpreter can never be written to.

A process inside a container may open `/proc/PID/exe` of whoever enters its namespaces and, once that one
has ended, open it again for writing (CVE-2019-5736). From here the interpreter runs from a read-only bind
mount, so that gives EROFS. The namespace is a slave, never private: later mounts of the host must arrive
in containers, and what the host unmounts must not stay pinned. mount_namespaces(7).
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import NoReturn

from core.linux.constants import CLONE_NEWNET, CLONE_NEWNS, MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SLAVE
from core.linux.syscalls import mount, setns, unshare
from core.zygote.options import Options, zygote_command


def reexecute(options: Options) -> NoReturn:
    """Start again from inside. Raises OSError (EPERM without root)."""
    if options.netns:
        fd = os.open(options.netns, os.O_RDONLY | os.O_CLOEXEC)
        setns(fd, CLONE_NEWNET)
        os.close(fd)
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_SLAVE)
    for path in interpreter_files():
        mount(path, path, "", MS_BIND)
        mount("", path, "", MS_BIND | MS_REMOUNT | MS_RDONLY)
    command = zygote_command(replace(options, confined=True))
    os.execv(sys.executable, command)


def interpreter_files() -> list[str]:
    """The file that runs, and the shared libpython where the interpreter's code lies in one."""
    files = {os.path.realpath(sys.executable), os.path.realpath("/proc/self/exe")}
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")
            if path[1] and os.path.basename(path[2]).startswith("libpython"):
                files.add(f"/{path[2]}")
    return sorted(files)
