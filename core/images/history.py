"""How an image came about, as Docker's API shows it. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference

_FRACTION = re.compile(r"\.(\d{1,9})\d*")


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
        tags = [Reference.parse(text).familiar for text in image.references]
        lines[-1] |= {"Id": str(image.id), "Tags": tags or None}
    return lines[::-1]


def seconds(text: str) -> float:
    """An RFC 3339 time as seconds since the epoch; 0 where an image has none or a bad one."""
    try:
        moment = datetime.datetime.fromisoformat(_FRACTION.sub(lambda found: f".{found[1][:6]}", text))
        return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        return 0.0
