"""Ports: `80/tcp` in a configuration, and what a request publishes. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from core.errors import InvalidArgument
from core.model.container import HostConfig, PortBinding

PROTOCOLS = ("tcp", "udp", "sctp")
Ports = dict[str, tuple[PortBinding, ...]]


def parse_port(text: str) -> str:
    """A container port in its full form, `80/tcp`. Raises InvalidArgument."""
    number, _, protocol = text.partition("/")
    protocol = (protocol or "tcp").lower()
    if not _is_port(number) or number == "0" or protocol not in PROTOCOLS:
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return f"{int(number)}/{protocol}"


def parse_exposed(names: Iterable[str]) -> tuple[str, ...]:
    """Exposed ports in full form, ranges such as `8000-8002/udp` spread out. Raises InvalidArgument."""
    ports: dict[str, None] = {}
    for text in names:
        numbers, slash, protocol = text.partition("/")
        first, dash, last = numbers.partition("-")
        if not dash:
            ports[parse_port(text)] = None
            continue
        if not _is_port(first) or not _is_port(last) or int(first) > int(last):
            raise InvalidArgument(f'invalid port specification: "{text}"')
        for number in range(int(first), int(last) + 1):
            ports[parse_port(f"{number}{slash}{protocol}")] = None
    return tuple(ports)


def check_bindings(bindings: Mapping[str, Iterable[PortBinding]]) -> Ports:
    """Port bindings with their ports in full form. Raises InvalidArgument for what cannot be published."""
    checked: Ports = {}
    for port, hosts in bindings.items():
        for host in hosts:
            _check_binding(host)
        full = parse_port(port)
        checked[full] = (*checked.get(full, ()), *hosts)
    return checked


def _check_binding(host: PortBinding) -> None:
    first, dash, last = host.host_port.partition("-")
    numbers = [first, last] if dash else [first]
    if host.host_port and not all(_is_port(number) for number in numbers):
        raise InvalidArgument(f'invalid port specification: "{host.host_port}"')
    if dash and int(first) > int(last):
        raise InvalidArgument(f'invalid port specification: "{host.host_port}"')
    if host.host_ip:
        try:
            ipaddress.ip_address(host.host_ip)
        except ValueError as error:
            raise InvalidArgument(f"invalid IP address: {host.host_ip}") from error


def published(host: HostConfig, exposed: Iterable[str]) -> Ports:
    """What a container publishes: its bindings, and with `-P` every exposed port on a free one."""
    ports = check_bindings(host.port_bindings)
    if host.publish_all_ports:
        for port in parse_exposed(exposed):
            ports.setdefault(port, (PortBinding(),))
    return ports


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535
