"""The insides of images, undo and the state of the store, for the app: thin calls of `AsyncClient`.

Only onggi's own engine knows these; another answers NotFound.
"""

from __future__ import annotations

from typing import Any

from core.client.aclient import AsyncClient
from core.client.address import quote

_IMAGES = "/onggi/v1/images"


async def layers(client: AsyncClient, image: str) -> list[dict[str, Any]]:
    """The steps of an image, bottom first: DiffID, ChainID, Size, CreatedBy, Empty. Raises NoSuchImage."""
    return list(await client.get(f"{_IMAGES}/{quote(image)}/layers"))


async def layer_files(client: AsyncClient, image: str, index: int) -> list[dict[str, Any]]:
    """What layer `index` changes (0 = the lowest that is not empty).

    Path, Kind, Mode, Uid, Gid, Size, Link and Change; of what is removed, Size is what it had.
    """
    return list(await client.get(f"{_IMAGES}/{quote(image)}/layers/{index}/files"))


async def waste(client: AsyncClient, image: str) -> dict[str, Any]:
    """Wasted (bytes), Efficiency (0 to 1) and Files, those that waste most first."""
    return dict(await client.get(f"{_IMAGES}/{quote(image)}/waste"))


async def file(client: AsyncClient, image: str, path: str, *, layer: int | None = None) -> bytes:
    """The first MiB of a file of an image, or of its layers up to `layer`. Raises NotFound, InvalidArgument."""
    pieces = client.pieces(f"{_IMAGES}/{quote(image)}/file", path=path, layer=layer)
    return b"".join([piece async for piece in pieces])


async def removals(client: AsyncClient) -> list[dict[str, Any]]:
    """What can be undone, newest first: Id, What, When, Expires, Bytes, Command."""
    return list(await client.get("/onggi/v1/undo"))


async def forget(client: AsyncClient, ident: int | None = None) -> int:
    """Give up removal `ident`, or all of them: the bytes that are free now. Raises NotFound."""
    return int((await client.delete("/onggi/v1/undo", id=ident))["SpaceReclaimed"])


async def undo(client: AsyncClient, ident: int | None = None) -> dict[str, Any]:
    """Undo removal `ident`, or the last: the removal with Images, Names and Taken. Raises NotFound."""
    return dict(await client.post("/onggi/v1/undo", id=ident))
