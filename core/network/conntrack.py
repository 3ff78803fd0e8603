"""Forgetting tracked flows. linux/netfilter/nfnetlink_conntrack.h.

The kernel decides about a flow at its first packet and keeps to it. A UDP peer that never pauses would go on
talking to where a port led before it was published, or before its container was replaced.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection

from core.network import netlink
from core.network.netlink import NETFILTER, Message, Netlink, encode, passing

_SUBSYSTEM, _GET, _DELETE = 1, 1, 2
_ORIGINAL, _ID = 1, 12
_IP, _PROTO = 1, 2
_DESTINATION = 2  # CTA_IP_V4_DST
_NUMBER, _TO_PORT = 1, 3
_NESTED = 0x8000
_HEAD = struct.pack(">BBH", socket.AF_INET, 0, 0)  # struct nfgenmsg

ANY = bytes(4)


def forget_udp(targets: Collection[tuple[bytes, int]]) -> int:
    """Forget the UDP flows that were sent to one of `targets` (address, ANY for all; port); how many there were.

    Blocking. Raises OSError where the kernel does not track or tell.
    """
    if not targets:
        return 0
    forgotten = 0
    with Netlink(NETFILTER) as kernel:
        for _, body in kernel.dump(Message(_SUBSYSTEM << 8 | _GET, _HEAD)):
            flow = netlink.decode(body[len(_HEAD) :])
            address, port = _destination(flow.get(_ORIGINAL, b""))
            if (address, port) not in targets and (ANY, port) not in targets:
                continue
            which = encode([(_ORIGINAL | _NESTED, flow[_ORIGINAL]), (_ID, flow[_ID])])
            with passing(errno.ENOENT):  # it ended by itself
                kernel.send([Message(_SUBSYSTEM << 8 | _DELETE, _HEAD + which)])
                forgotten += 1
    return forgotten


def _destination(tuple_: bytes) -> tuple[bytes, int]:
    """Where the first packet of a UDP flow went; (b"", 0) for another protocol."""
    parts = netlink.decode(tuple_)
    proto = netlink.decode(parts.get(_PROTO, b""))
    if proto.get(_NUMBER) != bytes([socket.IPPROTO_UDP]):
        return b"", 0
    port = struct.unpack(">H", proto.get(_TO_PORT, bytes(2)))[0]
    return netlink.decode(parts.get(_IP, b"")).get(_DESTINATION, b""), port
