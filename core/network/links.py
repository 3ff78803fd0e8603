"""Links, addresses and routes as rtnetlink messages and back. rtnetlink(7), linux/if_link.h."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from core.network import netlink
from core.network.netlink import CREATE, EXCLUSIVE, Attributes, Message, encode, text, u32

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _GETADDR = 20, 22
_NEWROUTE, _GETROUTE = 24, 26

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER = 1, 3, 4, 10
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD = 18, 20, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VETH_PEER, _BRPORT_MODE = 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5

_UP = 1  # IFF_UP
_TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST = 254, 3, 0, 1

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_ADDR = struct.Struct("=BBBBI")  # struct ifaddrmsg
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg


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
    attributes: Attributes = [
        (_IFLA_IFNAME, text(name)),
        (_IFLA_ADDRESS, _mac(mac)),
        (_IFLA_MTU, u32(mtu)),
        (_IFLA_LINKINFO, [(_INFO_KIND, text("bridge"))]),
    ]
    return Message(_NEWLINK, _LINK.pack(0, 0, 0, 0, 0) + encode(attributes), CREATE | EXCLUSIVE)


def set_alias(index: int, alias: str) -> Message:
    """Keep a text with a link."""
    return Message(_NEWLINK, _LINK.pack(0, 0, index, 0, 0) + encode([(_IFLA_IFALIAS, alias.encode())]))


def set_up(index: int) -> Message:
    """Bring a link up."""
    return Message(_NEWLINK, _LINK.pack(0, 0, index, _UP, _UP))


def new_veth(name: str, bridge: int, *, peer: str, netns_fd: int, mac: str, mtu: int) -> Message:
    """Make both ends of a container's cable in one step.

    Ours is a port of `bridge` and up; the other one is called `peer` in the namespace of `netns_fd` and still down:
    the kernel cannot open it before it knows ours.
    """
    other = _LINK.pack(0, 0, 0, 0, 0) + encode(
        [
            (_IFLA_IFNAME, text(peer)),
            (_IFLA_ADDRESS, _mac(mac)),
            (_IFLA_MTU, u32(mtu)),
            (_IFLA_NET_NS_FD, u32(netns_fd)),
        ]
    )
    attributes: Attributes = [
        (_IFLA_IFNAME, text(name)),
        (_IFLA_MTU, u32(mtu)),
        (_IFLA_MASTER, u32(bridge)),
        (_IFLA_LINKINFO, [(_INFO_KIND, text("veth")), (_INFO_DATA, [(_VETH_PEER, other)])]),
    ]
    return Message(_NEWLINK, _LINK.pack(0, 0, 0, _UP, _UP) + encode(attributes), CREATE | EXCLUSIVE)


def set_hairpin(name: str) -> Message:
    """Let a bridge send a frame back through the port it came by.

    Where br_netfilter is on, a container that calls its own published port is answered on the bridge itself.
    """
    slave: Attributes = [(_INFO_SLAVE_KIND, text("bridge")), (_INFO_SLAVE_DATA, [(_BRPORT_MODE, b"\1")])]
    attributes: Attributes = [(_IFLA_IFNAME, text(name)), (_IFLA_LINKINFO, slave)]
    return Message(_NEWLINK, _LINK.pack(0, 0, 0, 0, 0) + encode(attributes))


def delete(name: str) -> Message:
    """Remove a link, and with a veth its other end."""
    return Message(_DELLINK, _LINK.pack(0, 0, 0, 0, 0) + encode([(_IFLA_IFNAME, text(name))]))


def add_address(index: int, interface: IPv4Interface) -> Message:
    """Give a link an address; EEXIST where it has it."""
    attributes = [
        (_IFA_LOCAL, interface.ip.packed),
        (_IFA_ADDRESS, interface.ip.packed),
        (_IFA_BROADCAST, interface.network.broadcast_address.packed),
    ]
    head = _ADDR.pack(socket.AF_INET, interface.network.prefixlen, 0, _SCOPE_UNIVERSE, index)
    return Message(_NEWADDR, head + encode(attributes), CREATE | EXCLUSIVE)


def add_default_route(index: int, gateway: IPv4Address) -> Message:
    """Send what is not on a link of its own to `gateway`."""
    head = _ROUTE.pack(socket.AF_INET, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_UNIVERSE, _UNICAST, 0)
    body = encode([(_RTA_OIF, u32(index)), (_RTA_GATEWAY, gateway.packed)])
    return Message(_NEWROUTE, head + body, CREATE | EXCLUSIVE)


def find(kernel: netlink.Netlink, name: str) -> Link:
    """The link of this name. Raises netlink.Refused (ENODEV)."""
    head = _LINK.pack(0, 0, 0, 0, 0)
    return _link(kernel.get(Message(_GETLINK, head + encode([(_IFLA_IFNAME, text(name))]))))


def every(kernel: netlink.Netlink) -> list[Link]:
    """All links of the socket's namespace."""
    return [_link(body) for _, body in kernel.dump(Message(_GETLINK, _LINK.pack(0, 0, 0, 0, 0)))]


def _link(body: bytes) -> Link:
    attributes = netlink.decode(body[_LINK.size :])
    info = netlink.decode(attributes.get(_IFLA_LINKINFO, b""))
    return Link(
        index=_LINK.unpack_from(body)[2],
        name=_string(attributes.get(_IFLA_IFNAME, b"")),
        kind=_string(info.get(_INFO_KIND, b"")),
        alias=_string(attributes.get(_IFLA_IFALIAS, b"")),
        master=struct.unpack("=I", attributes.get(_IFLA_MASTER, bytes(4)))[0],
    )


def networks(kernel: netlink.Netlink) -> list[tuple[int, IPv4Network]]:
    """What the host reaches by a route of its own or has an address in, and over which link (its index).

    A default route says nothing about which subnets exist behind it, so it does not count; a VPN writes its
    default as two halves (0.0.0.0/1 and 128.0.0.0/1).
    """
    found = []
    for _, body in kernel.dump(Message(_GETADDR, _ADDR.pack(socket.AF_INET, 0, 0, 0, 0))):
        _, length, _, _, index = _ADDR.unpack_from(body)
        address = netlink.decode(body[_ADDR.size :]).get(_IFA_ADDRESS)
        if address:
            found.append((index, IPv4Network((address, length), strict=False)))
    for _, body in kernel.dump(Message(_GETROUTE, _ROUTE.pack(socket.AF_INET, *[0] * 8))):
        length, kind = body[1], body[7]
        attributes = netlink.decode(body[_ROUTE.size :])
        target = attributes.get(_RTA_DST)
        if target and length > 1 and kind == _UNICAST:
            index = struct.unpack("=I", attributes.get(_RTA_OIF, bytes(4)))[0]
            found.append((index, IPv4Network((target, length), strict=False)))
    return found


def _mac(text_form: str) -> bytes:
    return bytes.fromhex(text_form.replace(":", ""))


def _string(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
