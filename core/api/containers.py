"""Routes of containers that answer at once."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import unquote

from core.api import container_views as views
from core.api.grouping import join_asked
from core.api.image_views import familiar
from core.api.routing import Answer, Request, Route, json_reply, no_content
from core.engine import filters as select
from core.engine.engine import Engine
from core.errors import InvalidArgument, NoSuchImage
from core.model.container import ContainerRecord
from core.wire.codec import parse_create, parse_filters, parse_object

_ID = re.compile(r"[0-9a-f]{64}")


async def list_containers(engine: Engine, request: Request) -> Answer:
    """GET /containers/json"""
    filters = parse_filters(request.text("filters"))
    images = await engine.images.select({})

    def ancestors(value: str) -> set[str]:
        return {
            image.id
            for image in images
            if value in image.references
            or image.id.startswith((value, f"sha256:{value}"))
            or any(_names(reference, value) for reference in image.references)
        }

    records = select.select(
        engine.records.all(),
        filters,
        all_states=request.flag("all"),
        limit=request.number("limit", 0) or 0,
        lookup=engine.records.get,
        ancestors=ancestors,
    )
    now = time.time_ns()
    return json_reply(
        [
            views.summary(
                record,
                now,
                image=await engine.images.shown_name(record.config.image, record.image_id),
                size=await _size(engine, record) if request.flag("size") else None,
            )
            for record in records
        ]
    )


def _names(reference: str, value: str) -> bool:
    name = familiar(reference)
    return value in (name, name.rpartition(":")[0])


async def _size(engine: Engine, record: ContainerRecord) -> tuple[int, int]:
    try:
        image_size = (await engine.images.get(record.image_id)).size
    except NoSuchImage:
        image_size = 0
    return await engine.inspection.size(record, image_size)


async def create(engine: Engine, request: Request) -> Answer:
    """POST /containers/create; a client that has chosen the id may ask again, and is told of the same container."""
    wanted = _wanted_id(request.header("onggi-id"))
    if wanted and engine.records.find(wanted):
        return json_reply({"Id": wanted, "Warnings": []}, 201)
    asked = parse_create(request.body)
    others = [name for name in asked.networks if name not in ("default", "bridge", "host", "none")]
    if others:
        engine.networks.get(others[0])
    record, warnings = await engine.creator.create(
        request.text("name"),
        asked.config,
        asked.host,
        ident=wanted,
        command_line=_command_line(request.header("onggi-command")),
    )
    return json_reply({"Id": record.id, "Warnings": warnings}, 201)


def _wanted_id(header: str) -> str:
    """The id that a client has made for its container, "" when it has not. Raises InvalidArgument."""
    if header and not _ID.fullmatch(header):
        raise InvalidArgument("invalid Onggi-Id: must be 64 hexadecimal digits")
    return header


def _command_line(header: str) -> tuple[str, ...]:
    """The client's own argv, url-quoted JSON; a client that tells nonsense tells nothing."""
    try:
        words = json.loads(unquote(header)) if header else []
    except ValueError:
        return ()
    return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else ()


async def inspect(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/json"""
    record = engine.records.get(request.id)
    return json_reply(
        views.inspect(
            record,
            engine.paths,
            rootfs=engine.inspection.rootfs(record),
            execs=[made.id for made in engine.execs.instances.running(record.id)],
            size=await _size(engine, record) if request.flag("size") else None,
        )
    )


async def start(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/start"""
    await engine.containers.start(request.id)
    return no_content()


async def stop(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/stop"""
    await engine.containers.stop(request.id, patience=request.number("t"), signal=request.text("signal"))
    return no_content()


async def restart(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/restart"""
    await engine.containers.restart(request.id, patience=request.number("t"), signal=request.text("signal"))
    return no_content()


async def kill(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/kill"""
    await engine.containers.kill(request.id, request.text("signal"))
    return no_content()


async def rename(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/rename"""
    await engine.containers.rename(request.id, request.text("name"))
    return no_content()


async def update(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/update"""
    await engine.updating.update(request.id, parse_object(request.body, what="update request"))
    return json_reply({"Warnings": []})


async def pause(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/pause"""
    await engine.containers.pause(request.id)
    return no_content()


async def unpause(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/unpause"""
    await engine.containers.unpause(request.id)
    return no_content()


async def resize(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/resize"""
    height, width = terminal_size(request)
    await engine.containers.resize(request.id, height=height, width=width)
    return json_reply({})


def terminal_size(request: Request) -> tuple[int, int]:
    """`h` and `w` of a resize request. Raises InvalidArgument."""
    height, width = request.number("h"), request.number("w")
    if height is None or width is None or not (0 <= height < 65536 and 0 <= width < 65536):
        raise InvalidArgument("invalid terminal size: h and w must be numbers from 0 to 65535")
    return height, width


async def remove(engine: Engine, request: Request) -> Answer:
    """DELETE /containers/{id}"""
    if request.flag("link"):
        raise InvalidArgument("links between containers are not supported")
    join_asked(request)
    await engine.containers.remove(request.id, force=request.flag("force"), volumes=request.flag("v"))
    return no_content()


async def top(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/top"""
    return json_reply(await engine.inspection.top(request.id))


async def prune(engine: Engine, request: Request) -> Answer:
    """POST /containers/prune"""
    plan = await engine.pruning.plan(("containers",), parse_filters(request.text("filters")))
    done = await engine.pruning.carry_out(plan, command="container prune")
    return json_reply({"ContainersDeleted": done.containers or None, "SpaceReclaimed": done.reclaimed})


ROUTES = (
    Route("GET", "/containers/json", list_containers),
    Route("POST", "/containers/create", create),
    Route("POST", "/containers/prune", prune),
    Route("GET", "/containers/{id}/json", inspect),
    Route("POST", "/containers/{id}/start", start),
    Route("POST", "/containers/{id}/stop", stop),
    Route("POST", "/containers/{id}/restart", restart),
    Route("POST", "/containers/{id}/kill", kill),
    Route("POST", "/containers/{id}/rename", rename),
    Route("POST", "/containers/{id}/update", update),
    Route("POST", "/containers/{id}/pause", pause),
    Route("POST", "/containers/{id}/unpause", unpause),
    Route("POST", "/containers/{id}/resize", resize),
    Route("GET", "/containers/{id}/top", top),
    Route("DELETE", "/containers/{id}", remove),
)
