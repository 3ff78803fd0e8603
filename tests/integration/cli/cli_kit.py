"""Runs our command line as its users do: as a process, on pipes or in a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE = 60.0  # seconds for what takes milliseconds on a machine that has time
COMMAND = (sys.executable, "-I", "-m", "core.cli")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def first_error(self) -> str:
        """What went wrong, without how to call the command."""
        return self.err.split("\n", 1)[0]


class Cli:
    """Commands in one environment. `prefix` runs before them (`ip netns exec NAME`)."""

    def __init__(self, environment: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        self.environment = dict(environment)
        self._prefix = tuple(prefix)

    def __call__(self, *argv: str, stdin: bytes | None = None) -> Done:
        """Run to the end."""
        done = subprocess.run(
            self.argv(*argv),
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env=self.environment,
            timeout=PATIENCE * 2,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def ok(self, *argv: str, stdin: bytes | None = None) -> str:
        """Run, expect exit code 0, and return the output without its last newline."""
        done = self(*argv, stdin=stdin)
        assert done.code == 0, (argv, done)
        return done.out.removesuffix("\n")

    def argv(self, *argv: str) -> list[str]:
        return [*self._prefix, *COMMAND, *argv]

    def open(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start with pipes on all three."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv(*argv), stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment)

    def terminal(self, *argv: str, size: tuple[int, int] = (24, 80)) -> Terminal:
        """Start in a terminal of its own."""
        return Terminal(self.argv(*argv), self.environment, size)


class Terminal:
    """A command in a pseudo-terminal: what its user types, sees and gets."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execvpe(argv[0], list(argv), dict(environment))
        self.seen = b""
        self._code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def type(self, text: str | bytes) -> None:
        """Press these keys."""
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def see(self, pattern: str) -> re.Match[bytes]:
        """Read until `pattern` has appeared since the last `see`; fails when it does not come."""
        expression = re.compile(pattern.encode())
        deadline = time.monotonic() + PATIENCE
        while not (match := expression.search(self.seen)):
            if time.monotonic() > deadline or not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{pattern!r} did not appear: {self.seen!r}")
        self.seen = self.seen[match.end() :]
        return match

    def _read(self, patience: float) -> bool:
        if not select.select([self.fd], [], [], max(patience, 0))[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: nobody has the other side open
            return False
        self.seen += data
        return bool(data)

    def end(self) -> int:
        """Wait for the command's end; its exit code. What it still wrote is in `seen`."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read(0):
                    pass
                self._code = os.waitstatus_to_exitcode(status)
                return self._code
        raise AssertionError(f"it did not end: {self.seen!r}")

    def resize(self, height: int, width: int) -> None:
        """Another size; the command gets SIGWINCH."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    @property
    def is_raw(self) -> bool:
        """Whether keys go through unseen by the terminal."""
        return not termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
