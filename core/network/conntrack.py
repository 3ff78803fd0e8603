"""Forgetting tracked flows. linux/netfilter/nfnetlink_conntrack.h.

The kernel decides about a flow at its first packet and keeps to it. A UDP peer that never pauses would go on
talking to where a port led before it was published, or before its container was replaced.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from typing import Any

from core.network import pyroute
from core.network.netlink import NETFILTER, Netlink, passing
from core.network.pyroute import Message, nest

_KIND = {"nfgen_family": socket.AF_INET}

ANY = "0.0.0.0"


def forget_udp(targets: Collection[tuple[str, int]]) -> int:
    """Forget the UDP flows that were sent to one of `targets` (address, ANY for all; port); how many there were.

    Blocking. Raises OSError where the kernel does not track or tell.
    """
    if not targets:
        return 0
    ports = {port.to_bytes(2, "big") for _, port in targets}
    forgotten = 0
    with Netlink(NETFILTER) as kernel:
        # A busy host tracks a hundred thousand flows; to decode each of them would take seconds.
        request = Message("IPCTNL_MSG_CT_GET", fields=_KIND)
        for data in kernel.dump_raw(request, lambda data: any(port in data for port in ports)):
            flow = pyroute.decode(request.kind, data)
            parts = _original(flow)
            address, port = _destination(parts)
            if (address, port) not in targets and (ANY, port) not in targets:
                continue
            which = [("CTA_TUPLE_ORIG", nest(*parts)), ("CTA_ID", flow.get_attr("CTA_ID"))]
            with passing(errno.ENOENT):  # it ended by itself
                kernel.send([Message("IPCTNL_MSG_CT_DELETE", which, _KIND)])
                forgotten += 1
    return forgotten


def _original(flow: Any) -> list[tuple[str, Any]]:
    """From where to where the first packet of a flow went, in a form that can be sent back."""
    found = flow.get_attr("CTA_TUPLE_ORIG")
    parts = ((name, found.get_attr(name)) for name in ("CTA_TUPLE_IP", "CTA_TUPLE_PROTO"))
    return [
        (name, nest(*((each[0], each[1]) for each in part["attrs"]))) for name, part in parts if part is not None
    ]


def _destination(parts: list[tuple[str, Any]]) -> tuple[str, int]:
    """Where the first packet of a UDP flow went; ("", 0) for another protocol."""
    told = {name: value for _, part in parts for name, value in part["attrs"]}
    if told.get("CTA_PROTO_NUM") != socket.IPPROTO_UDP:
        return "", 0
    return told.get("CTA_IP_V4_DST", ""), told.get("CTA_PROTO_DST_PORT", 0)
