"""Docker's stream frames: `[stream, 0, 0, 0, length as 4 bytes big-endian] payload`, where there is no tty.

Docker Engine API, "Stream format" of POST /containers/{id}/attach.
"""

from __future__ import annotations

STDIN, STDOUT, STDERR, SYSTEM = 0, 1, 2, 3
HEADER_SIZE = 8

RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"


def frame(stream: int, data: bytes) -> bytes:
    """`data` as one frame of `stream`."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


class Unframer:
    """Takes a framed stream apart as it comes; holds at most one header, never a payload."""

    def __init__(self) -> None:
        self._header = b""
        self._stream = STDOUT
        self._left = 0
        self._first = True

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces of payload in `data`, each with its stream; a frame may come in several pieces.

        Raises ValueError when a header is not one.
        """
        return [(stream, piece) for stream, piece, _ in self.parts(data)]

    def parts(self, data: bytes) -> list[tuple[int, bytes, bool]]:
        """`feed`, and whether a piece is the first of its frame."""
        pieces: list[tuple[int, bytes, bool]] = []
        at = 0
        while at < len(data):
            if not self._left:
                wanted = HEADER_SIZE - len(self._header)
                self._header += data[at : at + wanted]
                at += wanted
                if len(self._header) == HEADER_SIZE:
                    self._begin()
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            pieces.append((self._stream, piece, self._first))
            self._first = False
        return pieces

    def _begin(self) -> None:
        self._stream, self._left = self._header[0], int.from_bytes(self._header[4:], "big")
        if self._stream > SYSTEM or self._header[1:4] != b"\0\0\0":
            raise ValueError(f"not a stream header: {self._header.hex()}")
        self._header = b""
        self._first = True

    @property
    def whole(self) -> bool:
        """Whether the stream may end here: not inside a header or a payload."""
        return not self._left and not self._header
