"""netlink(7) as this room needs it: attributes, messages in one batch, dumps. Blocking; the kernel answers at once.

The kernel works a request off inside sendmsg(2), so a batch costs one send and one receive. Written by hand
because the general library costs 150 ms of import and 3 ms a container (a batch here takes 0.2 ms).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Union

Value = Union[bytes, "Attributes"]
Attributes = Sequence[tuple[int, Value]]

ROUTE, NETFILTER = 0, 12  # protocols

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300  # nlmsg_flags
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800

_ERROR, _DONE = 2, 3
_DUMP_INTERRUPTED = 0x10
_ACK_TLVS = 0x200
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_SOL_NETLINK, _ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK = 270, 1, 10, 11
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TIMEOUT = struct.pack("@ll", 5, 0)  # struct timeval; reached only if a reply was lost
_RECEIVE_SIZE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its type, its flags (REQUEST is added) and what follows the header."""

    kind: int
    body: bytes
    flags: int = 0


class Refused(OSError):
    """The kernel refused message `index` of a batch; `errno` says why, `filename` is the kernel's own words."""

    def __init__(self, code: int, words: str, index: int) -> None:
        super().__init__(code, os.strerror(code), words or None)
        self.index = index


def u32(value: int) -> bytes:
    """A number in the host's byte order."""
    return struct.pack("=I", value)


def be32(value: int) -> bytes:
    """A number in network byte order, as nfnetlink wants all of its own; negative ones as two's complement."""
    return struct.pack(">I", value & 0xFFFFFFFF)


def text(value: str) -> bytes:
    """A C string."""
    return value.encode() + b"\0"


def encode(attributes: Attributes) -> bytes:
    """`struct nlattr` one after the other, padded to four bytes; a sequence as value is a nested attribute."""
    parts = []
    for kind, value in attributes:
        if not isinstance(value, bytes):
            value, kind = encode(value), kind | _NESTED
        parts.append(_ATTRIBUTE.pack(len(value) + 4, kind) + value + b"\0" * (-len(value) % 4))
    return b"".join(parts)


def decode(data: bytes) -> dict[int, bytes]:
    """The attributes of one level by type; the last one of a type wins."""
    return dict(walk(data))


def walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of one level in order."""
    at = 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            return
        yield kind & _TYPE_MASK, data[at + 4 : at + length]
        at += length + 3 & ~3


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in one received datagram: type, flags, sequence number, body."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, flags, sequence, data[at + _HEADER.size : at + length]
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
            self._sock.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
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
        flags |= message.flags | REQUEST
        size = _HEADER.size + len(message.body)
        padding = b"\0" * (-size % 4)
        return _HEADER.pack(size, message.kind, flags, self._sequence, 0) + message.body + padding

    def _answers(self, end: int, *, begin: int) -> Iterator[tuple[int, tuple[int, str]]]:
        """Every error up to the answer to message `end`; one to `begin` means that nothing was looked at."""
        while True:
            for kind, flags, sequence, body in messages(self._sock.recv(_RECEIVE_SIZE)):
                if kind != _ERROR:
                    continue
                code = -struct.unpack_from("=i", body)[0]
                if code:
                    yield sequence, (code, _words(flags, body))
                if sequence in (end, begin):
                    return

    def dump(self, request: Message) -> list[tuple[int, bytes]]:
        """Every object of a kind, as type and body. Raises Refused."""
        while True:
            self._sock.send(self._pack(request, DUMP))
            found, whole = self._collect(self._sequence)
            if whole:
                return found

    def _collect(self, number: int) -> tuple[list[tuple[int, bytes]], bool]:
        """All parts of a dump, and whether nothing changed while it was made."""
        found: list[tuple[int, bytes]] = []
        whole = True
        while True:
            for kind, flags, sequence, body in messages(self._sock.recv(_RECEIVE_SIZE)):
                if sequence != number:
                    continue
                whole = whole and not flags & _DUMP_INTERRUPTED
                if kind == _DONE:
                    return found, whole
                if kind == _ERROR:
                    raise Refused(-struct.unpack_from("=i", body)[0], _words(flags, body), 0)
                found.append((kind, body))

    def get(self, request: Message) -> bytes:
        """The body of the one object asked for. Raises Refused."""
        self._sock.send(self._pack(request, 0))
        while True:
            for kind, flags, sequence, body in messages(self._sock.recv(_RECEIVE_SIZE)):
                if sequence != self._sequence:
                    continue
                if kind == _ERROR:
                    raise Refused(-struct.unpack_from("=i", body)[0], _words(flags, body), 0)
                return body


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


def _words(flags: int, body: bytes) -> str:
    """The kernel's own words about an error (extended ack), "" where it has none. linux/netlink.h nlmsgerr."""
    if not flags & _ACK_TLVS:
        return ""
    said = decode(body[4 + _HEADER.size :]).get(1, b"")
    return said.rstrip(b"\0").decode(errors="replace").lower()
