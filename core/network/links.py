"""Links, addresses and routes as rtnetlink messages and back. rtnetlink(7), linux/if_link.h."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from core.network.netlink import CREATE, EXCLUSIVE, Netlink
from core.network.pyroute import Message, nest

_UP = {"flags": 1, "change": 1}  # IFF_UP
_TABLE_MAIN, _PROTOCOL_BOOT, _UNICAST = 254, 3, 1
_HAIRPIN = 1


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface; `alias` is a free text that the kernel keeps with it, `master` 0 = none."""

    index: int
    name: str
    kind: str = ""
    alias: str = ""
    master: int = 0


def new_bridge(name: str, mac: str, mtu: int) -> Message:
    """Make a bridge, still down; EEXIST where the name is taken.

    A fixed hardware address: else the bridge takes the lowest of its ports' and changes it as containers come.
    """
    attributes = (
        ("IFLA_IFNAME", name),
        ("IFLA_ADDRESS", mac),
        ("IFLA_MTU", mtu),
        ("IFLA_LINKINFO", nest(("IFLA_INFO_KIND", "bridge"))),
    )
    return Message("RTM_NEWLINK", attributes, flags=CREATE | EXCLUSIVE)


def set_alias(index: int, alias: str) -> Message:
    """Keep a text with a link; at most 254 bytes (IFALIASZ, and pyroute2 sends the final zero along)."""
    return Message("RTM_NEWLINK", [("IFLA_IFALIAS", alias)], {"index": index})


def set_up(index: int) -> Message:
    """Bring a link up."""
    return Message("RTM_NEWLINK", fields={"index": index, **_UP})


def new_veth(name: str, bridge: int, *, peer: str, netns_fd: int, mac: str, mtu: int) -> Message:
    """Make both ends of a container's cable in one step.

    Ours is a port of `bridge` and up; the other one is called `peer` in the namespace of `netns_fd` and still down:
    the kernel cannot open it before it knows ours.
    """
    other = nest(("IFLA_IFNAME", peer), ("IFLA_ADDRESS", mac), ("IFLA_MTU", mtu), ("IFLA_NET_NS_FD", netns_fd))
    cable = nest(("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", nest(("VETH_INFO_PEER", other))))
    attributes = (("IFLA_IFNAME", name), ("IFLA_MTU", mtu), ("IFLA_MASTER", bridge), ("IFLA_LINKINFO", cable))
    return Message("RTM_NEWLINK", attributes, _UP, CREATE | EXCLUSIVE)


def set_hairpin(name: str) -> Message:
    """Let a bridge send a frame back through the port it came by.

    Where br_netfilter is on, a container that calls its own published port is answered on the bridge itself.
    """
    port = nest(("IFLA_BRPORT_MODE", _HAIRPIN))
    info = nest(("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", port))
    return Message("RTM_NEWLINK", [("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)])


def delete(name: str) -> Message:
    """Remove a link, and with a veth its other end."""
    return Message("RTM_DELLINK", [("IFLA_IFNAME", name)])


def add_address(index: int, interface: IPv4Interface) -> Message:
    """Give a link an address; EEXIST where it has it."""
    attributes = (
        ("IFA_LOCAL", str(interface.ip)),
        ("IFA_ADDRESS", str(interface.ip)),
        ("IFA_BROADCAST", str(interface.network.broadcast_address)),
    )
    fields = {"family": socket.AF_INET, "prefixlen": interface.network.prefixlen, "index": index}
    return Message("RTM_NEWADDR", attributes, fields, CREATE | EXCLUSIVE)


def add_default_route(index: int, gateway: IPv4Address) -> Message:
    """Send what is not on a link of its own to `gateway`."""
    fields = {"family": socket.AF_INET, "table": _TABLE_MAIN, "proto": _PROTOCOL_BOOT, "type": _UNICAST}
    attributes = (("RTA_OIF", index), ("RTA_GATEWAY", str(gateway)))
    return Message("RTM_NEWROUTE", attributes, fields, CREATE | EXCLUSIVE)


def find(kernel: Netlink, name: str) -> Link:
    """The link of this name. Raises netlink.Refused (ENODEV)."""
    return _link(kernel.get(Message("RTM_GETLINK", [("IFLA_IFNAME", name)])))


def every(kernel: Netlink) -> list[Link]:
    """All links of the socket's namespace."""
    return [_link(found) for found in kernel.dump(Message("RTM_GETLINK"))]


def _link(found: Any) -> Link:
    info = found.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else ""
    return Link(
        index=found["index"],
        name=_text(found.get_attr("IFLA_IFNAME")),
        kind=_text(kind),
        alias=_text(found.get_attr("IFLA_IFALIAS")),
        master=found.get_attr("IFLA_MASTER") or 0,
    )


def networks(kernel: Netlink) -> list[tuple[int, IPv4Network]]:
    """What the host reaches by a route of its own or has an address in, and over which link (its index).

    A default route says nothing about which subnets exist behind it, so it does not count; a VPN writes its
    default as two halves (0.0.0.0/1 and 128.0.0.0/1).
    """
    found = []
    for entry in kernel.dump(Message("RTM_GETADDR", fields={"family": socket.AF_INET})):
        address = entry.get_attr("IFA_ADDRESS")
        if address:
            found.append((entry["index"], IPv4Network((address, entry["prefixlen"]), strict=False)))
    for entry in kernel.dump(Message("RTM_GETROUTE", fields={"family": socket.AF_INET})):
        target, length = entry.get_attr("RTA_DST"), entry["dst_len"]
        if target and length > 1 and entry["type"] == _UNICAST:
            found.append((entry.get_attr("RTA_OIF") or 0, IPv4Network((target, length), strict=False)))
    return found


def _text(value: object) -> str:
    """A name as pyroute2 decoded it; what is no UTF-8 stays bytes there."""
    return value if isinstance(value, str) else value.decode(errors="replace") if isinstance(value, bytes) else ""
