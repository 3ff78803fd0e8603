"""A process's standard streams: a terminal, or up to three pipes."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field

PIPE_SIZE = 1024 * 1024  # bytes; pages are taken only when they are filled


@dataclass(slots=True)
class Channels:
    """The shim's ends.

    `stdin` (-1 = none) is owned by whoever writes to it; `outputs` maps descriptors to stream 1 or 2;
    `master` is -1 without a terminal.
    """

    stdin: int = -1
    outputs: dict[int, int] = field(default_factory=dict)
    master: int = -1

    def close(self) -> None:
        """Close the outputs and the terminal, each once."""
        for fd in {self.master, *self.outputs} - {-1}:
            os.close(fd)
        self.master = -1
        self.outputs = {}

    def discard(self) -> None:
        """Close everything: no process came of it."""
        if self.stdin >= 0:
            os.close(self.stdin)
        self.close()


@dataclass(slots=True)
class ProcessEnds:
    """The process's ends, closed by the shim once the process has its copies; `pipes` of them are pipes."""

    stdio: tuple[int, int, int]
    pipes: tuple[int, ...] = ()

    def close(self) -> None:
        """Close every end once."""
        for fd in set(self.stdio):
            os.close(fd)


def open_pipes(*, stdin: bool) -> tuple[Channels, ProcessEnds]:
    """Pipes for stdout and stderr, and for stdin a pipe or /dev/null."""
    channels = Channels()
    if stdin:
        first, channels.stdin = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(channels.stdin, False)
    else:
        first = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    ends = [first]
    for stream in (1, 2):
        output, end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        _widen(output)
        channels.outputs[output] = stream
        ends.append(end)
    return channels, ProcessEnds((ends[0], ends[1], ends[2]), tuple(ends[0 if stdin else 1 :]))


def _widen(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError:
        pass  # the machine's limit for pipes is lower, or used up


def open_null() -> tuple[Channels, ProcessEnds]:
    """Nothing yet: the process will open a terminal of its own devpts."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    return Channels(), ProcessEnds((null, null, null))


def terminal(master: int, *, stdin: bool) -> Channels:
    """The shim's ends of a terminal; `master` is owned from here on."""
    os.set_blocking(master, False)
    # A second descriptor, because epoll watches reading and writing apart.
    return Channels(os.dup(master) if stdin else -1, {master: 1}, master)
