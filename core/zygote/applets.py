"""The job `list-applets`: asks a busybox what it can be called. It runs a program, which the daemon never does."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any, NoReturn

from core.errors import SyscallFailed, Unsupported

OUTPUT_LIMIT = 256 * 1024  # bytes; a full busybox says 6 KiB
SECONDS = 5  # until a program that is no busybox is ended


def run_job(args: dict[str, Any]) -> dict[str, Any]:
    """`path`; answers `{"names"}`, paths like `bin/ls`. Raises Unsupported where it tells none, SyscallFailed."""
    path = str(args["path"])
    try:
        output, code = _output(path)
    except OSError as error:
        raise SyscallFailed.of("run busybox", error) from error
    names = sorted({line for line in output.decode("utf-8", "replace").split() if not line.startswith("/")})
    if code or len(output) > OUTPUT_LIMIT or "bin/sh" not in names:
        raise Unsupported(f"{path} does not tell its applets")
    return {"names": names}


def _output(path: str) -> tuple[bytes, int]:
    """What it says, and how it ends; what says too much or too late is killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _execute(path, writer)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(SECONDS)
    output = b""
    try:
        while len(output) <= OUTPUT_LIMIT and (piece := os.read(reader, 65536)):
            output += piece
    finally:
        os.close(reader)
        if len(output) > OUTPUT_LIMIT:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        signal.alarm(0)
    return output, code


def _execute(path: str, writer: int) -> NoReturn:
    try:
        null = os.open("/dev/null", os.O_RDWR)
        for number, fd in ((0, null), (1, writer), (2, null)):
            os.dup2(fd, number, inheritable=True)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.execve(path, [path, "--list-full"], {})
    finally:
        os._exit(127)
