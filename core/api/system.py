"""Routes about the engine as a whole, and those that only onggi has."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from core.api import buildcache, container_views, image_views
from core.api.routing import Answer, Reply, Request, Route, Stream, json_reply
from core.engine.engine import Engine
from core.engine.events import check_filters
from core.wire.codec import event_json, json_line, parse_filters, parse_timestamp

ONGGI_API = ("Onggi-Api", "1")


async def ping(engine: Engine, request: Request) -> Answer:
    """GET and HEAD /_ping"""
    headers = [ONGGI_API, ("Builder-Version", ""), ("Cache-Control", "no-cache, no-store, must-revalidate")]
    return Reply(200, b"OK", "text/plain; charset=utf-8", [*headers, ("Pragma", "no-cache")])


async def version(engine: Engine, request: Request) -> Answer:
    """GET /version"""
    return json_reply(engine.system.version())


async def info(engine: Engine, request: Request) -> Answer:
    """GET /info"""
    return json_reply(await engine.system.info())


async def events(engine: Engine, request: Request) -> Answer:
    """GET /events"""
    filters = parse_filters(request.text("filters"))
    check_filters(filters)
    since, until = _moment(request.text("since")), _moment(request.text("until"))

    async def lines() -> AsyncGenerator[bytes, None]:
        async for event in engine.events.stream(since=since, until=until, filters=filters):
            yield json_line(event_json(event))

    return Stream(lines())


def _moment(text: str) -> int:
    return parse_timestamp(text) if text else 0


async def disk_usage(engine: Engine, request: Request) -> Answer:
    """GET /system/df"""
    usage, held = await engine.system.disk_usage(), await engine.builds.held.usage()
    removals = await engine.upkeep.removals()
    now = time.time_ns()
    containers = [
        container_views.summary(
            record, now, image=record.config.image, size=await engine.inspection.size(record, 0)
        )
        for record in engine.records.all()
    ]
    return json_reply(
        {
            "LayersSize": usage["LayersSize"],
            "Images": [
                image_views.summary(
                    image, len(engine.images.containers_of(image.id)), shared=usage["shared"][image.id]
                )
                for image in usage["images"]
            ],
            "Containers": containers,
            "Volumes": [
                image_views.volume(
                    record,
                    used_by=len(engine.volumes.users(record.name)),
                    size=await engine.system.folder_size(record.mountpoint),
                )
                for record in usage["volumes"]
            ],
            "OnggiKept": {"Count": len(removals), "Size": sum(size for _, size in removals)},
            "BuildCache": [buildcache.docker_item(one) for one in held],
            "BuilderSize": sum(one.size for one in held if not one.in_use),
        }
    )


async def host(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/host"""
    return json_reply({**engine.system.host(), "undo_seconds": engine.upkeep.undo_seconds()})


async def isolation(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/containers/{id}/isolation"""
    return json_reply(await engine.inspection.isolation(request.id))


async def stop(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/engine/stop"""
    return Reply(200, b"{}", then=engine.stop)


ROUTES = (
    Route("GET", "/_ping", ping),
    Route("GET", "/version", version),
    Route("GET", "/info", info),
    Route("GET", "/events", events),
    Route("GET", "/system/df", disk_usage),
    Route("GET", "/onggi/v1/host", host),
    Route("GET", "/onggi/v1/containers/{id}/isolation", isolation),
    Route("POST", "/onggi/v1/engine/stop", stop),
)
