"""Which addresses are whose. Pure: nothing here looks at the machine."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from core.errors import Unavailable

# Docker's own choice and order, so that nobody is surprised: 172.17/16 … 172.31/16, then 192.168.0/20 …
POOLS = (
    *(IPv4Network((f"172.{second}.0.0", 16)) for second in range(17, 32)),
    *IPv4Network("192.168.0.0/16").subnets(new_prefix=20),
)


def free_subnet(taken: Iterable[IPv4Network], *, preferred: IPv4Network | None = None) -> IPv4Network:
    """The first pool that overlaps nothing the host routes to; `preferred` (what we had last time) goes first.

    Raises Unavailable when there is none.
    """
    taken = tuple(taken)
    candidates = POOLS if preferred is None else (preferred, *POOLS)
    for candidate in candidates:
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise Unavailable("find a free subnet: the host has routes to all of them")


def mac_address(address: IPv4Address) -> str:
    """The hardware address of the container with this address, as Docker forms it: 02:42 and its four bytes.

    An address given to another container later keeps its hardware address, so no neighbour cache goes stale.
    """
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + address.packed)


class Addresses:
    """The addresses of one subnet. The first one is the gateway."""

    def __init__(self, subnet: IPv4Network) -> None:
        self.subnet = subnet
        self.gateway = subnet[1]
        self._used = {self.gateway}

    def allocate(self) -> IPv4Address:
        """The lowest free address. Raises Unavailable when the subnet is full."""
        for number in range(2, self.subnet.num_addresses - 1):
            address = self.subnet[number]
            if address not in self._used:
                self._used.add(address)
                return address
        raise Unavailable(f"allocate address: no free one is left in {self.subnet}")

    def reserve(self, address: IPv4Address) -> bool:
        """Mark an address that is in use already; False when it is of another subnet or was used."""
        if address not in self.subnet or address in self._used:
            return False
        self._used.add(address)
        return True

    def release(self, address: IPv4Address) -> None:
        """Give an address back. The gateway's stays taken."""
        if address != self.gateway:
            self._used.discard(address)
