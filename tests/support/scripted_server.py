"""A server on a Unix socket that says what a test tells it to, byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

Serve = Callable[[bytes, socket.socket], None]


class Server:
    """Answers each connection with `serve(request head, socket)`; `requests` are the bytes it was sent."""

    def __init__(self, path: Path) -> None:
        self.host = f"unix://{path}"
        self.requests: list[bytes] = []
        self.serve: Serve = lambda head, sock: None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                self.requests.append(self._request(sock))
                self.serve(self.requests[-1], sock)

    def _request(self, sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        lower = head.lower()
        if b"content-length: " in lower:
            wanted = int(lower.partition(b"content-length: ")[2].split(b"\r\n")[0])
            while len(body) < wanted:
                body += sock.recv(65536)
        elif b"transfer-encoding: chunked" in lower:
            while not body.endswith(b"0\r\n\r\n"):
                body += sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def say(self, *pieces: bytes) -> None:
        """Send these pieces, each in a write of its own, and close."""

        def serve(_: bytes, sock: socket.socket) -> None:
            for piece in pieces:
                sock.sendall(piece)

        self.serve = serve

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
