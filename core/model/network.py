"""Networks and volumes as the engine stores them."""

from __future__ import annotations

import msgspec


class NetworkRecord(msgspec.Struct, frozen=True, rename="pascal"):
    """One network. `driver` is bridge, host or null; `subnet` in CIDR form."""

    id: str
    name: str
    driver: str = "bridge"
    subnet: str = ""
    gateway: str = ""
    interface: str = ""
    created: str = ""
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    internal: bool = False


class VolumeRecord(msgspec.Struct, frozen=True, rename="pascal"):
    """One volume; anonymous ones are named by 64 hex digits."""

    name: str
    mountpoint: str
    driver: str = "local"
    created_at: str = ""
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    anonymous: bool = False
