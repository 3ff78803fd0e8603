"""Routes of what builds have left: how much it is, and its prune, onggi's own with the plan first."""

from __future__ import annotations

from typing import Any

from core.api.routing import Answer, Request, Route, json_reply
from core.engine.buildcache import CachePlan, Held
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.wire.codec import parse_filters, parse_object, timestamp


async def usage(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/build/cache"""
    return json_reply([docker_item(one) for one in await engine.builds.held.usage()])


async def plan(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/build/prune: what a prune would remove"""
    return json_reply(_plan_body(await _plan(engine, request)))


async def carry_out(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/build/prune: `{"Items": [{"ID": …}]}` goes and nothing else"""
    items = parse_object(request.body, what="prune plan").get("Items")
    idents = [item.get("ID") for item in items if isinstance(item, dict)] if isinstance(items, list) else [None]
    if not all(isinstance(ident, str) for ident in idents):
        raise InvalidArgument("prune plan is not acceptable: Items must be a list of objects with an ID")
    return json_reply(_plan_body(await engine.builds.held.carry_out([str(ident) for ident in idents])))


async def docker_prune(engine: Engine, request: Request) -> Answer:
    """POST /build/prune"""
    found = await _plan(engine, request)
    done = await engine.builds.held.carry_out([one.id for one in found.going])
    return json_reply({"CachesDeleted": [one.id for one in done.going] or None, "SpaceReclaimed": done.reclaimed})


async def _plan(engine: Engine, request: Request) -> CachePlan:
    keep = request.number("keep-storage") or request.number("reserved-space") or 0
    filters = parse_filters(request.text("filters"))
    return await engine.builds.held.plan(filters, everything=request.flag("all"), keep=max(keep, 0))


def _plan_body(found: CachePlan) -> dict[str, Any]:
    return {"Items": [docker_item(one) for one in found.going], "SpaceReclaimed": found.reclaimed}


def docker_item(one: Held) -> dict[str, Any]:
    """A BuildCache of Docker's API."""
    return {
        "ID": one.id,
        "Parents": None,
        "Type": one.kind,
        "Description": one.description,
        "InUse": one.in_use,
        "Shared": one.shared,
        "Size": one.size,
        "CreatedAt": timestamp(int(one.created_at * 1e9)),
        "LastUsedAt": timestamp(int(one.used_at * 1e9)),
        "UsageCount": one.uses,
    }


ROUTES = (
    Route("GET", "/onggi/v1/build/cache", usage),
    Route("GET", "/onggi/v1/build/prune", plan),
    Route("POST", "/onggi/v1/build/prune", carry_out),
    Route("POST", "/build/prune", docker_prune),
)
