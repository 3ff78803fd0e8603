"""`onggi system df`"""

from __future__ import annotations

from core.cli import listing, units, words
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IMAGES = ("Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers")
_CONTAINERS = ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names")
_VOLUMES = {"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"}
_CACHES = ("CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED")
HEADERS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}


def df(context: Context, given: Arguments) -> int:
    """Where the disk space went, and how much of it nothing needs."""
    if given.on("verbose") and given.text("format"):
        raise CommandFailed("the verbose and the format options conflict")
    found = context.engine.get("/system/df")
    if given.on("verbose"):
        _verbose(context, found)
        return 0
    rows = [_images(found), _containers(found), _volumes(found), _caches(found)]
    kept = found.get("OnggiKept") or {}
    if kept.get("Count"):  # only our own engine has it: what rmi and prune took and undo can bring back
        rows.append(_row("Kept for undo", kept["Count"], 0, kept["Size"], kept["Size"]))
    listing.show(rows, HEADERS, tuple(HEADERS), given.text("format"))
    return 0


def _verbose(context: Context, found: dict[str, Any]) -> None:
    """Every image, container, volume, cached step and removal by itself."""
    from core.cli.verb import images, ps
    from core.cli.verb.undo import HEADERS as REMOVALS
    from core.cli.verb.undo import row as removal_row

    named = sorted(found.get("Images") or (), key=lambda image: -image["Created"])
    rows = [row for image in named for row in images.rows_of(image, full=False, digests=False)]
    print("Images space usage:\n")
    listing.show(rows, images.HEADERS, _IMAGES)
    print("\nContainers space usage:\n")
    listing.show([ps.row(one, full=False) for one in found.get("Containers") or ()], ps.HEADERS, _CONTAINERS)
    print("\nLocal Volumes space usage:\n")
    listing.show([_volume(volume) for volume in found.get("Volumes") or ()], _VOLUMES, tuple(_VOLUMES))
    caches = found.get("BuildCache") or ()
    print(f"\nBuild cache usage: {units.human_size(sum(cache.get('Size') or 0 for cache in caches))}\n")
    listing.show([_cache(cache) for cache in caches], dict(zip(_CACHES, _CACHES, strict=True)), _CACHES)
    if (found.get("OnggiKept") or {}).get("Count"):
        print("\nKept for undo:\n")
        listing.show(
            [removal_row(entry) for entry in context.engine.get("/onggi/v1/undo")], REMOVALS, tuple(REMOVALS)
        )


def _volume(volume: dict[str, Any]) -> dict[str, str]:
    usage = volume.get("UsageData") or {}
    size = usage.get("Size", -1)
    return {
        "Links": str(usage.get("RefCount", 0)),
        "Name": volume["Name"],
        "Size": units.human_size(size) if size >= 0 else "N/A",
    }


def _cache(cache: dict[str, Any]) -> dict[str, str]:
    used = cache.get("LastUsedAt") or ""
    return {
        "CACHE ID": words.short_id(cache["ID"]),
        "CACHE TYPE": cache.get("Type") or "",
        "SIZE": units.human_size(cache.get("Size") or 0),
        "CREATED": words.ago(words.epoch(cache["CreatedAt"])) if cache.get("CreatedAt") else "",
        "LAST USED": words.ago(words.epoch(used)) if used else "",
        "USAGE": str(cache.get("UsageCount") or 0),
        "SHARED": "true" if cache.get("Shared") else "false",
    }


def _caches(found: dict[str, Any]) -> dict[str, str]:
    caches = found.get("BuildCache") or ()
    used = [cache for cache in caches if cache.get("InUse")]
    size = sum(cache.get("Size") or 0 for cache in caches if not cache.get("Shared"))
    held = sum(cache.get("Size") or 0 for cache in used if not cache.get("Shared"))
    return _row("Build Cache", len(caches), len(used), size, size - held)


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


DF = Command(
    df,
    "Show disk usage",
    "",
    (
        option("format", "", "Format output using a custom template"),
        switch("verbose", "v", "Show detailed information on space usage"),
    ),
)
