"""An error on a connection that was taken over to become a stream, and whose head has not gone out."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from http import HTTPStatus

from core.errors import EngineError


async def refuse(sock: socket.socket, error: EngineError) -> None:
    """Answer `sock` with the error as any request is answered, and hang up."""
    body = json.dumps({"message": error.message}).encode()
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nContent-Type: application/json\r\n"
    head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(sock, head.encode() + body)
    finally:
        sock.close()
