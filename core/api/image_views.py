"""Images, volumes and networks as Docker's API shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import InvalidArgument
from core.model.image import Image
from core.model.network import NetworkRecord, VolumeRecord
from core.oci.document import plain
from core.oci.reference import Reference
from core.wire.codec import parse_timestamp, timestamp


def familiar(reference: str) -> str:
    """A stored reference as people write it."""
    return Reference.parse(reference).familiar


def _created(image: Image) -> int:
    try:
        return max(0, parse_timestamp(image.config.created) // 1_000_000_000) if image.config.created else 0
    except InvalidArgument:
        return 0


def summary(image: Image, containers: int = -1, *, shared: int = -1, used: float = 0.0) -> dict[str, Any]:
    """A line of GET /images/json; `shared` = bytes of layers that other images have too, -1 = not counted.

    `used` = when a container was made from it last, seconds since the epoch, 0 = never; Docker has no such member.
    """
    return {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": [familiar(name) for name in image.references],
        "RepoDigests": [familiar(name) for name in image.repo_digests],
        "Created": _created(image),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": shared,
        "Labels": image.config.config.labels or None,
        "Containers": containers,
        "LastUsed": int(used),
    }


def inspect(image: Image) -> dict[str, Any]:
    """The body of GET /images/{name}/json."""
    config = image.config
    execution = plain(config.config)
    for member in ("Cmd", "Entrypoint", "Volumes", "OnBuild", "Shell", "Healthcheck", "Labels"):
        execution[member] = execution[member] or None
    last = config.history[-1] if config.history else None
    return {
        "Id": image.id,
        "RepoTags": [familiar(name) for name in image.references],
        "RepoDigests": [familiar(name) for name in image.repo_digests],
        "Parent": "",
        "Comment": last.comment if last else "",
        "Created": config.created or "0001-01-01T00:00:00Z",
        "DockerVersion": config.docker_version,
        "Author": config.author,
        "Config": execution,
        "Architecture": config.architecture,
        "Variant": config.variant,
        "Os": config.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": None},
        "RootFS": {"Type": "layers", "Layers": list(config.rootfs.diff_ids)},
        "Metadata": {"LastTagTime": timestamp(int(image.created_at * 1e9))},
    }


def volume(record: VolumeRecord, *, used_by: int | None = None, size: int = -1) -> dict[str, Any]:
    """A volume as GET /volumes/{name} shows it."""
    document: dict[str, Any] = {
        "CreatedAt": record.created_at,
        "Driver": record.driver,
        "Labels": record.labels or None,
        "Mountpoint": record.mountpoint,
        "Name": record.name,
        "Options": record.options or None,
        "Scope": "local",
    }
    if used_by is not None:
        document["UsageData"] = {"RefCount": used_by, "Size": size}
    return document


def network(record: NetworkRecord, endpoints: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A network as GET /networks/{id} shows it; each endpoint has `id` beside what is shown."""
    pools = [{"Subnet": record.subnet, "Gateway": record.gateway}] if record.subnet else []
    return {
        "Name": record.name,
        "Id": record.id,
        "Created": record.created,
        "Scope": "local",
        "Driver": record.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": pools},
        "Internal": record.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            endpoint["id"]: {name: value for name, value in endpoint.items() if name != "id"}
            for endpoint in endpoints
        },
        "Options": record.options,
        "Labels": record.labels,
    }
