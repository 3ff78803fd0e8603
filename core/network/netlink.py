"""netlink(7) sockets: messages in one batch, dumps, notifications. Blocking; the kernel answers at once.

The kernel works a request off inside sendmsg(2), so a batch costs one send and one receive.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from core.network import pyroute
from core.network.pyroute import Message

ROUTE, NETFILTER = 0, 12  # protocols

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300  # nlmsg_flags
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800

_ERROR, _DONE = 2, 3
_DUMP_INTERRUPTED = 0x10
_SOL_NETLINK, _ADD_MEMBERSHIP, _EXT_ACK = 270, 1, 11
_HEADER = struct.Struct("=IHHI4x")
_TIMEOUT = struct.pack("@ll", 5, 0)  # struct timeval; reached only if a reply was lost
_RECEIVE_SIZE = 256 * 1024


class Refused(OSError):
    """The kernel refused message `index` of a batch; `errno` says why, `filename` is the kernel's own words."""

    def __init__(self, code: int, words: str, index: int) -> None:
        super().__init__(code, os.strerror(code), words or None)
        self.index = index


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in one received datagram: type, flags, sequence number, and the whole of it."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, flags, sequence, data[at : at + length]
        at += length + 3 & ~3


class Netlink:
    """One socket, used by one thread at a time. `sock` may have been born in another network namespace."""

    def __init__(self, protocol: int = ROUTE, sock: socket.socket | None = None) -> None:
        self._sock = sock or socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        try:
            self._sock.setblocking(True)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
            self._sock.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        except BaseException:
            self._sock.close()
            raise

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket, its own or the given one."""
        self._sock.close()

    def send(self, batch: Sequence[Message], *, transaction: tuple[Message, Message] | None = None) -> None:
        """Have `batch` done in order. Raises Refused for the first message the kernel refused.

        Outside a `transaction` (its first and last message) the others take effect nevertheless. The kernel
        reports every error by itself and success only where asked: so the last message asks.
        """
        first = self._sequence + 1
        parts, numbers = [], {}
        if transaction:
            parts.append(self._pack(transaction[0], 0))
        for index, message in enumerate(batch):
            last = index == len(batch) - 1
            parts.append(self._pack(message, ACK if last else 0))
            numbers[self._sequence] = index
        end = self._sequence
        if transaction:
            parts.append(self._pack(transaction[1], 0))
        self._sock.send(b"".join(parts))
        failures = {**dict(self._answers(end, begin=first if transaction else -1))}
        for sequence in sorted(failures, key=lambda number: numbers.get(number, len(batch))):
            code, words = failures[sequence]
            raise Refused(code, words, numbers.get(sequence, 0))

    def _pack(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        return pyroute.encode(message, self._sequence, flags | REQUEST)

    def _answers(self, end: int, *, begin: int) -> Iterator[tuple[int, tuple[int, str]]]:
        """Every error up to the answer to message `end`; one to `begin` means that nothing was looked at."""
        while True:
            for kind, _, sequence, data in messages(self._sock.recv(_RECEIVE_SIZE)):
                if kind != _ERROR:
                    continue
                code, words = pyroute.decode_error(data)
                if code:
                    yield sequence, (code, words)
                if sequence in (end, begin):
                    return

    def dump(self, request: Message) -> list[Any]:
        """Every object of a kind, as pyroute2 has it. Raises Refused."""
        return [pyroute.decode(request.kind, data) for data in self.dump_raw(request)]

    def dump_raw(self, request: Message, wanted: Callable[[bytes], bool] = bool) -> list[bytes]:
        """The messages of a dump that are `wanted`, not yet decoded. Raises Refused."""
        while True:
            self._sock.send(self._pack(request, DUMP))
            found, whole = self._collect(self._sequence, wanted)
            if whole:
                return found

    def _collect(self, number: int, wanted: Callable[[bytes], bool]) -> tuple[list[bytes], bool]:
        """All parts of a dump, and whether nothing changed while it was made."""
        found: list[bytes] = []
        whole = True
        while True:
            for kind, flags, sequence, data in messages(self._sock.recv(_RECEIVE_SIZE)):
                if sequence != number:
                    continue
                whole = whole and not flags & _DUMP_INTERRUPTED
                if kind == _DONE:
                    return found, whole
                if kind == _ERROR:
                    raise Refused(*pyroute.decode_error(data), 0)
                if wanted(data):
                    found.append(data)

    def get(self, request: Message) -> Any:
        """The one object asked for. Raises Refused."""
        self._sock.send(self._pack(request, 0))
        while True:
            for kind, _, sequence, data in messages(self._sock.recv(_RECEIVE_SIZE)):
                if sequence != self._sequence:
                    continue
                if kind == _ERROR:
                    raise Refused(*pyroute.decode_error(data), 0)
                return pyroute.decode(request.kind, data)


@contextlib.contextmanager
def passing(*codes: int) -> Iterator[None]:
    """Take a refusal for one of these reasons (errno) as done."""
    try:
        yield
    except Refused as error:
        if error.errno not in codes:
            raise


def subscribe(protocol: int, group: int) -> socket.socket:
    """A non-blocking socket on which the kernel tells what changes."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, protocol)
    try:
        sock.setblocking(False)
        sock.bind((0, 0))
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except BaseException:
        sock.close()
        raise
    return sock
