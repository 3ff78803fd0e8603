"""The files a container gets from its host: /etc/hosts, /etc/hostname, /etc/resolv.conf. Pure.

Written as Docker writes them: hosts(5), resolv.conf(5).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from core.engine.validate import parse_extra_host
from core.model.container import ContainerRecord

_LOCAL_NAMES = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "ff00::0\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
PUBLIC_NAMESERVERS = ("8.8.8.8", "8.8.4.4")  # Docker's choice where the host has only loopback ones


def hosts(record: ContainerRecord, *, host_file: str) -> str:
    """The container's /etc/hosts; on the host's network `host_file` (the host's own) is the beginning."""
    lines = [host_file if record.host_config.network_mode == "host" else _LOCAL_NAMES]
    endpoint = record.endpoint
    gateway = endpoint.gateway if endpoint else ""
    for text in record.host_config.extra_hosts:
        name, address = parse_extra_host(text)
        if address == "host-gateway":
            address = gateway or "127.0.0.1"
        lines.append(f"{address}\t{name}\n")
    if endpoint and endpoint.ip_address:
        lines.append(f"{endpoint.ip_address}\t{_full_name(record)}\n")
    return "".join(lines)


def _full_name(record: ContainerRecord) -> str:
    host, domain = record.config.hostname, record.config.domainname
    return f"{host}.{domain} {host}" if domain else host


def resolv_conf(record: ContainerRecord, *, host_file: str) -> str:
    """The container's /etc/resolv.conf from the host's own, without servers a container cannot reach.

    A container on the host's network, or on none, gets the host's file as it is unless it asked otherwise.
    """
    host = record.host_config
    asked = host.dns or host.dns_search or host.dns_options
    if not asked and host.network_mode in ("host", "none"):
        return host_file
    servers = list(host.dns) or _reachable(_values(host_file, "nameserver")) or list(PUBLIC_NAMESERVERS)
    search = list(host.dns_search) or [name for value in _values(host_file, "search") for name in value.split()]
    options = list(host.dns_options) or [name for value in _values(host_file, "options") for name in value.split()]
    lines = [f"nameserver {server}" for server in servers]
    if search and search != ["."]:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append(f"options {' '.join(options)}")
    return "\n".join(lines) + "\n"


def _values(text: str, keyword: str) -> list[str]:
    found = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == keyword and rest.strip():
            found.append(rest.strip())
    return found


def _reachable(servers: Sequence[str]) -> list[str]:
    kept = []
    for server in servers:
        try:
            address = ipaddress.ip_address(server.partition("%")[0])
        except ValueError:
            continue
        if not address.is_loopback and not address.is_link_local:
            kept.append(server)
    return kept
