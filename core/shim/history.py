"""The last output of a container, bounded, for clients that come (back) later."""

from __future__ import annotations

from collections import deque

from core.shim.parking import Found, Luggage, State

HISTORY_LIMIT = 256 * 1024
_MERGE_BELOW = 4096  # a program that writes single bytes must not cost an object each


class History:
    """A ring of (stream, bytes) of at most `limit` bytes. Positions count every byte ever appended."""

    def __init__(self, limit: int = HISTORY_LIMIT) -> None:
        self._limit = limit
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self.end = 0

    def append(self, stream: int, data: bytes) -> None:
        """Remember `data` that came from `stream`."""
        self.end += len(data)
        self._held += len(data)
        last = self._chunks[-1] if self._chunks else None
        if last and last[0] == stream and len(last[1]) + len(data) <= _MERGE_BELOW:
            self._chunks[-1] = (stream, last[1] + data)
        else:
            self._chunks.append((stream, data))
        while self._held > self._limit:
            self._drop(self._held - self._limit)

    def _drop(self, excess: int) -> None:
        stream, oldest = self._chunks.popleft()
        if len(oldest) > excess:
            self._chunks.appendleft((stream, oldest[excess:]))
            self._held -= excess
        else:
            self._held -= len(oldest)

    def pack(self, luggage: Luggage) -> State:
        """What another needs to go on."""
        chunks = [(stream, len(data)) for stream, data in self._chunks]
        return {"chunks": chunks, "end": self.end, "past": luggage.blob(b"".join(data for _, data in self._chunks))}

    @classmethod
    def unpack(cls, state: State, found: Found) -> History:
        """Go on where `pack` was called."""
        made = cls()
        past, at = found.blob(state["past"]), 0
        for stream, size in state["chunks"]:
            made.append(stream, past[at : at + size])
            at += size
        made.end = state["end"]
        return made

    def since(self, position: int = 0) -> list[tuple[int, bytes]]:
        """What was appended behind `position`, as far as it is still held, oldest first."""
        start = self.end - self._held
        found = []
        for stream, data in self._chunks:
            skip = max(0, position - start)
            if skip < len(data):
                found.append((stream, data[skip:]))
            start += len(data)
        return found
