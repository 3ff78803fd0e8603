"""Routes that look at what a container has changed, or keep it as an image."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from core.api.routing import Answer, Request, Route, Stream, json_reply
from core.engine.committing import Wish
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.model.container import ContainerConfig
from core.oci.document import convert, encode
from core.wire.codec import parse_object

_KINDS = {"C": 0, "A": 1, "D": 2}  # Docker's numbers


async def commit(engine: Engine, request: Request) -> Answer:
    """POST /commit"""
    container, repository, tag = request.text("container"), request.text("repo"), request.text("tag")
    if not container:
        raise InvalidArgument("no container to commit: give its name or id")
    wish = Wish(
        reference=f"{repository}:{tag}" if repository and tag else repository,
        comment=request.text("comment"),
        author=request.text("author"),
        changes=request.texts("changes"),
        pause=request.flag("pause") if request.text("pause") else True,
        config=_config(request.body),
    )
    image = await engine.committing.commit(container, wish)
    return json_reply({"Id": image.id}, 201)


def _config(body: bytes) -> ContainerConfig | None:
    """The body, which most clients leave out, or say `null` in. Raises InvalidArgument."""
    if body.strip() in (b"", b"null"):
        return None
    document = parse_object(body, what="commit request")
    for member in ("Cmd", "Entrypoint"):
        if isinstance(document.get(member), str):
            document[member] = [document[member]]
    return convert(document, ContainerConfig, what="commit request")


async def changes(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/changes"""
    engine.records.get(request.id)
    found = engine.committing.changes(request.id)
    first = await anext(found, None)

    async def body() -> AsyncGenerator[bytes, None]:
        async with aclosing(found):
            yield b"[" + (_change(first) if first else b"")
            async for change in found:
                yield b"," + _change(change)
            yield b"]\n"

    return Stream(body())


def _change(change: tuple[str, bytes]) -> bytes:
    kind, path = change
    return encode({"Path": path.decode(errors="replace"), "Kind": _KINDS[kind]})


ROUTES = (
    Route("POST", "/commit", commit),
    Route("GET", "/containers/{id}/changes", changes),
)
