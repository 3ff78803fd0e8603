"""Registries for the app: pull, push, log in, search and look around, by way of the engine.

Each takes the headers that `headers_for` gives: the engine keeps no credentials. Closing a stream cancels its work.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from core.client.aclient import NO_HEADERS, AsyncClient
from core.client.address import Value, quote
from core.client.credentials import ConfigFile
from core.errors import EngineError
from core.model.events import Progress
from core.model.registry import Credentials
from core.oci.reference import Reference
from core.wire.credentials import HEADER, encode, proved, to_document

Headers = Mapping[str, str]
_HERE = "/onggi/v1/registry"


def headers_for(server: str) -> dict[str, str]:
    """The header with what the user has for a registry; empty for who has nothing. Raises InvalidArgument."""
    found = ConfigFile.load().find(server)
    return {HEADER: encode(found)} if found else {}


async def pull(
    client: AsyncClient,
    reference: str,
    *,
    platform: str = "",
    all_tags: bool = False,
    headers: Headers = NO_HEADERS,
) -> AsyncGenerator[Progress, None]:
    """Pull, telling each step. Raises EngineError with the registry's or the engine's reason."""
    known = Reference.parse(reference)
    if not all_tags:
        known = known.with_default_tag()
    steps = client.stream(
        "/images/create",
        method="POST",
        headers=headers,
        fromImage=known.name,
        tag=str(known.digest or known.tag or "") or None,
        platform=platform or None,
    )
    async with aclosing(_steps(steps)) as told:
        async for step in told:
            yield step


async def push(
    client: AsyncClient, reference: str, *, all_tags: bool = False, headers: Headers = NO_HEADERS
) -> AsyncGenerator[Progress, None]:
    """Push, telling each step. Raises EngineError with the registry's or the engine's reason."""
    known = Reference.parse(reference)
    if not all_tags:
        known = known.with_default_tag()
    path = f"/images/{quote(known.name)}/push"
    steps = client.stream(path, method="POST", headers=headers, tag=known.tag)
    async with aclosing(_steps(steps)) as told:
        async for step in told:
            yield step


async def _steps(values: AsyncGenerator[Any, None]) -> AsyncGenerator[Progress, None]:
    async with aclosing(values) as stream:
        async for value in stream:
            if value.get("error"):
                raise EngineError(str(value["error"]))
            if "status" in value:
                detail = value.get("progressDetail") or {}
                yield Progress(
                    id=str(value.get("id") or ""),
                    status=str(value["status"]),
                    current=int(detail.get("current") or 0),
                    total=int(detail.get("total") or value.get("size") or 0),
                )


async def login(client: AsyncClient, credentials: Credentials) -> Credentials:
    """Prove `credentials` to their server: what is to be kept of them. Raises Unauthorized, Unavailable."""
    answer = await client.post("/auth", to_document(credentials)) or {}
    return proved(credentials, answer)


async def search(
    client: AsyncClient, term: str, *, limit: int | None = None, headers: Headers = NO_HEADERS
) -> list[dict[str, Any]]:
    """What is found: name, description, star_count, is_official. Raises Unavailable, NotFound."""
    return list(await _ask(client, "/images/search", headers, term=term, limit=limit) or ())


async def catalog(client: AsyncClient, server: str, *, headers: Headers = NO_HEADERS) -> list[str]:
    """The repositories that a registry tells of. Raises Unauthorized, Unavailable, NotFound."""
    return list(await _ask(client, f"{_HERE}/catalog", headers, registry=server) or ())


async def tags(client: AsyncClient, repository: str, *, headers: Headers = NO_HEADERS) -> list[str]:
    """The tags of a repository. Raises Unauthorized, Unavailable, NotFound."""
    return list(await _ask(client, f"{_HERE}/tags", headers, name=repository) or ())


async def manifest(client: AsyncClient, reference: str, *, headers: Headers = NO_HEADERS) -> dict[str, Any]:
    """What is there under a name: Descriptor, Platforms (`linux/amd64`), Size in bytes, Manifest.

    Raises Unauthorized, Unavailable, NotFound.
    """
    return dict(await _ask(client, f"{_HERE}/manifest", headers, name=reference) or {})


async def _ask(client: AsyncClient, path: str, headers: Headers, **query: Value) -> Any:
    async with aclosing(client.stream(path, method="GET", body=None, headers=headers, **query)) as answer:
        async for value in answer:
            return value  # the whole answer is one value
    return None
