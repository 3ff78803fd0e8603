"""Namespaces by the specification's words, and network namespaces made by a short-lived process.

namespaces(7), network_namespaces(7), netdevice(7).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from core.linux import constants as k
from core.linux.syscalls import setns, unshare

FLAGS = {
    "mount": k.CLONE_NEWNS,
    "pid": k.CLONE_NEWPID,
    "network": k.CLONE_NEWNET,
    "ipc": k.CLONE_NEWIPC,
    "uts": k.CLONE_NEWUTS,
    "cgroup": k.CLONE_NEWCGROUP,
    "user": k.CLONE_NEWUSER,
    "time": k.CLONE_NEWTIME,
}

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def make_netns() -> tuple[int, int]:
    """A new network namespace with its loopback up: `(namespace fd, netlink socket born inside)`.

    The calling process ends up inside it: call this in a process of its own.
    """
    unshare(k.CLONE_NEWNET)
    _forbid_router_advertisements()
    _bring_up("lo")
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return namespace, _netlink()


def open_netns(fd: int) -> int:
    """A netlink socket born in the namespace `fd`; the calling process ends up inside it."""
    setns(fd, k.CLONE_NEWNET)
    return _netlink()


def _netlink() -> int:
    # SOCK_DGRAM: pyroute2's AsyncIPRoute takes over such a socket, not a raw one.
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    return sock.detach()


def _bring_up(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16sH14x", interface.encode(), 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), flags | _IFF_UP))


def _forbid_router_advertisements() -> None:
    """A rogue router on the bridge must not give the container an address or a route (CVE-2020-13401)."""
    for name in ("all", "default"):
        try:
            with open(f"/proc/sys/net/ipv6/conf/{name}/accept_ra", "w", encoding="ascii") as file:
                file.write("0")
        except OSError:
            pass  # no IPv6, or /proc is read-only
