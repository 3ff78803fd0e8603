"""The PORTS column: `0.0.0.0:8080->80/tcp, 127.0.0.1:9000-9002->9000-9002/tcp, 443/tcp`. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def joined(address: str, port: object) -> str:
    """Address and port; an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def displayable(ports: Iterable[Mapping[str, Any]]) -> str:
    """Ports as Docker groups them: consecutive ones that keep their number on the host become a range."""
    ranges: dict[tuple[str, str], list[list[int]]] = {}
    done: list[str] = []
    moved: list[str] = []
    for port in sorted(ports, key=_order):
        inside, address, protocol = port["PrivatePort"], port.get("IP") or "", port["Type"]
        if address and port.get("PublicPort") != inside:
            moved.append(f"{joined(address, port.get('PublicPort'))}->{inside}/{protocol}")
            continue
        group = ranges.setdefault((address, protocol), [])
        if group and inside == group[-1][1] + 1:
            group[-1][1] = inside
            continue
        if group:
            done.append(_range(address, protocol, group.pop()))
        group.append([inside, inside])
    done += [_range(*key, span) for key, group in ranges.items() for span in group]
    return ", ".join(done + moved)


def _order(port: Mapping[str, Any]) -> tuple[int, str, int, str]:
    return port["PrivatePort"], port.get("IP") or "", port.get("PublicPort") or 0, port["Type"]


def _range(address: str, protocol: str, span: list[int]) -> str:
    first, last = span
    ports = str(first) if first == last else f"{first}-{last}"
    shown = f"{joined(address, ports)}->{ports}" if address else ports
    return f"{shown}/{protocol}"
