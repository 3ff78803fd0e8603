"""Images as Docker's API shows them: a line of a list, the whole of an inspect, the steps of a history. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import plain
from core.oci.reference import Reference

_FRACTION = re.compile(r"\.(\d{1,9})\d*")


def summary(image: Image, *, containers: int = -1) -> dict[str, Any]:
    """An item of GET /images/json. `containers` = how many are made from it, -1 = not counted."""
    return {
        "Id": str(image.id),
        "ParentId": "",
        "RepoTags": familiar(image.references),
        "RepoDigests": familiar(image.repo_digests),
        "Created": int(seconds(image.config.created)),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": -1,
        "Labels": image.config.config.labels or None,
        "Containers": containers,
    }


def inspect(image: Image) -> dict[str, Any]:
    """GET /images/NAME/json."""
    config = image.config
    tagged = datetime.datetime.fromtimestamp(image.created_at, datetime.UTC)
    return {
        "Id": str(image.id),
        "RepoTags": familiar(image.references),
        "RepoDigests": familiar(image.repo_digests),
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created,
        "DockerVersion": config.docker_version,
        "Author": config.author,
        "Config": execution(image),
        "Architecture": config.architecture,
        "Variant": config.variant,
        "Os": config.os or "linux",
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": [str(layer) for layer in config.rootfs.diff_ids]},
        "Metadata": {"LastTagTime": tagged.isoformat()},
    }


def execution(image: Image) -> dict[str, Any]:
    """The Config member of an inspect: Docker writes null for lists and maps that were not given."""
    members: dict[str, Any] = plain(image.config.config)
    for name in ("Cmd", "Entrypoint", "Volumes", "OnBuild", "Labels", "Env"):
        members[name] = members.get(name) or None
    for name in ("ExposedPorts", "Healthcheck", "Shell", "StopSignal", "ArgsEscaped"):
        if not members.get(name):
            members.pop(name, None)
    return members


def history(image: Image, layer_size: Callable[[Digest], int]) -> list[dict[str, Any]]:
    """GET /images/NAME/history, newest first. `layer_size` = bytes of the layer with a chainID."""
    chain = list(image.config.chain)
    lines = []
    for step in image.config.history:
        size = 0 if step.empty_layer or not chain else layer_size(chain.pop(0))
        lines.append(
            {
                "Id": "<missing>",
                "Created": int(seconds(step.created)),
                "CreatedBy": step.created_by,
                "Tags": None,
                "Size": size,
                "Comment": step.comment,
            }
        )
    if lines:
        lines[-1] |= {"Id": str(image.id), "Tags": familiar(image.references) or None}
    return lines[::-1]


def familiar(references: tuple[str, ...]) -> list[str]:
    """Full references as people write them."""
    return [Reference.parse(text).familiar for text in references]


def seconds(text: str) -> float:
    """An RFC 3339 time as seconds since the epoch; 0 where an image has none or a bad one."""
    try:
        moment = datetime.datetime.fromisoformat(_FRACTION.sub(lambda found: f".{found[1][:6]}", text))
        return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        return 0.0
