"""Leaving what could not be come back to: Docker's detach keys, matched here.

Our engine gives a terminal back to a client that has left it, a container's own and a shell's. Another engine
does not give an exec back, and a container without a terminal has no detach keys; so there the stream stays open
and only the keyboard leaves. The rule is Docker's, with one release: a byte that continues the sequence is held,
a mismatch sends the held bytes at once, and a lone first key is sent after a moment, so that Ctrl-P still reaches
bash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from tui.terminal.detach import RELEASE
from tui.terminal.source import FdSource, PtySource

KEYS: Final = b"\x10\x11"  # Ctrl-P Ctrl-Q
UNTYPED: Final = ",".join(["ctrl-^"] * 6)
"""What the engine is told to detach on instead: nobody types it."""


class Matcher:
    """Follows typed bytes. Not thread-safe; the source has the lock."""

    def __init__(self, keys: bytes = KEYS) -> None:
        self._keys = keys
        self._matched = 0
        self._released = 0

    @property
    def holding(self) -> bool:
        """Bytes are held back now."""
        return self._matched > self._released

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send of `data` and of what was held, and whether the keys were typed; what follows is lost."""
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self._matched = self._released = 0
                    return bytes(out), True
                continue
            again = self._released > 0 and byte == self._keys[0]  # as in Docker, a mismatch begins nothing new
            out += self._keys[self._released : self._matched]
            self._matched, self._released = int(again), 0
            if not again:
                out.append(byte)
        return bytes(out), False

    def release(self) -> bytes:
        """The held bytes, to be sent now; the match stays armed until the next byte."""
        held = self._keys[self._released : self._matched]
        self._released = self._matched
        return held


class _Kept(FdSource):
    """A source that the detach keys leave without closing it. `left` is called from the thread that typed."""

    def __init__(self, *what: Any, left: Callable[[], None], **how: Any) -> None:
        super().__init__(*what, **how)
        self._left = left
        self._matcher = Matcher()
        self._typing = threading.Lock()
        self._timer: threading.Timer | None = None

    def write(self, data: bytes) -> bool:
        """Type `data`, but for the detach keys."""
        with self._typing:
            self._cancel()
            send, left = self._matcher.feed(data)
            taken = super().write(send) if send else True
            if self._matcher.holding:
                self._timer = threading.Timer(RELEASE, self._release)
                self._timer.daemon = True
                self._timer.start()
        if left:
            self._left()
        return taken

    def close(self) -> None:
        """Let go of the stream."""
        with self._typing:
            self._cancel()
        super().close()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _release(self) -> None:
        with self._typing:
            if self._timer is not None:
                self._timer = None
                super().write(self._matcher.release())


class KeptSource(_Kept):
    """A stream that is left so."""


class KeptPty(_Kept, PtySource):
    """A program on a pty that is left so: our own `attach`, where the container has no terminal to detach from."""
