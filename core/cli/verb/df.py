"""`onggi system df`"""

from __future__ import annotations

from core.cli import listing, units
from core.cli.context import Context
from core.cli.parser import Arguments, Command, option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADERS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}


def df(context: Context, given: Arguments) -> int:
    """Where the disk space went, and how much of it nothing needs."""
    found = context.engine.get("/system/df")
    listing.show(
        [_images(found), _containers(found), _volumes(found)], HEADERS, tuple(HEADERS), given.text("format")
    )
    return 0


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, str]:
    share = f" ({reclaimable * 100 // size}%)" if size > 0 else ""
    return {
        "Active": str(active),
        "Reclaimable": f"{units.human_size(reclaimable)}{share}",
        "Size": units.human_size(size),
        "TotalCount": str(total),
        "Type": kind,
    }


def _images(found: dict[str, Any]) -> dict[str, str]:
    images = found.get("Images") or ()
    size = found.get("LayersSize") or 0
    unused = [image for image in images if not image.get("Containers")]
    used = sum(image["Size"] - max(image.get("SharedSize") or 0, 0) for image in images if image.get("Containers"))
    return _row("Images", len(images), len(images) - len(unused), size, max(size - used, 0))


def _containers(found: dict[str, Any]) -> dict[str, str]:
    containers = found.get("Containers") or ()
    up = [one for one in containers if one["State"] in ("running", "paused", "restarting")]
    size = sum(one.get("SizeRw") or 0 for one in containers)
    return _row("Containers", len(containers), len(up), size, size - sum(one.get("SizeRw") or 0 for one in up))


def _volumes(found: dict[str, Any]) -> dict[str, str]:
    usages = [volume.get("UsageData") or {} for volume in found.get("Volumes") or ()]
    sizes = [(max(usage.get("Size") or 0, 0), usage.get("RefCount") or 0) for usage in usages]
    size = sum(size for size, _ in sizes)
    active = sum(count > 0 for _, count in sizes)
    return _row("Local Volumes", len(sizes), active, size, sum(size for size, count in sizes if not count))


DF = Command(df, "Show disk usage", "", (option("format", "", "Format output using a custom template"),))
