"""Routes of prunes: onggi's own, plan first, and those Docker's `system prune` asks besides."""

from __future__ import annotations

from typing import Any

from core.api.routing import Answer, Request, Route, json_reply
from core.engine.engine import Engine
from core.engine.pruning import Item, Plan, is_true
from core.errors import InvalidArgument
from core.wire.codec import parse_filters, parse_object

KINDS = ("containers", "images", "volumes")


async def plan(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/prune"""
    kinds = request.texts("what") or ("containers", "images")
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidArgument(f"prune {kind}: it must be one of {', '.join(KINDS)}")
    filters = parse_filters(request.text("filters"))
    found = await engine.pruning.plan(
        kinds,
        {name: values for name, values in filters.items() if name not in ("all", "dangling")},
        all_images=not is_true(filters, "dangling", "true"),
        all_volumes=is_true(filters, "all"),
    )
    return json_reply(
        {
            "Containers": [{"Id": item.id, "Name": item.names[0], "Size": item.size} for item in found.containers],
            "Images": [{"Id": item.id, "Names": item.names, "Size": item.size} for item in found.images],
            "Volumes": [{"Name": item.id, "Size": item.size} for item in found.volumes],
            "SpaceReclaimed": found.reclaimed,
        }
    )


async def carry_out(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/prune"""
    asked = parse_object(request.body, what="prune plan")
    wanted = Plan(
        tuple(_items(asked, "Containers", "Id")),
        tuple(_items(asked, "Images", "Id")),
        tuple(_items(asked, "Volumes", "Name")),
    )
    done = await engine.pruning.carry_out(wanted, command=request.text("command", "prune"))
    return json_reply(
        {
            "ContainersDeleted": done.containers,
            "ImagesDeleted": done.images,
            "VolumesDeleted": done.volumes,
            "Kept": [{"Id": ident, "Why": why} for ident, why in done.kept],
            "SpaceReclaimed": done.reclaimed,
        }
    )


def _items(asked: dict[str, Any], member: str, key: str) -> list[Item]:
    found = []
    items = asked.get(member) or []
    if not isinstance(items, list):
        raise InvalidArgument(f"prune plan is not acceptable: {member} must be a list")
    for item in items:
        ident = item.get(key) if isinstance(item, dict) else None
        names = (item.get("Names") or []) if isinstance(item, dict) else []
        size = item.get("Size", 0) if isinstance(item, dict) else 0
        fits = isinstance(names, list) and all(isinstance(name, str) for name in names) and isinstance(size, int)
        if not isinstance(ident, str) or not fits:
            raise InvalidArgument(f"prune plan is not acceptable: bad item of {member}")
        found.append(Item(ident, tuple(names), size))
    return found


async def networks(engine: Engine, request: Request) -> Answer:
    """POST /networks/prune: those that the engine made itself stay"""
    return json_reply({"NetworksDeleted": None})


ROUTES = (
    Route("GET", "/onggi/v1/prune", plan),
    Route("POST", "/onggi/v1/prune", carry_out),
    Route("POST", "/networks/prune", networks),
)
