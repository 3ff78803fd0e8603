"""Attach clients that came before the start: their sockets wait here until the shim takes them."""

from __future__ import annotations

import socket
from collections import defaultdict
from dataclasses import dataclass

from core.wire.hangup import Hangups


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """What an attach client wants. `detach_keys` are bytes, None = the default; `head` see the shim's attach."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: list[int] | None = None
    history: bool = False
    viewer: bool = False
    head: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A client's socket and the bytes it sent before it was handed over."""

    sock: socket.socket
    options: AttachOptions
    early: bytes = b""


class Parking:
    """Clients by container id."""

    def __init__(self, hangups: Hangups) -> None:
        self._hangups = hangups
        self._parked: defaultdict[str, list[Client]] = defaultdict(list)

    def park(self, ident: str, client: Client) -> None:
        """Keep `client` until the container starts or the client hangs up."""
        self._parked[ident].append(client)
        self._hangups.watch(client.sock, lambda: self._leave(ident, client))

    def _leave(self, ident: str, client: Client) -> None:
        self._parked[ident].remove(client)
        if not self._parked[ident]:
            del self._parked[ident]
        client.sock.close()

    def take(self, ident: str) -> list[Client]:
        """The clients of a container, now the caller's."""
        clients = self._parked.pop(ident, [])
        for client in clients:
            self._hangups.forget(client.sock)
        return clients

    def dismiss(self, ident: str) -> None:
        """Hang up on the clients of a container that will not start."""
        for client in self.take(ident):
            client.sock.close()
