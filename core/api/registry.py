"""Routes that speak to registries. The asking client's credentials come in a header; nobody keeps or logs them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.api.progress import progress_stream
from core.api.routing import Answer, Request, Route, Stream, json_reply
from core.engine.engine import Engine
from core.engine.remote import Report
from core.errors import EngineError, InvalidArgument, Unauthorized
from core.model.registry import Credentials
from core.oci.image import Descriptor, Platform
from core.wire.codec import parse_filters
from core.wire.credentials import HEADER, decode, parse


def _credentials(request: Request) -> Credentials | None:
    return decode(request.header(HEADER.lower()))


@contextmanager
def _unasked() -> Iterator[None]:
    """Docker's client takes a 401 for a question, and asks its user for a password: of Docker Hub, whatever it was
    that had to be pulled, and of a pipe too."""
    try:
        yield
    except Unauthorized as error:
        raise EngineError(error.message) from error


async def pull(engine: Engine, request: Request) -> Answer:
    """POST /images/create?fromImage="""
    image, tag, platform = request.text("fromImage"), request.text("tag"), request.text("platform")
    credentials = _credentials(request)

    async def work(report: Report) -> list[dict[str, object]]:
        with _unasked():
            await engine.remote.pull(image, tag, platform=platform, credentials=credentials, report=report)
        return []

    return Stream(progress_stream(work, quiet=False, held=True), held=True)


async def push(engine: Engine, request: Request) -> Answer:
    """POST /images/{name}/push"""
    name, tag = request.arguments["name"], request.text("tag")
    credentials = _credentials(request)

    async def work(report: Report) -> list[dict[str, object]]:
        done = await engine.remote.push(name, tag, credentials=credentials, report=report)
        return [
            {"progressDetail": {}, "aux": {"Tag": one.reference.tag, "Digest": one.digest, "Size": one.size}}
            for one in done
        ]

    return Stream(progress_stream(work, quiet=False, held=True), held=True)


async def auth(engine: Engine, request: Request) -> Answer:
    """POST /auth"""
    token = await engine.remote.login(parse(request.body))
    return json_reply({"Status": "Login Succeeded", "IdentityToken": token})


async def search(engine: Engine, request: Request) -> Answer:
    """GET /images/search"""
    with _unasked():
        found = await engine.remote.search(
            request.text("term"),
            limit=request.number("limit") or 0,
            filters=parse_filters(request.text("filters")),
            credentials=_credentials(request),
        )
    return json_reply(
        [
            {
                "star_count": hit.star_count,
                "is_official": hit.is_official,
                "name": hit.name,
                "is_automated": hit.is_automated,
                "description": hit.description,
            }
            for hit in found
        ]
    )


async def distribution(engine: Engine, request: Request) -> Answer:
    """GET /distribution/{name}/json"""
    found = await engine.remote.offer(request.arguments["name"], _credentials(request))
    return json_reply(
        {"Descriptor": _descriptor(found.descriptor), "Platforms": [_platform(one) for one in found.platforms]}
    )


async def manifest(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/registry/manifest?name="""
    found = await engine.remote.offer(_wanted(request, "name"), _credentials(request))
    return json_reply(
        {
            "Descriptor": _descriptor(found.descriptor),
            "Platforms": [str(one) for one in found.platforms],
            "Size": found.size,
            "Raw": base64.b64encode(found.manifest).decode(),
            "Manifest": found.document,
        }
    )


def _descriptor(found: Descriptor) -> dict[str, Any]:
    return {"mediaType": found.media_type, "digest": found.digest, "size": found.size}


def _platform(found: Platform) -> dict[str, str]:
    members = {"architecture": found.architecture, "os": found.os, "variant": found.variant}
    return {name: value for name, value in members.items() if value}


async def catalog(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/registry/catalog?registry="""
    return json_reply(await engine.remote.catalog(_wanted(request, "registry"), _credentials(request)))


async def tags(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/registry/tags?name="""
    return json_reply(await engine.remote.tags(_wanted(request, "name"), _credentials(request)))


def _wanted(request: Request, name: str) -> str:
    text = request.text(name)
    if not text:
        raise InvalidArgument(f"{name} is missing")
    return text


PULL = Route("POST", "/images/create", pull)
ROUTES = (
    Route("POST", "/auth", auth),
    Route("GET", "/images/search", search),
    Route("POST", "/images/{name:path}/push", push),
    Route("GET", "/distribution/{name:path}/json", distribution),
    Route("GET", "/onggi/v1/registry/manifest", manifest),
    Route("GET", "/onggi/v1/registry/catalog", catalog),
    Route("GET", "/onggi/v1/registry/tags", tags),
)
