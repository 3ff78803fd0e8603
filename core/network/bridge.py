"""The bridge of one engine. Several engines may share a host: each owns the bridge whose alias names its root."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from core.errors import SyscallFailed, Unavailable
from core.network import ipam, links
from core.network.netlink import Netlink, Refused, passing

PREFIX = "onggi"
MTU = 1500

_SYSCTL = Path("/proc/sys/net")
_NAMES = tuple(f"{PREFIX}{number}" for number in range(64))
_TURN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge that is up; the first address of `subnet` is its own."""

    name: str
    index: int
    subnet: IPv4Network


def ensure(root: str, *, name: str = "", subnet: IPv4Network | None = None) -> tuple[Bridge, list[str]]:
    """The bridge of the engine with this root, made where it is absent; and what the user should know.

    `name` and `subnet` are what it had last time. Blocking. Raises SyscallFailed, Unavailable.
    """
    owner = _owner(root)
    try:
        with _turn(), Netlink() as kernel:
            every = _without_orphans(kernel, links.every(kernel))
            link = next((each for each in every if (each.alias, each.kind) == (owner, "bridge")), None)
            networks = links.networks(kernel)
            if link is not None:  # containers may be on it: what it has goes before what is remembered
                subnet = next((network for index, network in networks if index == link.index), subnet)
            taken = [network for index, network in networks if link is None or index != link.index]
            chosen = ipam.free_subnet(taken, preferred=subnet)
            if link is None:
                link = _make(kernel, owner, chosen, name)
            bridge = Bridge(link.name, link.index, chosen)
            warnings = _settings(bridge.name)
            _address(kernel, bridge)
    except OSError as error:
        raise SyscallFailed.of("set up the bridge network", error) from error
    return bridge, warnings


def remove(bridge: Bridge) -> None:
    """Take the bridge away; no error where it is gone. Blocking."""
    with Netlink() as kernel, passing(errno.ENODEV):
        kernel.send([links.delete(bridge.name)])


def _owner(root: str) -> str:
    alias = f"{PREFIX}:{root}"
    if len(alias.encode()) < 255:  # IFALIASZ, with the final zero
        return alias
    return f"{PREFIX}:sha256:{hashlib.sha256(root.encode()).hexdigest()}"


def _without_orphans(kernel: Netlink, found: list[links.Link]) -> list[links.Link]:
    """`found` without the bridges, removed here, that carry nothing and whose engine's root is gone: an engine that
    was killed and thrown away would hold a subnet for ever, and there are only thirty-one."""
    used = {link.master for link in found}
    orphans = {
        link.name
        for link in found
        if link.kind == "bridge" and link.index not in used and link.alias.startswith(f"{PREFIX}:/")
        if not Path(link.alias.removeprefix(f"{PREFIX}:")).exists()
    }
    for name in orphans:
        with passing(errno.ENODEV):
            kernel.send([links.delete(name)])
    return [link for link in found if link.name not in orphans]


def _make(kernel: Netlink, owner: str, subnet: IPv4Network, preferred: str) -> links.Link:
    mac = ipam.mac_address(subnet[1])
    for name in (preferred, *_NAMES) if preferred else _NAMES:
        try:
            kernel.send([links.new_bridge(name, mac, MTU)])
        except Refused as error:
            if error.errno != errno.EEXIST:
                raise
            continue
        link = links.find(kernel, name)
        kernel.send([links.set_alias(link.index, owner)])
        return link
    raise Unavailable(f"make a bridge: {_NAMES[0]} to {_NAMES[-1]} are all taken")


def _address(kernel: Netlink, bridge: Bridge) -> None:
    interface = IPv4Interface((bridge.subnet[1], bridge.subnet.prefixlen))
    with passing(errno.EEXIST):
        kernel.send([links.add_address(bridge.index, interface)])
    kernel.send([links.set_up(bridge.index)])


def _settings(name: str) -> list[str]:
    """What only sysctl can say.

    route_localnet: a port published on 127.0.0.1 leaves by this bridge with a loopback source; the firewall drops
    loopback addresses that come from outside. No IPv6 on the bridge: a container could become the host's router
    (CVE-2020-13401).
    """
    warnings = []
    for key, value in (
        (f"ipv6/conf/{name}/accept_ra", "0"),
        (f"ipv6/conf/{name}/disable_ipv6", "1"),
        (f"ipv4/conf/{name}/route_localnet", "1"),
        ("ipv4/ip_forward", "1"),
    ):
        try:
            path = _SYSCTL / key
            if path.read_text().strip() != value:
                path.write_text(value)
        except FileNotFoundError:
            continue  # a kernel without IPv6
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            warnings.append(f"cannot set net.{key.replace('/', '.')} to {value}: {reason}")
    return warnings


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """One engine of this network namespace at a time picks names and subnets.

    The lock is on the namespace itself, so it needs no file; anybody on the host can hold it, so after two seconds
    we go on without it.
    """
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < deadline:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
        yield
    finally:
        os.close(fd)
