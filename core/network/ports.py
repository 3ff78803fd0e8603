"""Host ports. Each published one is held by a socket of ours, so that nobody else gets it and clashes show at once.

The socket listens but no packet reaches it: the firewall has sent them on to the container before.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from core.errors import EngineError, InvalidArgument, Unsupported
from core.model.container import PortBinding
from core.network.firewall import ANYWHERE, Forward

FREE_PORTS = range(32768, 61000)  # ip_local_port_range as Linux has it, and Docker after it

Ports = Mapping[str, tuple[PortBinding, ...]]

_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP),
}


class PortTaken(EngineError):
    """No socket could be bound to the host's port; the message names it."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published port: where it goes, and the socket that holds it (None where another process has it)."""

    forward: Forward
    holder: socket.socket | None

    def release(self) -> None:
        """Let the host's port go."""
        if self.holder is not None:
            self.holder.close()


class HostPorts:
    """Takes host ports; remembers only which free one was given last."""

    def __init__(self) -> None:
        self._next = FREE_PORTS.start

    def publish(self, ports: Ports, container: IPv4Address) -> list[Published]:
        """Take every port that `ports` asks for, or none.

        Raises PortTaken, InvalidArgument, and Unsupported for an IPv6 address.
        """
        taken: list[Published] = []
        try:
            for port, bindings in ports.items():
                taken += [self._take(port, binding, container) for binding in bindings]
        except BaseException:
            for each in taken:
                each.release()
            raise
        return taken

    def restore(self, ports: Ports, container: IPv4Address) -> list[Published]:
        """Take the ports of a container that has them already.

        While no engine ran another process may have bound one: it stays published, and is not held.
        """
        taken = []
        for port, bindings in ports.items():
            for binding in bindings:
                try:
                    taken.append(self._take(port, binding, container))
                except PortTaken:
                    taken.append(
                        Published(_forward(port, binding.host_ip, int(binding.host_port), container), None)
                    )
        return taken

    def _take(self, port: str, binding: PortBinding, container: IPv4Address) -> Published:
        host = parse_host(binding.host_ip)
        protocol = port.partition("/")[2] or "tcp"
        candidates = self._candidates(binding.host_port)
        for number in candidates:
            try:
                holder = _hold(protocol, host, number)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or number == candidates[-1]:
                    raise _refused(host, number, error) from error
                continue
            if not binding.host_port or binding.host_port == "0":
                self._next = number + 1
            return Published(_forward(port, binding.host_ip, number, container), holder)
        raise PortTaken("all ports are allocated")

    def _candidates(self, asked: str) -> list[int]:
        """The numbers to try for `80`, `8000-8010`, or "" = any free one."""
        if asked and asked != "0":
            first, _, last = asked.partition("-")
            return list(range(int(first), int(last or first) + 1))
        start = self._next if self._next in FREE_PORTS else FREE_PORTS.start
        return [*range(start, FREE_PORTS.stop), *range(FREE_PORTS.start, start)]


def parse_host(text: str) -> IPv4Address:
    """The address of a binding; "" = any. Raises Unsupported for IPv6, InvalidArgument for what is none."""
    try:
        return IPv4Address(text) if text else ANYWHERE
    except AddressValueError as error:
        if ":" in text:
            raise Unsupported(f"publish on {text}: IPv6 is not supported yet") from error
        raise InvalidArgument(f"invalid IP address: {text}") from error


def as_bindings(published: Iterable[Published]) -> dict[str, tuple[PortBinding, ...]]:
    """Published ports as inspect shows them."""
    shown: dict[str, tuple[PortBinding, ...]] = {}
    for each in published:
        forward = each.forward
        port = f"{forward.container_port}/{forward.protocol}"
        binding = PortBinding(host_ip=str(forward.host), host_port=str(forward.host_port))
        shown[port] = (*shown.get(port, ()), binding)
    return shown


def _forward(port: str, host_ip: str, number: int, container: IPv4Address) -> Forward:
    inside, _, protocol = port.partition("/")
    return Forward(protocol or "tcp", parse_host(host_ip), number, container, int(inside))


def _hold(protocol: str, host: IPv4Address, number: int) -> socket.socket | None:
    """A socket that owns the port. Raises OSError.

    REUSEADDR passes over connections in TIME_WAIT; listening makes the port ours alone all the same. The kernel
    may lack SCTP: then there is nothing to hold the port against.
    """
    kind, number_of = _KINDS[protocol]
    try:
        holder = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC, number_of)
    except OSError:
        if protocol == "sctp":
            return None
        raise
    try:
        if protocol == "udp":
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        else:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((str(host), number))
        if protocol != "udp":
            holder.listen(1)
    except BaseException:
        holder.close()
        raise
    return holder


def _refused(host: IPv4Address, number: int, error: OSError) -> PortTaken:
    """Docker's words where the port is taken, the kernel's for anything else (an address that is not ours)."""
    taken = error.errno == errno.EADDRINUSE
    reason = "port is already allocated" if taken else (error.strerror or str(error)).lower()
    return PortTaken(f"Bind for {host}:{number} failed: {reason}")
