"""The shim's end of a log: appends, rotates, and never stands in the container's way."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from core.logs.jsonfile import RECORD_LIMIT, escape, records, timestamp

STREAMS = {1: "stdout", 2: "stderr"}


class LogWriter:
    """Appends what a container writes to `path`; rotates at `max_size` bytes (0 = never).

    A full or lost disk costs log lines, never the container: errors are counted in `lost` and swallowed.
    """

    def __init__(self, path: str, *, max_size: int = 0, max_file: int = 1) -> None:
        self._path = path
        self._max_size = max_size
        self._max_file = max(1, max_file)
        self._pending: dict[int, bytes] = {}
        self._cached = (b"", b"")
        self._fd = -1
        self._size = 0
        self.lost = 0
        self._open()

    @property
    def pending(self) -> dict[int, bytes]:
        """The lines of each stream that have not ended, and are not written yet."""
        return {stream: held for stream, held in self._pending.items() if held}

    def resume(self, pending: Mapping[int, bytes]) -> None:
        """Go on where another writer of this log was left, with its `pending`."""
        self._pending = dict(pending)

    def _open(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            self._size = os.fstat(self._fd).st_size
        except OSError:
            self._fd = -1

    def write(self, stream: int, data: bytes, now: int | None = None) -> None:
        """Take `data` from stream 1 or 2, read at `now` (nanoseconds). Whole lines are written at once."""
        held = self._pending.get(stream, b"")
        buffer = held + data if held else data
        name = STREAMS[stream]
        stamp = timestamp(time.time_ns() if now is None else now)
        out = []
        start = 0
        while start < len(buffer):
            end = buffer.rfind(b"\n", start, start + RECORD_LIMIT) + 1
            if not end:
                if len(buffer) - start < RECORD_LIMIT:
                    break
                end = _character_boundary(buffer, start + RECORD_LIMIT)
            out.append(records(name, self._escaped(buffer[start:end]), stamp))
            start = end
        self._pending[stream] = buffer[start:]
        if out:
            self._append(b"".join(out))

    def _escaped(self, block: bytes) -> bytes:
        # Programs that flood repeat themselves; comparing is cheaper than escaping.
        if block != self._cached[0]:
            self._cached = (block, escape(block))
        return self._cached[1]

    def finish(self) -> None:
        """Write the lines that no newline has ended: the streams are at their end."""
        stamp = timestamp(time.time_ns())
        for stream, held in self._pending.items():
            if held:
                self._append(records(STREAMS[stream], escape(held), stamp))
        self._pending.clear()
        self._cached = (b"", b"")

    def close(self) -> None:
        """`finish` and close the file."""
        self.finish()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, data: bytes) -> None:
        if self._max_size and self._size and self._size + len(data) > self._max_size:
            self._rotate()
        if self._fd < 0:
            self._open()
        try:
            written = os.write(self._fd, data)
            if written < len(data):
                written += os.write(self._fd, data[written:])
            if written == len(data):
                self._size += written
                return
        except OSError:
            pass
        self.lost += 1
        try:
            # Half a line would swallow the next one.
            os.ftruncate(self._fd, self._size)
        except OSError:
            pass

    def _rotate(self) -> None:
        """`log` becomes `log.1`, `log.1` becomes `log.2` …; `max_file` counts them all."""
        try:
            if self._max_file == 1:
                os.ftruncate(self._fd, 0)
                self._size = 0
                return
            for number in range(self._max_file - 2, 0, -1):
                if os.path.exists(f"{self._path}.{number}"):
                    os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
            os.rename(self._path, f"{self._path}.1")
            os.close(self._fd)
        except OSError:
            return
        self._open()


def _character_boundary(buffer: bytes, end: int) -> int:
    """`end`, or up to three bytes before it where a UTF-8 character would be cut."""
    for back in range(1, 4):
        lead = buffer[end - back]
        if lead & 0xC0 == 0x80:
            continue
        needs = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
        return end - back if needs > back else end
    return end
