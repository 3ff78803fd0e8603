"""Routes of images."""

from __future__ import annotations

from core.api import image_views as views
from core.api import registry
from core.api.fetched import fetched, url_of
from core.api.grouping import join_asked
from core.api.progress import progress_stream
from core.api.routing import Answer, Reply, Request, Route, Stream, json_reply
from core.api.spool import pipe_out, spool
from core.engine.engine import Engine
from core.engine.images import Report
from core.engine.pruning import is_true
from core.errors import InvalidArgument
from core.wire.codec import parse_filters

TAR = "application/x-tar"
SIZE_HEADER = "Onggi-Size"  # bytes that the body will have


async def list_images(engine: Engine, request: Request) -> Answer:
    """GET /images/json"""
    images = await engine.images.select(parse_filters(request.text("filters")))
    acts = engine.images
    shared = acts.shared_sizes() if request.flag("shared-size") else {}
    return json_reply(
        [
            views.summary(
                one, len(acts.containers_of(one.id)), shared=shared.get(one.id, -1), used=acts.last_used(one)
            )
            for one in images
        ]
    )


async def inspect(engine: Engine, request: Request) -> Answer:
    """GET /images/{name}/json"""
    found = views.inspect(await engine.images.get(request.arguments["name"]))
    # Gone from the API, but docker-compose 1 asks by the newest and looks into it for the volumes of an image.
    if request.version < (1, 45) or request.header("user-agent").startswith("docker-compose/1."):
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
    """POST /images/create: pull, or import from the request's body or a URL"""
    source = request.text("fromSrc")
    if request.text("fromImage"):
        return await registry.pull(engine, request)
    if not source:
        raise InvalidArgument("name an image to pull (fromImage), or send one to import (fromSrc=-)")
    if source != "-":
        return _import_url(engine, request, url_of(source))
    archive = await spool(engine.paths, request.connection.body())

    async def work(report: Report) -> list[dict[str, object]]:
        with archive:
            return [{"status": await import_file(engine, request, archive.fileno(), report)}]

    return Stream(progress_stream(work, quiet=False))


def _import_url(engine: Engine, request: Request, url: str) -> Answer:
    async def work(report: Report) -> list[dict[str, object]]:
        with await fetched(engine.paths, url, report) as archive:
            made = await import_file(engine, request, archive.fileno(), report, message=f"Imported from {url}")
            return [{"status": made}]

    return Stream(progress_stream(work, quiet=False, held=True), held=True)


async def import_file(engine: Engine, request: Request, archive: int, report: Report, *, message: str = "") -> str:
    """Import the file `archive` as the query says; the image's id. Raises InvalidArgument, BadArchive.

    `message` = what is said of it where the query says nothing.
    """
    reference, tag_name = request.text("repo"), request.text("tag")
    image = await engine.images.import_(
        archive,
        reference=f"{reference}:{tag_name}" if reference and tag_name else reference,
        message=request.text("message") or message,
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
