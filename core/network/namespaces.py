"""A container's network namespace: made by the zygote, joined to the bridge from outside."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Protocol

from core.errors import SyscallFailed, ZygoteGone
from core.network import ipam, links
from core.network.bridge import MTU, Bridge
from core.network.netlink import ROUTE, Netlink, passing

VETH_PREFIX = "on-"
INSIDE = "eth0"


class Zygote(Protocol):
    """Has work done in a process of its own."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


@dataclass(frozen=True, slots=True)
class Namespace:
    """A new namespace, loopback up: a descriptor of it, and a netlink socket born in it."""

    fd: int
    inside: socket.socket

    def close(self) -> None:
        """Let go of both; the namespace lives on while a process is in it."""
        os.close(self.fd)
        self.inside.close()


async def make(zygote: Zygote) -> Namespace:
    """Make one. Both descriptors are the caller's to close. Raises what the job raised, or ZygoteGone."""
    _, fds = await zygote.run("make-netns", {}, ())
    if len(fds) != 2:
        for fd in fds:
            os.close(fd)
        raise ZygoteGone("the process for make-netns gave no namespace")
    try:
        return Namespace(fds[0], socket.socket(fileno=fds[1]))
    except OSError as error:
        os.close(fds[0])
        raise SyscallFailed.of("use netlink socket of the new network namespace", error) from error


def veth_name(container_id: str) -> str:
    """The host's end of a container's cable: 14 of the 15 characters an interface name may have."""
    return VETH_PREFIX + container_id[:11]


def join(namespace: Namespace, bridge: Bridge, name: str, address: IPv4Address) -> None:
    """Give the namespace an `eth0` with `address` on the bridge, up and routed.

    Blocking; four exchanges with the kernel. Raises SyscallFailed.
    """
    mac = ipam.mac_address(address)
    with Netlink(ROUTE, namespace.inside) as inside:
        try:
            with Netlink() as kernel:
                with passing(errno.ENODEV):  # one is there where a run of this container ended without us
                    kernel.send([links.delete(name)])
                cable = links.new_veth(name, bridge.index, peer=INSIDE, netns_fd=namespace.fd, mac=mac, mtu=MTU)
                kernel.send([cable, links.set_hairpin(name)])
            eth0 = links.find(inside, INSIDE).index
            interface = IPv4Interface((address, bridge.subnet.prefixlen))
            route = links.add_default_route(eth0, bridge.subnet[1])
            inside.send([links.add_address(eth0, interface), links.set_up(eth0), route])
        except OSError as error:
            raise SyscallFailed.of("connect container to the bridge network", error) from error


def leave(name: str) -> None:
    """Pull the cable; no error where it is gone with its namespace. Blocking. Raises SyscallFailed."""
    try:
        with Netlink() as kernel, passing(errno.ENODEV):
            kernel.send([links.delete(name)])
    except OSError as error:
        raise SyscallFailed.of(f"remove interface {name}", error) from error


def sweep(bridge: Bridge, keep: set[str]) -> list[str]:
    """Remove the cables on this bridge that belong to nobody; their names. Blocking. Raises SyscallFailed."""
    try:
        with Netlink() as kernel:
            stale = [
                link.name
                for link in links.every(kernel)
                if link.master == bridge.index and link.name.startswith(VETH_PREFIX) and link.name not in keep
            ]
            for name in stale:
                with passing(errno.ENODEV):
                    kernel.send([links.delete(name)])
    except OSError as error:
        raise SyscallFailed.of("sweep leftover interfaces", error) from error
    return stale
