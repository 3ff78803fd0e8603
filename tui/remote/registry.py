"""What the app asks of registries, through the engine. Credentials come with each question and are never kept."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from core.client.address import quote
from core.errors import BadReference, EngineError
from core.oci.reference import HUB, Reference
from tui.calls import Client
from tui.jobs.model import Watch
from tui.state import Json

PLATFORMS: Final = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/386", "linux/s390x")
"""What images are built for most often: to complete what is typed."""

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

Headers = Mapping[str, str]
Credentials = Callable[[str], Awaitable[Headers]]
"""Called with a registry's name: the headers that carry what the user has for it."""


@dataclass(frozen=True, slots=True)
class TagFacts:
    """What a registry holds under one tag: bytes that a pull would fetch at most, digest, platforms."""

    size: int = 0
    digest: str = ""
    platforms: tuple[str, ...] = ()
    kind: str = ""


class Registries:
    """Each method raises the EngineError of its failure."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def pull(self, reference: str, platform: str, watch: Watch, *, all_tags: bool = False) -> str:
        """Pull; what came of it, in words."""
        known = Reference.parse(reference)
        name, tag = known.name, "" if all_tags else str(known.digest or known.tag or "latest")
        query = {"fromImage": name, "tag": tag or None, "platform": platform or None}
        headers = await self._credentials(known.domain)
        lines = self._client.stream("/images/create", method="POST", headers=headers, **query)
        return await self._follow(lines, watch)

    async def push(self, reference: str, watch: Watch) -> str:
        """Push; what came of it, in words."""
        known = Reference.parse(reference)
        lines = self._client.stream(
            f"/images/{_path(known.name)}/push",
            method="POST",
            headers=await self._credentials(known.domain),
            tag=known.tag or "latest",
        )
        return await self._follow(lines, watch)

    async def _follow(self, lines: AsyncGenerator[Json, None], watch: Watch) -> str:
        said = ""
        async with aclosing(lines) as stream:
            async for line in stream:
                if line.get("error"):
                    raise EngineError(str(line["error"]))
                watch.heard(line)
                if not line.get("id") and line.get("status"):
                    said = str(line["status"])
        return outcome(said)

    async def catalog(self, server: str) -> list[str]:
        """The repositories of a registry that tells them."""
        found = await self._ask("catalog", server, registry=server)
        return [str(name) for name in found or ()]

    async def tags(self, repository: str) -> list[str]:
        """The tags of a repository given with its registry."""
        found = await self._ask("tags", Reference.parse(repository).domain, name=repository)
        return [str(tag) for tag in found or ()]

    async def facts(self, reference: str) -> TagFacts:
        """Size, digest and platforms of a tag."""
        found = await self._ask("manifest", Reference.parse(reference).domain, name=reference)
        return facts_of(found or {})

    async def _ask(self, what: str, server: str, **query: str) -> Any:
        asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        lines = self._client.stream(f"/onggi/v1/registry/{what}?{asked}", headers=await self._credentials(server))
        async with aclosing(lines) as stream:
            async for found in stream:
                return found  # the answer is one JSON value
        return None


def _path(name: str) -> str:
    return quote(name).replace("%2F", "/").replace("%3A", ":")


def outcome(status: str) -> str:
    """The last line of a pull or push in few words."""
    digest = _DIGEST.search(status)
    if "Image is up to date" in status:
        return "nothing newer there"
    if "Downloaded newer image" in status:
        return "pulled"
    return digest.group()[:19] if digest else status


def facts_of(document: Json) -> TagFacts:
    """Facts of a tag from the engine's answer: a manifest, or an index of several."""
    manifest = document.get("Manifest") or document
    descriptor = document.get("Descriptor") or {}
    layers = [*(manifest.get("layers") or ()), *([manifest["config"]] if manifest.get("config") else ())]
    size = sum(int(layer.get("size") or 0) for layer in layers)
    platforms = [platform_words(one.get("platform") or {}) for one in manifest.get("manifests") or ()]
    told = [*(document.get("Platforms") or ()), *platforms]
    return TagFacts(
        size=int(document.get("Size") or 0) or size,
        digest=str(descriptor.get("digest") or document.get("Digest") or ""),
        platforms=tuple(dict.fromkeys(str(one) for one in told if one and "unknown" not in str(one))),
        kind=str(descriptor.get("mediaType") or manifest.get("mediaType") or ""),
    )


def platform_words(platform: Json) -> str:
    """`linux/arm64/v8`"""
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(part) for part in parts if part)


def server_of(reference: str) -> str:
    """The registry that a reference names; "" where it is none."""
    try:
        return Reference.parse(reference).domain
    except BadReference:
        return ""


def repository_of(reference: str) -> str:
    """The repository a reference names, in full; "" where it names none."""
    try:
        return Reference.parse(reference).name
    except BadReference:
        return ""


def shown_server(server: str) -> str:
    """A registry as people call it."""
    return "Docker Hub" if server == HUB else server
