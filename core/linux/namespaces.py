"""Namespaces: entering, leaving, making. namespaces(7), network_namespaces(7)."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from core.linux import constants as k
from core.linux.syscalls import setns, unshare

# the runtime specification's word -> (flag, name under /proc/PID/ns)
KINDS = {
    "user": (k.CLONE_NEWUSER, "user"),
    "time": (k.CLONE_NEWTIME, "time"),
    "cgroup": (k.CLONE_NEWCGROUP, "cgroup"),
    "ipc": (k.CLONE_NEWIPC, "ipc"),
    "uts": (k.CLONE_NEWUTS, "uts"),
    "network": (k.CLONE_NEWNET, "net"),
    "pid": (k.CLONE_NEWPID, "pid"),
    "mount": (k.CLONE_NEWNS, "mnt"),
}
CHILD_FLAGS = k.CLONE_NEWPID | k.CLONE_NEWTIME  # these take effect for the next child, not for the caller


@contextmanager
def children_in(flags: int, joined: int | None = None) -> Iterator[None]:
    """Children forked inside are born in new namespaces (`flags`: pid, time), or in the pid namespace `joined`.

    The caller's own children go where it is itself again afterwards, so that one fork suffices to give birth
    to a pid 1. Raises OSError.
    """
    homes = [
        (os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), flag)
        for flag, name in KINDS.values()
        if flag & flags & CHILD_FLAGS or (joined is not None and flag == k.CLONE_NEWPID)
    ]
    try:
        if joined is not None:
            setns(joined, k.CLONE_NEWPID)
        if flags & CHILD_FLAGS:
            unshare(flags & CHILD_FLAGS)
        yield
    finally:
        for fd, flag in homes:
            setns(fd, flag)
            os.close(fd)


def fork_first() -> int:
    """fork(2), with the child born as the first process of a new pid namespace. Raises OSError."""
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pid = -1
    try:
        unshare(k.CLONE_NEWPID)
        pid = os.fork()
    finally:
        if pid:
            setns(home, k.CLONE_NEWPID)
        os.close(home)
    return pid


def make_netns() -> tuple[int, int]:
    """Put this process into a new network namespace with its loopback up.

    Returns the namespace and a netlink socket born in it, both CLOEXEC. The process belongs there from now on.
    """
    unshare(k.CLONE_NEWNET)
    fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _no_ipv6_on_new_links()
    set_link_up("lo")
    return fd, _netlink()


def open_netns(fd: int) -> int:
    """Enter the network namespace `fd`; a netlink socket born in it, CLOEXEC."""
    setns(fd, k.CLONE_NEWNET)
    return _netlink()


def _no_ipv6_on_new_links() -> None:
    """Interfaces to come take no IPv6 address and no router's word: nobody else on the bridge is to be trusted."""
    for name in ("accept_ra", "disable_ipv6"):
        try:
            with open(f"/proc/sys/net/ipv6/conf/default/{name}", "w") as file:
                file.write("1" if name == "disable_ipv6" else "0")
        except OSError:
            continue  # a kernel without IPv6, or /proc/sys read-only: then there is nothing we can do


def _netlink() -> int:
    # SOCK_DGRAM: pyroute2 takes no SOCK_RAW socket from outside.
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE).detach()


def set_link_up(name: str) -> None:
    """Set a network interface of this namespace up. netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16sh22x", name.encode(), 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(sock, k.SIOCGIFFLAGS, request))
        fcntl.ioctl(sock, k.SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), flags | k.IFF_UP))
