"""The insides of images, undo and the state of the store, for the app: thin calls of `AsyncClient`.

Only onggi's own engine knows these; another answers NotFound.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import IO, Any, Protocol

from core.client.aclient import AsyncClient, HijackedSocket
from core.client.address import Value, quote
from core.errors import EngineUnreachable

_IMAGES = "/onggi/v1/images"


class Giving(Protocol):
    """The part of an `AsyncClient` that giving a file away needs."""

    async def hijack(self, path: str, body: object = None, **query: Value) -> HijackedSocket: ...


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


async def load_file(client: Giving, file: IO[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Have the engine load a file of this machine, which it reads itself: the lines of its progress stream.

    Raises NotFound before anything is done where the engine does not know how, EngineUnreachable where it ended
    over it; what is no regular file is an `error` line.
    """
    async with aclosing(_handed_over(client, "/onggi/v1/images/load", {}, file)) as values:
        async for value in values:
            yield value


async def import_file(
    client: Giving, file: IO[bytes], name: str = "", *, changes: Sequence[str] = ()
) -> AsyncGenerator[dict[str, Any], None]:
    """Have the engine make an image of a root file system in a file of this machine, as `load_file` reads one."""
    query = {"repo": name or None, "changes": list(changes)}
    async with aclosing(_handed_over(client, "/onggi/v1/images/import", query, file)) as values:
        async for value in values:
            yield value


async def save_file(client: Giving, images: Sequence[str], file: IO[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Have the engine write an archive of images into a file of this machine, as `load_file` reads one."""
    async with aclosing(_handed_over(client, "/onggi/v1/images/save", {"names": list(images)}, file)) as values:
        async for value in values:
            yield value


async def _handed_over(
    client: Giving, path: str, query: dict[str, Any], file: IO[bytes]
) -> AsyncGenerator[dict[str, Any], None]:
    stream = await client.hijack(path, **query)
    try:
        socket.send_fds(stream.sock, [b"\0"], [file.fileno()])
        pending, done = stream.early, False
        while piece := await asyncio.get_running_loop().sock_recv(stream.sock, 1 << 16):
            *lines, pending = (pending + piece).split(b"\n")
            for value in (json.loads(line) for line in lines if line.strip()):
                done = "aux" in value or "error" in value
                yield value
        if not done:
            raise EngineUnreachable("the engine closed the connection inside an answer")
    finally:
        stream.sock.close()


async def verify(
    client: AsyncClient, images: Sequence[str] = (), *, repair: bool = False
) -> AsyncGenerator[dict[str, Any], None]:
    """Have images (all, where none is named) read again: the lines of a progress stream. Raises NoSuchImage.

    One with `aux` for each finding (What, Digest, State, Detail, Images, Repaired), then one with Checked, Bytes.
    """
    path = "/onggi/v1/verify"
    async for value in client.stream(path, method="POST", image=list(images), repair=repair or None):
        yield value


async def removals(client: AsyncClient) -> list[dict[str, Any]]:
    """What can be undone, newest first: Id, What, When, Expires, Bytes, Command."""
    return list(await client.get("/onggi/v1/undo"))


async def forget(client: AsyncClient, ident: int | None = None) -> int:
    """Give up removal `ident`, or all of them: the bytes that are free now. Raises NotFound."""
    return int((await client.delete("/onggi/v1/undo", id=ident))["SpaceReclaimed"])


async def undo(client: AsyncClient, ident: int | None = None) -> dict[str, Any]:
    """Undo removal `ident`, or the last: the removal with Images, Names and Taken. Raises NotFound."""
    return dict(await client.post("/onggi/v1/undo", id=ident))
