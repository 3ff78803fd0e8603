"""What passes to and from the containers: one nf_tables table a bridge, as a pure plan and its executor.

`user` is the administrator's chain: it is evaluated first and never touched by us.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from core.aio import off_loop
from core.errors import KernelLacks, SyscallFailed
from core.network import conntrack, netlink, nftables
from core.network.nftables import Chain, Map, Table
from core.network.nftwords import (
    Address,
    DnatByMap,
    ForThisHost,
    Interface,
    Masquerade,
    Tracked,
    Verdict,
    port_key,
    port_value,
)
from core.network.pyroute import Message

log = logging.getLogger(__name__)

LOOPBACK = IPv4Network("127.0.0.0/8")
ANYWHERE = IPv4Address(0)
_SETTLE_SECONDS = 0.05  # one `flush ruleset` tells of every object; look once when it is over
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}


@dataclass(frozen=True, slots=True)
class Forward:
    """What arrives at `host` (0.0.0.0 = any address of this machine) and its port goes to the container's."""

    protocol: str
    host: IPv4Address
    host_port: int
    container: IPv4Address
    container_port: int

    @property
    def map(self) -> str:
        return "published" if self.host == ANYWHERE else "published-on"

    @property
    def key(self) -> bytes:
        key = port_key(_PROTOCOLS[self.protocol], self.host_port)
        return key if self.host == ANYWHERE else self.host.packed + key

    @property
    def value(self) -> bytes:
        return port_value(self.container.packed, self.container_port)


def table_name(bridge: str) -> str:
    """`onggi` for the bridge onggi0, else the bridge's name."""
    return "onggi" if bridge == "onggi0" else bridge


def ruleset(bridge: str, subnet: IPv4Network) -> Table:
    """The whole table of one bridge."""
    ports, target = ("inet_proto", "inet_service"), ("ipv4_addr", "inet_service")
    enters, leaves = Interface("oif", bridge), Interface("iif", bridge)
    publish = (
        (ForThisHost(other=True), Verdict("return")),
        (DnatByMap("published-on", with_address=True),),
        (DnatByMap("published", with_address=False),),
    )
    # Before connection tracking: later it would eat the replies of ports published on the loopback address.
    raw = ((Interface("iif", "lo", other=True), Address("daddr", LOOPBACK), Verdict("drop")),)
    forward = (
        (leaves, Verdict("jump", "user")),
        (Interface("iif", bridge, other=True), enters, Verdict("jump", "user")),
        (leaves, enters, Verdict("accept")),
        (enters, Tracked("established"), Verdict("accept")),
        (enters, Tracked("dnat"), Verdict("accept")),
        (enters, Verdict("drop")),
    )
    source = (
        (Address("saddr", subnet), Interface("oif", bridge, other=True), Masquerade()),
        # A container that calls a published port of another one: the answer must come back through us.
        (Address("saddr", subnet), enters, Tracked("dnat"), Masquerade()),
        (Address("saddr", LOOPBACK), enters, Masquerade()),
    )
    return Table(
        name=table_name(bridge),
        maps=(Map("published", ports, target), Map("published-on", ("ipv4_addr", *ports), target)),
        chains=(
            Chain("user", keep=True),
            Chain("raw-prerouting", raw, "prerouting", "filter", "raw"),
            Chain("prerouting", publish, "prerouting", "nat", "dstnat"),
            Chain("output", publish, "output", "nat", "-100"),
            Chain("forward", forward, "forward", "filter", "filter"),
            Chain("postrouting", source, "postrouting", "nat", "srcnat"),
        ),
    )


class Firewall:
    """Keeps the table of one bridge in the kernel, also after somebody flushed it."""

    def __init__(self, bridge: str, subnet: IPv4Network, *, changed: Callable[[], None] = lambda: None) -> None:
        self._table = ruleset(bridge, subnet)
        self._forwards: set[Forward] = set()
        self._lock = threading.Lock()  # several containers may start and end at once, each off the loop
        self._changed = changed
        self._events: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._repair: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Make the table. Blocking. Raises KernelLacks, SyscallFailed."""
        self._commit(nftables.install(self._table), renew=True)

    def set(self, forwards: Iterable[Forward]) -> None:
        """Publish exactly these. Blocking."""
        with self._lock:
            self._forwards = set(forwards)
            self._commit(self._whole())

    def add(self, forwards: Iterable[Forward]) -> None:
        """Publish these too. Blocking."""
        with self._lock:
            added = set(forwards) - self._forwards
            if not added:
                return
            self._forwards |= added
            try:
                self._commit(self._elements(added))
            except SyscallFailed as error:
                # Flushed under us, or an element of unknown origin is there: say it all again.
                if error.errno not in (errno.ENOENT, errno.EEXIST):
                    self._forwards -= added
                    raise
                self._commit(self._whole())
            _forget_flows(added)

    def drop(self, forwards: Iterable[Forward]) -> None:
        """Publish these no longer; no error where they are gone. Blocking."""
        with self._lock:
            dropped = set(forwards) & self._forwards
            self._forwards -= dropped
            for forward in dropped:
                self._try([nftables.delete_elements(self._table.name, forward.map, [forward.key])])
            _forget_flows(dropped)

    def remove(self) -> None:
        """Remove the table. Blocking; no error where it is gone."""
        self._try(nftables.remove(self._table.name))

    def watch(self) -> None:
        """From now on repair the table when it is gone, and tell `changed` of other tables' chains."""
        self._events = netlink.subscribe(netlink.NETFILTER, nftables.CHANGES)
        asyncio.get_running_loop().add_reader(self._events, self._told)

    def close(self) -> None:
        """Watch no longer; the table stays, as the containers do."""
        if self._timer:
            self._timer.cancel()
        if self._events:
            asyncio.get_running_loop().remove_reader(self._events)
            self._events.close()
            self._events = None

    def _whole(self) -> list[Message]:
        batch = nftables.install(self._table)
        batch += [nftables.empty(self._table.name, each.name) for each in self._table.maps]
        return batch + self._elements(self._forwards)

    def _elements(self, forwards: Iterable[Forward]) -> list[Message]:
        maps: dict[str, dict[bytes, bytes]] = {}
        for forward in forwards:
            maps.setdefault(forward.map, {})[forward.key] = forward.value
        return [nftables.add_elements(self._table.name, name, elements) for name, elements in maps.items()]

    def _commit(self, batch: list[Message], *, renew: bool = False) -> None:
        try:
            with nftables.connect() as kernel:
                try:
                    nftables.transact(kernel, batch)
                except netlink.Refused as error:
                    # A table that another version of us left may have a chain of another kind.
                    if not renew or error.errno not in (errno.EEXIST, errno.EOPNOTSUPP, errno.EINVAL):
                        raise
                    if not nftables.exists(kernel, self._table.name):
                        raise
                    nftables.transact(kernel, nftables.remove(self._table.name) + batch)
        except OSError as error:
            raise _failure(error) from error

    def _try(self, batch: list[Message]) -> None:
        """`_commit` for what may be gone already."""
        try:
            self._commit(batch)
        except SyscallFailed as error:
            if error.errno != errno.ENOENT:
                raise

    def _told(self) -> None:
        subjects = set()
        try:
            while self._events:
                subjects.update(nftables.told(self._events.recv(1 << 16)))
        except BlockingIOError:
            pass
        except OSError:  # ENOBUFS: more was told than we read
            subjects.add(("table-gone", self._table.name))
        if ("table-gone", self._table.name) in subjects or any(name == "filter" for _, name in subjects):
            if self._timer:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._look)

    def _look(self) -> None:
        self._repair = asyncio.ensure_future(off_loop(self._mend))
        self._repair.add_done_callback(lambda done: self._changed())

    def _mend(self) -> None:
        try:
            with nftables.connect() as kernel:
                if nftables.exists(kernel, self._table.name):
                    return
            log.warning("firewall table %s was removed by somebody; made again", self._table.name)
            with self._lock:
                self._commit(self._whole())
        except (OSError, SyscallFailed, KernelLacks) as error:
            log.error("cannot repair firewall table %s: %s", self._table.name, error)


def _forget_flows(forwards: Iterable[Forward]) -> None:
    try:
        conntrack.forget_udp({(str(each.host), each.host_port) for each in forwards if each.protocol == "udp"})
    except OSError as error:  # a kernel without ctnetlink: old flows end by themselves when they pause
        log.warning("cannot forget old udp flows: %s", error)


def _failure(error: OSError) -> SyscallFailed | KernelLacks:
    if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
        return KernelLacks("the kernel lacks nf_tables (CONFIG_NF_TABLES, CONFIG_NFT_NAT): no bridge network")
    return SyscallFailed.of("change firewall", error)
