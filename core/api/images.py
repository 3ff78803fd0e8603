"""Routes of images."""

from __future__ import annotations

from core.api import image_views as views
from core.api import registry
from core.api.grouping import join_asked
from core.api.progress import progress_stream
from core.api.routing import Answer, Reply, Request, Route, Stream, json_reply
from core.api.spool import pipe_out, spool
from core.engine.engine import Engine
from core.engine.images import Report
from core.engine.pruning import is_true
from core.errors import InvalidArgument, Unsupported
from core.wire.codec import parse_filters

TAR = "application/x-tar"
SIZE_HEADER = "Onggi-Size"  # bytes that the body will have


async def list_images(engine: Engine, request: Request) -> Answer:
    """GET /images/json"""
    images = await engine.images.select(parse_filters(request.text("filters")))
    acts = engine.images
    return json_reply(
        [views.summary(one, len(acts.containers_of(one.id)), used=acts.last_used(one)) for one in images]
    )


async def inspect(engine: Engine, request: Request) -> Answer:
    """GET /images/{name}/json"""
    found = views.inspect(await engine.images.get(request.arguments["name"]))
    if request.version < (1, 45):  # docker-compose 1 looks into it for the volumes of an image
        found |= {"Container": "", "ContainerConfig": found["Config"]}
    return json_reply(found)


async def history(engine: Engine, request: Request) -> Answer:
    """GET /images/{name}/history"""
    return json_reply(await engine.images.history(request.arguments["name"]))


async def tag(engine: Engine, request: Request) -> Answer:
    """POST /images/{name}/tag"""
    await engine.images.tag(request.arguments["name"], request.text("repo"), request.text("tag"))
    return Reply(201)


async def remove(engine: Engine, request: Request) -> Answer:
    """DELETE /images/{name}"""
    join_asked(request)
    return json_reply(await engine.images.remove(request.arguments["name"], force=request.flag("force")))


async def prune(engine: Engine, request: Request) -> Answer:
    """POST /images/prune"""
    filters = parse_filters(request.text("filters"))
    plan = await engine.pruning.plan(("images",), filters, all_images=not is_true(filters, "dangling", "true"))
    done = await engine.pruning.carry_out(plan, command="image prune")
    return json_reply({"ImagesDeleted": done.images or None, "SpaceReclaimed": done.reclaimed})


async def load(engine: Engine, request: Request) -> Answer:
    """POST /images/load"""
    archive = await spool(engine.paths, request.connection.body())

    async def work(report: Report) -> list[dict[str, object]]:
        with archive:
            lines = await engine.images.load(archive.fileno(), report)
        return [{"stream": f"{line}\n"} for line in lines]

    return Stream(progress_stream(work, quiet=request.flag("quiet")))


async def save(engine: Engine, request: Request) -> Answer:
    """GET /images/get and GET /images/{name}/get"""
    names = (request.arguments["name"],) if "name" in request.arguments else request.texts("names")
    names = tuple(part for name in names for part in name.split(",") if part)
    if not names:
        raise InvalidArgument("no image to save: give at least one name")
    engine.images.check_saved(names)
    size = await engine.images.saved_size(names)
    pieces = pipe_out(lambda write: engine.images.save(names, write))
    # No Content-Length: an archive that ends early, because a layer is damaged, is to be no whole one.
    return Stream(pieces, TAR, [(SIZE_HEADER, str(size))], held=True)


async def create(engine: Engine, request: Request) -> Answer:
    """POST /images/create: pull, or import from the request's body"""
    source = request.text("fromSrc")
    if request.text("fromImage"):
        return await registry.pull(engine, request)
    if not source:
        raise InvalidArgument("name an image to pull (fromImage), or send one to import (fromSrc=-)")
    if source != "-":
        raise Unsupported("import from a URL is not supported: send the archive itself")
    archive = await spool(engine.paths, request.connection.body())

    async def work(report: Report) -> list[dict[str, object]]:
        with archive:
            return [{"status": await import_file(engine, request, archive.fileno(), report)}]

    return Stream(progress_stream(work, quiet=False))


async def import_file(engine: Engine, request: Request, archive: int, report: Report) -> str:
    """Import the file `archive` as the query says; the image's id. Raises InvalidArgument, BadArchive."""
    reference, tag_name = request.text("repo"), request.text("tag")
    image = await engine.images.import_(
        archive,
        reference=f"{reference}:{tag_name}" if reference and tag_name else reference,
        message=request.text("message"),
        changes=request.texts("changes"),
        progress=report,
    )
    return image.id


async def starter(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/images/starter"""

    async def work(report: Report) -> list[dict[str, object]]:
        image = await engine.images.starter(report)
        reference = views.familiar(image.references[0]) if image.references else ""
        return [{"aux": {"ID": image.id, "Reference": reference}}]

    return Stream(progress_stream(work, quiet=False))


ROUTES = (
    Route("GET", "/images/json", list_images),
    Route("POST", "/images/load", load, streams_body=True),
    Route("GET", "/images/get", save),
    Route("POST", "/images/create", create, streams_body=True),
    Route("POST", "/images/prune", prune),
    Route("GET", "/images/{name:path}/json", inspect),
    Route("GET", "/images/{name:path}/history", history),
    Route("GET", "/images/{name:path}/get", save),
    Route("POST", "/images/{name:path}/tag", tag),
    Route("DELETE", "/images/{name:path}", remove),
    Route("POST", "/onggi/v1/images/starter", starter),
)
