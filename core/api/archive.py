"""Routes of `cp`: a path of a container as a tar. Docker Engine API, "Get an archive of a filesystem resource"."""

from __future__ import annotations

import base64
import stat
from typing import Any

from core.api.routing import Answer, Reply, Request, Route, Stream
from core.api.spool import spool
from core.engine.engine import Engine
from core.errors import InvalidArgument, NoSuchPath
from core.oci.document import encode
from core.wire.codec import timestamp
from core.wire.http import Headers

TAR = "application/x-tar"
# st_mode in the words of Go's io/fs.FileMode.
_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_FLAGS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def go_mode(mode: int) -> int:
    """`st_mode` as Go writes it."""
    found = mode & 0o777 | _KINDS.get(stat.S_IFMT(mode), 0)
    return found | sum(theirs for ours, theirs in _FLAGS.items() if mode & ours)


def _path(request: Request) -> str:
    path = request.text("path")
    if not path:
        raise InvalidArgument("bad parameter: path cannot be empty")
    if "\0" in path:
        raise NoSuchPath(f"Could not find the file {path!r} in container {request.id}")
    return path


async def _stat(engine: Engine, request: Request) -> Headers:
    """The header that says what a path is."""
    found = await engine.copying.stat(request.id, _path(request))
    document: dict[str, Any] = {
        "name": found["name"].encode(errors="surrogateescape").decode(errors="replace"),
        "size": found["size"],
        "mode": go_mode(found["mode"]),
        "mtime": timestamp(found["mtime_ns"]),
        "linkTarget": found["link"].encode(errors="surrogateescape").decode(errors="replace"),
    }
    return [("X-Docker-Container-Path-Stat", base64.b64encode(encode(document)).decode())]


async def take(engine: Engine, request: Request) -> Answer:
    """HEAD and GET /containers/{id}/archive"""
    headers = await _stat(engine, request)
    if request.head.method == "HEAD":
        return Reply(200, headers=headers)
    return Stream(await engine.copying.take(request.id, _path(request)), TAR, headers)


async def put(engine: Engine, request: Request) -> Answer:
    """PUT /containers/{id}/archive"""
    path = _path(request)
    engine.records.get(request.id)
    with await spool(engine.paths, request.connection.body()) as tar:
        await engine.copying.put(
            request.id,
            path,
            tar.fileno(),
            keep_kinds=request.flag("noOverwriteDirNonDir"),
            as_user=request.flag("copyUIDGID"),
        )
    return Reply(200)


ROUTES = (
    Route("GET", "/containers/{id}/archive", take),
    Route("PUT", "/containers/{id}/archive", put, streams_body=True),
)
