"""The daemon as the zygote's child: how it is executed, and when again."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from core.errors import SyscallFailed
from core.linux.process import set_parent_death_signal
from core.packets import pair
from core.zygote.options import Options, boot

LISTEN_FD, CONTROL_FD, LOCK_FD = 3, 4, 5
GIVE_UP = 78  # EX_CONFIG of sysexits.h: starting it again would not help
STEADY_AFTER = 5.0  # seconds; a daemon that lived this long is started anew at once
LONGEST_PAUSE = 5.0

_PASSED_ON = (
    "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ONGGI_CONFIG",
)  # fmt: skip
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Daemon:
    """The one daemon of this zygote, over all its lives."""

    def __init__(
        self, options: Options, listener: socket.socket, lock: int, command: Sequence[str] | None = None
    ) -> None:
        self._options = options
        self._command = list(command or (sys.executable, "-I", "-c", boot("core.daemon")))
        self._listener = listener
        self._lock = lock
        self._started = 0.0
        self._failures = 0
        self.pid = 0
        self.control: socket.socket | None = None

    def start(self) -> None:
        """Fork and execute it. Raises SyscallFailed where there is no process to be had."""
        ours, theirs = pair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            raise SyscallFailed.of("fork the daemon", error) from error
        if pid == 0:
            _execute(self._command, self._options, (self._listener.fileno(), theirs.fileno(), self._lock))
        theirs.close()
        self.pid = pid
        self.control = ours
        self._started = time.monotonic()

    def ended(self) -> float:
        """It is reaped; the seconds to wait before the next start."""
        self.pid = 0
        self.hang_up()
        if time.monotonic() - self._started >= STEADY_AFTER:
            self._failures = 0
        self._failures += 1
        return 0.0 if self._failures == 1 else min(LONGEST_PAUSE, 0.05 * 2.0**self._failures)

    def hang_up(self) -> None:
        """Close our end of its control socket."""
        if self.control is not None:
            self.control.close()
            self.control = None

    def kill(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if self.pid:
            os.kill(self.pid, number)


def environment(options: Options, mine: Mapping[str, str]) -> dict[str, str]:
    """All the daemon gets to know of the environment: paths and proxies."""
    kept = {name: mine[name] for name in _PASSED_ON if mine.get(name)}
    kept.setdefault("PATH", _DEFAULT_PATH)
    return kept | {"ONGGI_ROOT": str(options.paths.root), "ONGGI_RUN": str(options.paths.run)}


def _execute(command: list[str], options: Options, fds: tuple[int, int, int]) -> None:
    """In the forked child: descriptors to their places, and away. Never returns."""
    try:
        set_parent_death_signal(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 16) for fd in fds]
        for fd, place in zip(high, (LISTEN_FD, CONTROL_FD, LOCK_FD), strict=True):
            os.dup2(fd, place)
        os.closerange(LOCK_FD + 1, os.sysconf("SC_OPEN_MAX"))
        os.execve(command[0], command, environment(options, os.environ))
    finally:
        os._exit(GIVE_UP)
