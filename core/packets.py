"""One message = one JSON object + file descriptors, over an AF_UNIX SEQPACKET socket.

Blocking and free of ctypes and asyncio, so that it serves below the fork line; `core.aio.Link` is the
same for the daemon's loop. A message over 64 KiB travels as a memfd in front of the other descriptors
(SEQPACKET refuses large packets: a 300 KB one fails with EMSGSIZE). unix(7), memfd_create(2).
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

INLINE_LIMIT = 64 * 1024
MESSAGE_LIMIT = 16 * 1024 * 1024
MAX_FDS = 64  # the kernel's SCM_MAX_FD is 253; nothing here needs nearly as many

Message = dict[str, Any]

# Made once, and plain numbers instead of enumerations: this runs in every child of the zygote, where whatever is
# touched first is copied first.
encode = json.JSONEncoder(separators=(",", ":")).encode
_decoder = json.JSONDecoder()
_RECEIVE = int(socket.MSG_CMSG_CLOEXEC)
_SEND = int(socket.MSG_NOSIGNAL)
_CUT = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_SPACE = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
_PAIR = int(socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends, both CLOEXEC."""
    return socket.socketpair(socket.AF_UNIX, _PAIR)


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message with copies of `fds`; the caller keeps its own.

    Raises OSError (EPIPE when the other end is gone, EAGAIN on a full non-blocking socket).
    """
    body = encode(message).encode()
    if len(body) <= INLINE_LIMIT:
        _send_raw(sock, body, fds)
        return
    memfd = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        with open(memfd, "wb", closefd=False) as file:
            file.write(body)
        _send_raw(sock, b'{"memfd":%d}' % len(body), [memfd, *fds])
    finally:
        os.close(memfd)


def _send_raw(sock: socket.socket, body: bytes, fds: Sequence[int]) -> None:
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([body], control, _SEND)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors (CLOEXEC, now the caller's to close); None at the end.

    Raises OSError, and ValueError for a message that is not ours.
    """
    body, ancillary, flags, _ = sock.recvmsg(INLINE_LIMIT + 1, _SPACE, _RECEIVE)
    fds = _descriptors(ancillary) if ancillary else []
    if not body and not fds:
        return None
    try:
        if flags & _CUT:
            raise ValueError("message was cut")
        return _decode(body, fds)
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds += memoryview(data)[: len(data) - len(data) % 4].cast("i")
    return fds


def _parse(body: bytes) -> Message:
    text = body.decode()
    message, end = _decoder.raw_decode(text)
    if end != len(text) or not isinstance(message, dict):
        raise ValueError("message is not an object")
    return message


def _decode(body: bytes, fds: list[int]) -> tuple[Message, list[int]]:
    message = _parse(body)
    size = message.get("memfd")
    if size is None:
        return message, fds
    if not fds or not isinstance(size, int) or not 0 <= size <= MESSAGE_LIMIT:
        raise ValueError("message body is missing")
    memfd = fds.pop(0)
    try:
        body = os.pread(memfd, size, 0)
    finally:
        os.close(memfd)
    return _parse(body), fds
