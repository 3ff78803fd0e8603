"""The shim's end of a log: appends, rotates, and never stands in the container's way."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping

from core.logs import segments
from core.logs.jsonfile import RECORD_LIMIT, escape, records, timestamp

STREAMS = {1: "stdout", 2: "stderr"}
_TAIL = 64 * 1024  # bytes at a segment's end in which its last newline is looked for first
_TOLD = "onggi: {lines:,} {noun} of this log could not be written: {reason}\n"


class LogWriter:
    """Appends what a container writes to the log at `path`, in segments of `max_size` bytes (0 = one, without end).

    A full or lost disk costs log lines, never the container: they are counted, and the log tells of them once there
    is room. `on_rotated` is called when a segment is finished.
    """

    def __init__(
        self,
        path: str,
        *,
        max_size: int = 0,
        max_file: int = 1,
        on_rotated: Callable[[], None] = lambda: None,
    ) -> None:
        """`max_file` counts the segments that are kept, the one that is written among them."""
        self._path = path
        self._max_size = self._limit = max_size
        self._max_file = max(1, max_file)
        self._on_rotated = on_rotated
        self._pending: dict[int, bytes] = {}
        self._cached = (b"", b"")
        self._fd = -1
        self._number = 0
        self._size = 0
        self.lost = 0
        """Records that could not be written and of which the log does not tell yet."""
        self.reason = ""
        """Why the last of them could not be."""
        self._open()

    @property
    def pending(self) -> dict[int, bytes]:
        """The lines of each stream that have not ended, and are not written yet."""
        return {stream: held for stream, held in self._pending.items() if held}

    def resume(self, pending: Mapping[int, bytes], lost: int = 0, reason: str = "") -> None:
        """Go on where another writer of this log was left, with its `pending`, `lost` and `reason`."""
        self._pending = dict(pending)
        self.lost, self.reason = lost, reason

    def _open(self) -> None:
        """Go on with the newest segment, behind its last whole record."""
        try:
            self._number = segments.newest(self._path) or 1
            self._fd = segments.create(self._path, self._number)
            self._size = os.fstat(self._fd).st_size
            if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
                self._size = _last_newline(self._fd, self._size)
                os.ftruncate(self._fd, self._size)
        except OSError as error:
            self.reason = _reason(error)

    def write(self, stream: int, data: bytes, now: int | None = None) -> None:
        """Take `data` from stream 1 or 2, read at `now` (nanoseconds). Whole lines are written at once."""
        held = self._pending.get(stream, b"")
        buffer = held + data if held else data
        name = STREAMS[stream]
        stamp = timestamp(time.time_ns() if now is None else now)
        out = []
        begin = start = 0
        while start < len(buffer):
            end = buffer.rfind(b"\n", start, start + RECORD_LIMIT) + 1
            if end:
                start = end
                continue
            if len(buffer) - start < RECORD_LIMIT:
                break
            if start > begin:
                out.append(records(name, self._escaped(buffer[begin:start]), stamp))
            begin, start = start, _character_boundary(buffer, start + RECORD_LIMIT)
            out.append(records(name, escape(buffer[begin:start]), stamp))
            begin = start
        if start > begin:
            out.append(records(name, self._escaped(buffer[begin:start]), stamp))
        self._pending[stream] = buffer[start:]
        if out:
            self._append(out[0] if len(out) == 1 else b"".join(out))

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
        """Write whole records, as many segments as it takes."""
        if self._fd < 0:
            self._open()
        if self._fd < 0:
            self.lost += data.count(b"\n")
            return
        if self.lost:
            self._tell()
        while data:
            piece = data
            if self._limit and self._size + len(data) > self._limit:
                piece = data[: self._fitting(data)]
            if piece:
                data = data[len(piece) :]
                if not self._put(piece):
                    self.lost += data.count(b"\n")
                    return
            if data:
                self._rotate(len(data))

    def _fitting(self, data: bytes) -> int:
        """The bytes of `data` that go into this segment: whole records, one at least where it is empty."""
        room = self._limit - self._size
        fitting = data.rfind(b"\n", 0, room) + 1 if room > 0 else 0
        return fitting if fitting or self._size else data.index(b"\n") + 1

    def _put(self, data: bytes) -> bool:
        """Append whole records; those that there is no room for are lost. Whether there was room for all."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self.reason = _reason(error)
            kept = data.rfind(b"\n", 0, written) + 1
            self._size += kept
            self.lost += data.count(b"\n", kept)
            try:
                # Half a line would swallow the next one.
                os.ftruncate(self._fd, self._size)
            except OSError:
                pass
            return False
        self._size += written
        return True

    def _tell(self) -> None:
        """Say in the log itself what is missing from it."""
        lost, self.lost = self.lost, 0
        text = _TOLD.format(lines=lost, noun="line" if lost == 1 else "lines", reason=self.reason)
        told = self._put(records("stderr", escape(text.encode()), timestamp(time.time_ns())))
        self.lost = 0 if told else lost

    def _rotate(self, waiting: int) -> None:
        """Begin the next segment; where that fails this one takes the bytes that wait, and some more."""
        try:
            fd = segments.create(self._path, self._number + 1)
        except OSError:
            self._limit = self._size + max(waiting, self._max_size // 8)
            return
        os.close(self._fd)
        self._fd = fd
        self._number += 1
        self._size = 0
        self._limit = self._max_size
        try:
            segments.drop(self._path, self._number - self._max_file)
        except OSError:
            pass
        self._on_rotated()


def _last_newline(fd: int, size: int) -> int:
    """The offset behind the last newline before `size`: a writer was killed in the middle of a record."""
    reach = _TAIL
    while True:
        start = max(0, size - reach)
        found = os.pread(fd, size - start, start).rfind(b"\n")
        if found >= 0 or start == 0:
            return start + found + 1
        reach *= 8


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO).lower()


def _character_boundary(buffer: bytes, end: int) -> int:
    """`end`, or up to three bytes before it where a UTF-8 character would be cut."""
    for back in range(1, 4):
        lead = buffer[end - back]
        if lead & 0xC0 == 0x80:
            continue
        needs = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
        return end - back if needs > back else end
    return end
