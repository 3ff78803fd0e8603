"""Logs as lines: of one container or of several, merged by time as they come."""

from __future__ import annotations

import select

from core.wire.streams import STDERR, STDOUT, Unframer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.client.transport import Response

QUIET = 0.05  # seconds after which one that says nothing does not hold the others back

_STAMP = 30  # bytes of an RFC 3339 time with nine digits


class Line:
    """One line with its newline. `stamp` is its RFC 3339 time, "" where the engine gave none."""

    __slots__ = ("data", "source", "stamp", "stream")

    def __init__(self, source: Source, stream: int, stamp: str, data: bytes) -> None:
        self.source = source
        self.stream = stream
        self.stamp = stamp
        self.data = data

    @property
    def key(self) -> str:
        """What lines are ordered by: dockerd drops zeroes at the end of a fraction, and `Z` sorts behind digits."""
        return self.stamp[:-1]


class Source:
    """One container's log, asked for with times. `lines` are those that have come and not been taken."""

    def __init__(self, name: str, response: Response, *, tty: bool, number: int = 0) -> None:
        self.name = name
        self.number = number
        self.lines: list[Line] = []
        self.ended = False
        self.response = response
        self._pieces = iter(response)
        self._unframer = None if tty else Unframer()
        self._held = {STDOUT: b"", STDERR: b""}
        self._front: bytes | None = None

    def fill(self) -> None:
        """Take what comes next; blocks until something has. Raises EngineUnreachable when it is cut short."""
        piece = next(self._pieces, None)
        if piece is None:
            self.ended = True
            for stream, held in self._held.items():
                if held:
                    self._take(stream, held)
            return
        for stream, data, first in self._unframer.parts(piece) if self._unframer else ((STDOUT, piece, False),):
            stream = STDERR if stream == STDERR else STDOUT
            data = self._going_on(data, begins=first and bool(self._held[stream]))
            *whole, self._held[stream] = (self._held[stream] + data).split(b"\n")
            for line in whole:
                self._take(stream, line + b"\n")

    def _going_on(self, data: bytes, *, begins: bool) -> bytes:
        """A piece without its record's time, where that `begins` in the middle of a line: a long one is several."""
        if begins:
            self._front = b""
        if self._front is None:
            return data
        self._front += data
        stamp, blank, rest = self._front.partition(b" ")
        if not blank and len(stamp) < _STAMP:
            return b""
        data, self._front = rest if _is_stamp(stamp) else self._front, None
        return data

    def _take(self, stream: int, line: bytes) -> None:
        stamp, blank, data = line.partition(b" ")
        timed = blank and _is_stamp(stamp)
        text = stamp.decode("ascii", "replace") if timed else ""
        self.lines.append(Line(self, stream, text, data if timed else line))

    def until(self, key: str | None) -> list[Line]:
        """Take the lines up to a time, None = all."""
        at = len(self.lines)
        while key is not None and at and self.lines[at - 1].key > key:
            at -= 1
        taken, self.lines = self.lines[:at], self.lines[at:]
        return taken


def _is_stamp(word: bytes) -> bool:
    return word.endswith(b"Z") and word[:4].isdigit()


def merged(sources: Sequence[Source], *, follow: bool) -> Iterator[list[Line]]:
    """All lines in the order of their times, some at a time.

    Only those are read who hold the others back, so memory stays small however long the logs are. While
    following, one that says nothing holds nobody back.
    """
    quiet: set[Source] = set()
    while True:
        empty = [source for source in sources if not source.ended and not source.lines]
        blocking = [source for source in empty if source not in quiet]
        held = any(source.lines for source in sources)
        if not empty and not held:
            return
        patience = None if not held or not follow else QUIET if blocking else 0.0
        ready = _ready(empty, patience)
        for source in ready:
            quiet.discard(source)
            source.fill()
        if follow and not ready:
            quiet.update(blocking)
        if any(not source.ended and not source.lines and source not in quiet for source in sources):
            continue
        horizon = min(
            (source.lines[-1].key for source in sources if source.lines and not source.ended), default=None
        )
        found = [line for source in sources for line in source.until(horizon)]
        if found:
            found.sort(key=lambda line: line.key)
            yield found


def _ready(sources: Sequence[Source], patience: float | None) -> list[Source]:
    """Those of whom something has come; waits until it has, or until the patience (seconds) is over."""
    if not sources:
        return []
    ready = [source for source in sources if source.response.has_more]
    if ready:
        return ready
    poll = select.poll()
    of_fd = {source.response.sock.fileno(): source for source in sources}
    for fd in of_fd:
        poll.register(fd, select.POLLIN)
    return [of_fd[fd] for fd, _ in poll.poll(None if patience is None else patience * 1000)]
