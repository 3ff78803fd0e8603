"""The networks of one engine: `bridge`, `host` and `none`; who is on them, and what they publish."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop, off_loop_to_end
from core.errors import EngineError, NoSuchNetwork, SyscallFailed, SystemFailure
from core.model.container import ContainerRecord, Endpoint
from core.model.network import NetworkRecord
from core.network import bridge as bridges
from core.network import coexist, namespaces
from core.network.bridge import Bridge
from core.network.firewall import Firewall
from core.network.ipam import Addresses, mac_address
from core.network.namespaces import Namespace, Zygote
from core.network.ports import HostPorts, Ports, PortTaken, Published, as_bindings

log = logging.getLogger(__name__)

BRIDGE, HOST, NONE = "bridge", "host", "none"
_DRIVERS = {BRIDGE: "bridge", HOST: "host", NONE: "null"}
_TABLES = (
    "CREATE TABLE network (name TEXT PRIMARY KEY, id TEXT NOT NULL, created TEXT NOT NULL,"
    " interface TEXT NOT NULL DEFAULT '', subnet TEXT NOT NULL DEFAULT '')",
)


class Database(Protocol):
    """What is remembered: each network's id, and which bridge and subnet were ours."""

    def migrate(self, name: str, statements: Sequence[str]) -> None: ...
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int: ...
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Roots(Protocol):
    """Where this engine lies: its root names its bridge."""

    @property
    def root(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Attached:
    """A container's place. `netns_fd` is the caller's to close; its cable may still be on the way to it.

    None where nothing is to be joined: on the host's own network, and on `none`, whose namespace with nothing but
    a loopback the container's first process makes for itself.
    """

    endpoint: Endpoint
    netns_fd: int | None = None
    cable: asyncio.Task[None] | None = None

    async def connected(self) -> None:
        """Wait for the cable. Raises SyscallFailed, KernelLacks."""
        if self.cable is not None:
            await asyncio.shield(self.cable)


@dataclass(slots=True)
class _Place:
    """What one container holds on the bridge."""

    address: IPv4Address
    veth: str
    published: list[Published] = field(default_factory=list)
    cable: asyncio.Task[None] | None = None

    async def settled(self) -> None:
        """Wait until its cable is there, or has failed."""
        if self.cable is not None:
            await asyncio.wait([self.cable])


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A cable that is being removed; until it is, the kernel still answers for the address."""

    address: IPv4Address
    done: asyncio.Task[None]


class Networks:
    """Attach and detach containers. `start` first; without it, or where it failed, only `host` and `none` work."""

    def __init__(self, db: Database, paths: Roots, zygote: Zygote) -> None:
        self._db = db
        self._root = str(paths.root)
        self._zygote = zygote
        self._ports = HostPorts()
        self._places: dict[str, _Place] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._bridge: Bridge | None = None
        self._addresses: Addresses | None = None
        self._firewall: Firewall | None = None
        self._broken = EngineError("the bridge network is not set up")
        self._warnings: list[str] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._settling: asyncio.Task[None] | None = None
        self._spare: asyncio.Task[Namespace] | None = None
        self._in_use = False
        db.migrate("network", _TABLES)
        self._records = self._load()

    async def start(self) -> None:
        """Set up the bridge, again after a restart, and begin with the firewall: nobody has to wait for that who
        attaches nothing. Never raises for what this host cannot do: attaching to the bridge then says why."""
        record = self._records[BRIDGE]
        subnet = IPv4Network(record.subnet) if record.subnet else None
        try:
            bridge, warnings = await off_loop(bridges.ensure, self._root, name=record.interface, subnet=subnet)
        except EngineError as error:
            log.error("no bridge network: %s", error)
            self._broken = error
            return
        self._bridge, self._addresses = bridge, Addresses(bridge.subnet)
        self._remember(bridge)
        self._settling = asyncio.ensure_future(self._wall_off(bridge, warnings))

    async def settled(self) -> None:
        """Wait for what `start` and `readopt` have begun. Raises what made the bridge network impossible."""
        if self._settling is not None:
            await asyncio.shield(self._settling)
        if self._firewall is None:
            raise self._broken

    def networks(self) -> tuple[NetworkRecord, ...]:
        """`bridge`, `host` and `none`."""
        return tuple(self._records.values())

    def warnings(self) -> tuple[str, ...]:
        """What on this host stands in the way of the bridge network; one line each."""
        return tuple(self._warnings)

    async def attach(
        self, container_id: str, *, mode: str, ports: Ports, hostname: str, name: str = ""
    ) -> Attached:
        """Give a container that is about to start a place on a network; what it had before is taken away.

        Its cable follows: `Attached.connected` must come before the container's program. `ports` are published on
        the bridge only. Raises NoSuchNetwork, SystemFailure with Docker's text where a port is taken,
        SyscallFailed, KernelLacks, Unavailable where no address is left.
        """
        if mode not in self._records:
            raise NoSuchNetwork(f"network {mode} not found")
        await self.detach(container_id)
        endpoint = Endpoint(network=mode, network_id=self._records[mode].id, endpoint_id=secrets.token_hex(32))
        if mode != BRIDGE:
            return Attached(endpoint)
        return await self._attach_bridge(container_id, endpoint, ports, name or hostname)

    async def detach(self, container_id: str) -> None:
        """Give back a container's address and ports and begin to remove its cable; no error where it has none.

        The kernel takes 20 ms for a cable, which nobody should wait for who only wants to know that the container
        ended. The next call for the same container waits for it: after that nothing is left.
        """
        leaving = self._leaving.get(container_id)
        if leaving is not None:
            await asyncio.shield(leaving.done)
        if container_id in self._places and self._settling is not None:
            await asyncio.shield(self._settling)
        place = self._places.pop(container_id, None)
        if place is not None:
            await place.settled()
            await self._withdraw(place)
            done = asyncio.ensure_future(self._pull(place.veth))
            self._leaving[container_id] = _Leaving(place.address, done)
            done.add_done_callback(lambda _: self._leaving.pop(container_id, None))

    async def readopt(self, records: Sequence[ContainerRecord]) -> None:
        """Take over what the containers that still run have; begin to remove what belongs to none."""
        if self._addresses is None:
            return
        for record in records:
            endpoint = record.endpoint
            if endpoint is None or endpoint.network != BRIDGE or not endpoint.ip_address:
                continue
            place = _Place(IPv4Address(endpoint.ip_address), namespaces.veth_name(record.id))
            if not self._addresses.reserve(place.address):
                log.warning("container %s has address %s, which is not free", record.short_id, place.address)
            place.published = self._ports.restore(endpoint.ports, place.address)
            self._places[record.id] = place
        self._settling = asyncio.ensure_future(self._tidy(self._settling))

    async def close(self) -> None:
        """Let go of sockets. While containers run, bridge and rules stay as they are; else they go, and the next
        `start` makes the same ones again."""
        if self._settling is not None:
            await self._settling
        await asyncio.gather(*(leaving.done for leaving in self._leaving.values()))
        if self._firewall:
            self._firewall.close()
        for place in self._places.values():
            await place.settled()
            for each in place.published:
                each.release()
        for check in self._checks:
            check.cancel()
        if self._spare is not None:
            await asyncio.wait([self._spare])
            if self._spare.exception() is None:
                self._spare.result().close()
        if not self._places:
            await off_loop(self._take_down)

    def _take_down(self) -> None:
        try:
            if self._firewall:
                self._firewall.remove()
            if self._bridge:
                bridges.remove(self._bridge)
        except (EngineError, OSError) as error:
            log.warning("remove the bridge network: %s", error)

    async def _attach_bridge(self, container_id: str, endpoint: Endpoint, ports: Ports, name: str) -> Attached:
        await self.settled()
        assert self._bridge and self._addresses and self._firewall
        place = _Place(self._addresses.allocate(), namespaces.veth_name(container_id))
        self._places[container_id] = place
        try:
            place.published = self._publish(ports, place.address, name, endpoint)
            namespace = await self._namespace()
        except BaseException:
            await asyncio.shield(self.detach(container_id))
            raise
        netns_fd = os.dup(namespace.fd)
        self._in_use = True
        place.cable = asyncio.ensure_future(self._lay(self._bridge, self._firewall, namespace, place))
        return Attached(_shown(endpoint, place, self._bridge, self._addresses.gateway), netns_fd, place.cable)

    async def _namespace(self) -> Namespace:
        """One that was made ahead, where there is one: a process of the zygote's and the kernel take 5 ms."""
        spare = self._spare
        if spare is None or not spare.done():
            return await namespaces.make(self._zygote)
        self._spare = None
        return spare.result() if spare.exception() is None else await namespaces.make(self._zygote)

    def make_ahead(self) -> None:
        """Have a namespace ready for the next container on the bridge, where there has been one before."""
        if self._in_use and self._spare is None:
            self._spare = asyncio.ensure_future(namespaces.make(self._zygote))

    async def _lay(self, bridge: Bridge, firewall: Firewall, namespace: Namespace, place: _Place) -> None:
        try:
            before = [each.done for each in self._leaving.values() if each.address == place.address]
            await asyncio.gather(*map(asyncio.shield, before))
            await off_loop_to_end(self._connect, bridge, firewall, namespace, place)
        finally:
            namespace.close()

    async def _wall_off(self, bridge: Bridge, warnings: list[str]) -> None:
        firewall = Firewall(bridge.name, bridge.subnet, changed=self._look_again)
        try:
            await off_loop(firewall.install)
            firewall.watch()
        except (EngineError, OSError) as error:
            log.error("no bridge network: %s", error)
            self._broken = error if isinstance(error, EngineError) else SyscallFailed.of("watch firewall", error)
            return
        self._firewall = firewall
        self._warnings = [*warnings, *await off_loop(coexist.make_way, bridge.name)]
        for warning in self._warnings:
            log.warning("%s", warning)

    async def _tidy(self, walls: asyncio.Task[None] | None) -> None:
        """Publish what the adopted containers publish, and that alone; remove the cables of nobody."""
        if walls is not None:
            await walls
        if self._bridge is None or self._firewall is None:
            return
        try:
            forwards = [each.forward for place in self._places.values() for each in place.published]
            await off_loop(self._firewall.set, forwards)
            keep = {place.veth for place in self._places.values()}
            for veth in await off_loop(namespaces.sweep, self._bridge, keep):
                log.info("removed leftover interface %s", veth)
        except EngineError as error:
            log.error("cannot tidy the bridge network: %s", error)

    def _publish(self, ports: Ports, address: IPv4Address, name: str, endpoint: Endpoint) -> list[Published]:
        try:
            return self._ports.publish(ports, address)
        except PortTaken as error:
            where = f"endpoint {name} ({endpoint.endpoint_id})"
            raise SystemFailure(f"driver failed programming external connectivity on {where}: {error}") from error

    @staticmethod
    def _connect(bridge: Bridge, firewall: Firewall, namespace: Namespace, place: _Place) -> None:
        namespaces.join(namespace, bridge, place.veth, place.address)
        firewall.add(each.forward for each in place.published)

    async def _withdraw(self, place: _Place) -> None:
        """The address comes free last, when nothing leads to it any more."""
        if self._firewall and place.published:
            try:
                await off_loop(self._firewall.drop, [each.forward for each in place.published])
            except EngineError as error:
                log.warning("cannot withdraw published ports of %s: %s", place.address, error)
        for each in place.published:
            each.release()
        if self._addresses:
            self._addresses.release(place.address)

    @staticmethod
    async def _pull(veth: str) -> None:
        try:
            await off_loop(namespaces.leave, veth)
        except SyscallFailed as error:
            log.warning("%s", error)

    def _look_again(self) -> None:
        """Another firewall changed: make way in that one too."""
        if self._bridge:
            check = asyncio.ensure_future(self._make_way(self._bridge))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)

    async def _make_way(self, bridge: Bridge) -> None:
        found = await off_loop(coexist.make_way, bridge.name)
        for warning in found:
            if warning not in self._warnings:
                log.warning("%s", warning)
        self._warnings = found

    def _load(self) -> dict[str, NetworkRecord]:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        for name in _DRIVERS:
            self._db.execute(
                "INSERT OR IGNORE INTO network (name, id, created) VALUES (?, ?, ?)",
                (name, secrets.token_hex(32), created),
            )
        rows = self._db.query("SELECT name, id, created, interface, subnet FROM network")
        known = {row[0]: row for row in rows}
        return {name: _record(*known[name]) for name in _DRIVERS}

    def _remember(self, bridge: Bridge) -> None:
        subnet = str(bridge.subnet)
        old = self._records[BRIDGE]
        if (old.interface, old.subnet) == (bridge.name, subnet):
            return
        self._db.execute(
            "UPDATE network SET interface = ?, subnet = ? WHERE name = ?", (bridge.name, subnet, BRIDGE)
        )
        self._records = self._load()


def _record(name: str, ident: str, created: str, interface: str, subnet: str) -> NetworkRecord:
    gateway = str(IPv4Network(subnet)[1]) if subnet else ""
    options = {"com.docker.network.bridge.name": interface} if interface else {}
    return NetworkRecord(
        id=ident,
        name=name,
        driver=_DRIVERS[name],
        subnet=subnet,
        gateway=gateway,
        interface=interface,
        created=created,
        options=options,
    )


def _shown(endpoint: Endpoint, place: _Place, bridge: Bridge, gateway: IPv4Address) -> Endpoint:
    return Endpoint(
        network=endpoint.network,
        network_id=endpoint.network_id,
        endpoint_id=endpoint.endpoint_id,
        ip_address=str(place.address),
        ip_prefix_len=bridge.subnet.prefixlen,
        gateway=str(gateway),
        mac_address=mac_address(place.address),
        host_interface=place.veth,
        ports=as_bindings(place.published),
    )
