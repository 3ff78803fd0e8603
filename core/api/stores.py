"""Routes of volumes and networks."""

from __future__ import annotations

from core.api import image_views as views
from core.api.grouping import join_asked
from core.api.routing import Answer, Request, Route, json_reply, no_content
from core.engine.engine import Engine
from core.engine.filters import has_label
from core.engine.pruning import is_true
from core.errors import InvalidArgument, Unsupported
from core.model.network import VolumeRecord
from core.wire.codec import parse_filters, parse_object


async def list_volumes(engine: Engine, request: Request) -> Answer:
    """GET /volumes"""
    filters = parse_filters(request.text("filters"))

    def wanted(record: VolumeRecord) -> bool:
        dangling = filters.get("dangling", ())
        if dangling and bool(engine.volumes.users(record.name)) is (dangling[0].lower() in ("true", "1")):
            return False
        names = filters.get("name", ())
        return all(has_label(record.labels, value) for value in filters.get("label", ())) and (
            not names or any(value in record.name for value in names)
        )

    shown = [views.volume(record) for record in await engine.volumes.all() if wanted(record)]
    return json_reply({"Volumes": shown, "Warnings": None})


async def create_volume(engine: Engine, request: Request) -> Answer:
    """POST /volumes/create"""
    asked = parse_object(request.body, what="volume request", optional=True)
    name, driver, labels = asked.get("Name") or "", asked.get("Driver") or "", asked.get("Labels") or {}
    if not isinstance(name, str) or not isinstance(driver, str) or not isinstance(labels, dict):
        raise InvalidArgument("volume request is not acceptable: Name, Driver or Labels is of the wrong kind")
    if asked.get("DriverOpts"):
        raise Unsupported("create volume: driver options are not supported")
    labels = {str(key): str(value) for key, value in labels.items()}
    return json_reply(views.volume(await engine.volumes.create(name, driver=driver, labels=labels)), 201)


async def inspect_volume(engine: Engine, request: Request) -> Answer:
    """GET /volumes/{name}"""
    return json_reply(views.volume(await engine.volumes.get(request.arguments["name"])))


async def remove_volume(engine: Engine, request: Request) -> Answer:
    """DELETE /volumes/{name}"""
    join_asked(request)
    await engine.volumes.remove(request.arguments["name"], force=request.flag("force"))
    return no_content()


async def prune_volumes(engine: Engine, request: Request) -> Answer:
    """POST /volumes/prune"""
    filters = parse_filters(request.text("filters"))
    plan = await engine.pruning.plan(("volumes",), filters, all_volumes=is_true(filters, "all"))
    done = await engine.pruning.carry_out(plan, command="volume prune")
    return json_reply({"VolumesDeleted": done.volumes or None, "SpaceReclaimed": done.reclaimed})


async def list_networks(engine: Engine, request: Request) -> Answer:
    """GET /networks"""
    filters = parse_filters(request.text("filters"))
    names, idents, drivers = filters.get("name", ()), filters.get("id", ()), filters.get("driver", ())
    return json_reply(
        [
            views.network(record)
            for record in engine.networks.all()
            if (not names or any(value in record.name for value in names))
            and (not idents or any(record.id.startswith(value) for value in idents))
            and (not drivers or record.driver in drivers)
        ]
    )


async def inspect_network(engine: Engine, request: Request) -> Answer:
    """GET /networks/{id}"""
    record = engine.networks.get(request.id)
    return json_reply(views.network(record, engine.networks.endpoints(record)))


async def create_network(engine: Engine, request: Request) -> Answer:
    """POST /networks/create"""
    raise Unsupported("create network: networks of one's own are not supported yet")


ROUTES = (
    Route("GET", "/volumes", list_volumes),
    Route("POST", "/volumes/create", create_volume),
    Route("POST", "/volumes/prune", prune_volumes),
    Route("GET", "/volumes/{name}", inspect_volume),
    Route("DELETE", "/volumes/{name}", remove_volume),
    Route("GET", "/networks", list_networks),
    Route("POST", "/networks/create", create_network),
    Route("GET", "/networks/{id}", inspect_network),
)
