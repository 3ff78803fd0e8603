"""A process's standard streams: a terminal, or up to three pipes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field


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


@dataclass(slots=True)
class ProcessEnds:
    """The process's ends, closed by the shim once the process has its copies."""

    stdio: tuple[int, int, int]
    console: int | None = None

    def close(self) -> None:
        """Close every end once."""
        for fd in {*self.stdio} | ({self.console} if self.console is not None else set()):
            os.close(fd)


def open_pipes(*, stdin: bool, uid: int) -> tuple[Channels, ProcessEnds]:
    """Pipes for stdout and stderr, and for stdin or /dev/null. They belong to `uid`, so that a process
    which is not root can open /dev/stdout anew."""
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    channels = Channels()
    ends = [null, null, null]
    if stdin:
        os.close(null)
        ends[0], channels.stdin = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(channels.stdin, False)
    for stream in (1, 2):
        output, ends[stream] = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        channels.outputs[output] = stream
    for fd in ends[0 if stdin else 1 :]:
        os.fchown(fd, uid, -1)
    return channels, ProcessEnds((ends[0], ends[1], ends[2]))


def open_terminal(
    *, stdin: bool, uid: int, openpty: Callable[[], tuple[int, int]] = os.openpty
) -> tuple[Channels, ProcessEnds]:
    """A pseudo-terminal whose other side is all three streams."""
    master, slave = openpty()
    os.set_blocking(master, False)
    os.fchown(slave, uid, -1)
    # A second descriptor of the master, because epoll watches reading and writing apart.
    writer = os.dup(master) if stdin else -1
    return Channels(writer, {master: 1}, master), ProcessEnds((slave, slave, slave), slave)
