"""Where a terminal's bytes come from and go to: a hijacked attach socket, or a pty of our own."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import struct
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

_MOST_PENDING: Final = 1 << 20  # bytes typed or pasted into something that does not read
_PIECE: Final = 4096


class TerminalSource(Protocol):
    """A byte stream with a size. `write` is called from any thread, all else from the loop's."""

    def fileno(self) -> int:
        """The descriptor to wait on, or -1 when closed."""
        ...

    def read_nonblocking(self, size: int) -> bytes | None:
        """Up to `size` bytes; None when there is nothing now; b"" at the end."""
        ...

    def write(self, data: bytes) -> bool:
        """Send `data`, keeping what does not fit now. False if it was refused because too much is waiting."""
        ...

    @property
    def pending(self) -> int:
        """Bytes taken by `write` and not yet sent."""
        ...

    def flush(self) -> None:
        """Send more of what is pending, as the descriptor allows."""
        ...

    def resize(self, columns: int, lines: int) -> None:
        """Tell the other side its new size in cells, where the source itself can."""
        ...

    def close(self) -> None:
        """Let go of the descriptor: the other side is left running (detach)."""
        ...


class FdSource:
    """A source over one non-blocking descriptor that it owns: the raw stream of an attach or exec."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._pending = bytearray()
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    @property
    def pending(self) -> int:
        """Bytes taken by `write` and not yet sent."""
        return len(self._pending)

    def read_nonblocking(self, size: int) -> bytes | None:
        """Up to `size` bytes; None when there is nothing now; b"" at the end."""
        try:
            return os.read(self._fd, size)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:  # EIO: the last process on the pty has gone; ECONNRESET: the engine has
            return b""

    def write(self, data: bytes) -> bool:
        """Send `data` in order, keeping what does not fit now. False if refused: too much waits, or closed."""
        with self._lock:
            if self._fd < 0 or len(self._pending) + len(data) > _MOST_PENDING:
                return False
            self._pending += data
            self._send()
        return True

    def flush(self) -> None:
        """Send more of what is pending."""
        with self._lock:
            if self._fd >= 0:
                self._send()

    def resize(self, columns: int, lines: int) -> None:
        """Nothing: a plain stream has no size; the owner tells the engine."""

    def close(self) -> None:
        """Close the descriptor; what is pending is lost."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1
            self._pending.clear()

    def _send(self) -> None:
        while self._pending:
            try:
                sent = os.write(self._fd, self._pending[:_PIECE])
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EIO):
                    raise
                self._pending.clear()  # the reader will see the end
                return
            del self._pending[:sent]


class PtySource(FdSource):
    """A program on a pty of our own. Closing kills and reaps it."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 80, lines: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execvpe(argv[0], list(argv), dict(env if env is not None else os.environ))
            finally:
                os._exit(127)
        super().__init__(fd)
        self.pid = pid
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        """TIOCSWINSZ; the kernel sends SIGWINCH."""
        if self._fd >= 0:
            fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def close(self) -> None:
        """Kill, let go of the pty, reap. In this order: a client of the engine would pass a hangup on."""
        pid, self.pid = self.pid, -1
        with suppress(ProcessLookupError, ChildProcessError):
            if pid > 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        super().close()
