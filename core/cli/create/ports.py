"""`--publish` and `--expose`: `[ip:][host][-range]:container[-range][/protocol]`. Pure."""

from __future__ import annotations

from core.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Bindings = dict[str, list[dict[str, str]]]
PROTOCOLS = ("tcp", "udp", "sctp")
_HIGHEST = 65535


def published(specs: Iterable[str]) -> tuple[dict[str, dict[str, str]], Bindings]:
    """What `-p` exposes and binds, as `ExposedPorts` and `PortBindings`. Raises CommandFailed."""
    exposed: dict[str, dict[str, str]] = {}
    bindings: Bindings = {}
    for spec in specs:
        for port, binding in _published(spec):
            exposed[port] = {}
            bindings.setdefault(port, []).append(binding)
    return exposed, bindings


def exposed(specs: Iterable[str]) -> dict[str, dict[str, str]]:
    """What `--expose` says, as `ExposedPorts`. Raises CommandFailed."""
    found: dict[str, dict[str, str]] = {}
    for spec in specs:
        if ":" in spec:
            raise CommandFailed(f"invalid port format for --expose: {spec}", 125)
        text, protocol = _protocol(spec)
        first, last = _exposed(spec, text)
        found |= {f"{port}/{protocol}": {} for port in range(first, last + 1)}
    return found


def _exposed(spec: str, text: str) -> tuple[int, int]:
    try:
        return _range(text, "")
    except CommandFailed:
        reason = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise CommandFailed(f"invalid range format for --expose: {spec}, error: {reason}", 125) from None


def _published(spec: str) -> Iterator[tuple[str, dict[str, str]]]:
    address, host, text = _split(spec)
    text, protocol = _protocol(text)
    if not text:
        raise CommandFailed(f"no port specified: {spec}<empty>", 125)
    first, last = _range(text, "containerPort")
    low, high = _range(host, "hostPort") if host else (0, 0)
    if host and high - low != last - first and first != last:
        raise CommandFailed(f"invalid ranges specified for container and host Ports: {text} and {host}", 125)
    for port in range(first, last + 1):
        if not host:
            on_host = ""
        elif first == last and low != high:
            on_host = f"{low}-{high}"  # any free one of them
        else:
            on_host = str(low + port - first)
        yield f"{port}/{protocol}", {"HostIp": address, "HostPort": on_host}


def _split(spec: str) -> tuple[str, str, str]:
    rest, _, container = spec.rpartition(":")
    address, _, host = rest.rpartition(":")
    if address:
        _check_address(address)
    return address.strip("[]"), host, container


def _check_address(address: str) -> None:
    import socket

    family = socket.AF_INET6 if address.startswith("[") and address.endswith("]") else socket.AF_INET
    try:
        socket.inet_pton(family, address.strip("[]"))
    except (OSError, ValueError):
        raise CommandFailed(f"invalid IP address: {address}", 125) from None


def _protocol(text: str) -> tuple[str, str]:
    ports, slash, protocol = text.partition("/")
    protocol = protocol.lower()
    if slash and protocol not in PROTOCOLS:
        raise CommandFailed(f"invalid proto: {protocol}", 125)
    return ports, protocol or "tcp"


def _range(text: str, what: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    ends = (low, high) if dash else (low, low)
    numbers = [int(end) if end.isascii() and end.isdigit() and len(end) <= 5 else -1 for end in ends]
    if min(numbers) < 0 or max(numbers) > _HIGHEST or numbers[0] > numbers[1]:
        raise CommandFailed(f"invalid {what}: {text}", 125)
    return numbers[0], numbers[1]
