"""Search: Hub's and others' `/v1/search`; a registry that has none is asked for its catalog instead."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from core.errors import DataLoss
from core.oci.reference import HUB
from core.registry.answers import Refused, shown
from core.registry.repository import names
from core.registry.session import Session


class _Hit(msgspec.Struct):
    name: str = ""
    description: str | None = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Page(msgspec.Struct):
    results: list[_Hit] = []


async def search(session: Session, domain: str, words: str, limit: int) -> list[dict[str, Any]]:
    """The members of each hit, at most `limit` where the registry does as it is asked.

    Raises Refused, Unavailable, DataLoss.
    """
    base = "https://index.docker.io" if domain == HUB else session.base
    try:
        data, _, _ = await session.document(f"{base}/v1/search?q={quote(words, safe='')}&n={limit}", scope="")
    except Refused as error:
        if error.http_status not in (404, 405) or domain == HUB:
            raise
        return await _in_catalog(session, domain, words)
    try:
        page = msgspec.json.decode(data, type=_Page)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise DataLoss("the registry's search result is not acceptable") from None
    return [
        {
            "name": shown(hit.name), "description": shown(hit.description or ""), "star_count": hit.star_count,
            "is_official": hit.is_official, "is_automated": hit.is_automated,
        }
        for hit in page.results
    ]  # fmt: skip


async def _in_catalog(session: Session, domain: str, words: str) -> list[dict[str, Any]]:
    found = await names(session, "_catalog?n=1000", "registry:catalog:*", "repositories")
    return [{"name": f"{domain}/{shown(name)}"} for name in found if words.lower() in name.lower()]
