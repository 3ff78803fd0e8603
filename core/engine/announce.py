"""Events about containers, with the attributes that Docker gives them."""

from __future__ import annotations

from core.engine.events import Events
from core.model.container import ContainerRecord


def announce(events: Events, record: ContainerRecord, action: str, **attributes: str) -> None:
    """Publish `action` of a container: its labels, image and name, and `attributes`."""
    events.publish(
        "container",
        action,
        record.id,
        {**record.config.labels, "image": record.config.image, "name": record.name, **attributes},
    )


def announce_network(events: Events, record: ContainerRecord, action: str) -> None:
    """Publish that a container was connected to, or disconnected from, its network."""
    if record.endpoint is not None:
        name = record.endpoint.network
        kind = {"none": "null"}.get(name, name)
        events.publish(
            "network", action, record.endpoint.network_id, {"container": record.id, "name": name, "type": kind}
        )


def announce_volumes(events: Events, record: ContainerRecord, action: str) -> None:
    """Publish that a container's volumes were mounted or unmounted."""
    for point in record.mounts:
        if point.type != "volume":
            continue
        attributes = {"container": record.id, "driver": point.driver or "local"}
        if action == "mount":
            attributes |= {
                "destination": point.destination,
                "propagation": point.propagation,
                "read/write": "true" if point.rw else "false",
            }
        events.publish("volume", action, point.name, attributes)
