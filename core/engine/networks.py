"""Networks as clients see them."""

from __future__ import annotations

from typing import Any, Protocol

from core.engine.records import Records
from core.errors import NoSuchNetwork
from core.model.network import NetworkRecord


class Store(Protocol):
    """The networks themselves."""

    def networks(self) -> tuple[NetworkRecord, ...]: ...


class NetworkViews:
    """List networks and who is on them."""

    def __init__(self, store: Store, records: Records) -> None:
        self._store = store
        self._records = records

    def all(self) -> tuple[NetworkRecord, ...]:
        """Every network."""
        return self._store.networks()

    def get(self, reference: str) -> NetworkRecord:
        """The network of a name, an id or the beginning of an id. Raises NoSuchNetwork."""
        for record in self._store.networks():
            if reference in (record.name, record.id):
                return record
        found = [record for record in self._store.networks() if reference and record.id.startswith(reference)]
        if len(found) != 1:
            raise NoSuchNetwork(f"network {reference} not found")
        return found[0]

    def endpoints(self, network: NetworkRecord) -> list[dict[str, Any]]:
        """The running containers on a network."""
        return [
            {
                "id": record.id,
                "Name": record.name,
                "EndpointID": record.endpoint.endpoint_id,
                "MacAddress": record.endpoint.mac_address,
                "IPv4Address": f"{record.endpoint.ip_address}/{record.endpoint.ip_prefix_len}"
                if record.endpoint.ip_address
                else "",
                "IPv6Address": "",
            }
            for record in self._records.all()
            if record.running and record.endpoint is not None and record.endpoint.network == network.name
        ]
