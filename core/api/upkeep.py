"""Routes that only onggi has: into the layers of an image, and back from a removal."""

from __future__ import annotations

from typing import Any

from core.api.progress import Report, progress_stream
from core.api.routing import Answer, Reply, Request, Route, Stream, json_reply
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.images.layerview import Change, LayerRow
from core.images.undo import Removal
from core.images.verify import Finding
from core.oci.reference import Reference
from core.wire.codec import timestamp


async def layers(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/images/{name}/layers"""
    return json_reply([_layer(row) for row in engine.upkeep.views.layers(request.arguments["name"])])


def _layer(row: LayerRow) -> dict[str, Any]:
    return {
        "DiffID": row.diff_id,
        "ChainID": row.chain_id,
        "Size": row.size,
        "CreatedBy": row.created_by,
        "Empty": row.empty,
    }


async def layer_files(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/images/{name}/layers/{index}/files"""
    index = request.arguments["index"]
    if not index.isascii() or not index.isdigit() or len(index) > 4:
        raise InvalidArgument(f"invalid layer {index!r}: must be a number")
    found = await engine.upkeep.views.files(request.arguments["name"], int(index))
    return json_reply([_change(change) for change in found])


def _change(change: Change) -> dict[str, Any]:
    found = change.found
    return {
        "Path": shown(found.path),
        "Kind": found.kind,
        "Mode": found.mode,
        "Uid": found.uid,
        "Gid": found.gid,
        "Size": found.size,
        "Change": change.change,
        "Link": shown(found.link),
    }


def shown(path: str) -> str:
    """A file's name as JSON can hold it: names need not be UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def waste(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/images/{name}/waste"""
    found = await engine.upkeep.views.waste(request.arguments["name"])
    return json_reply(
        {
            "Wasted": found.wasted,
            "Efficiency": found.efficiency,
            "Files": [{"Path": shown(path), "Bytes": size, "Times": times} for path, size, times in found.files],
        }
    )


async def file(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/images/{name}/file: the first MiB of a file; Onggi-Size is the whole of it"""
    path = request.text("path")
    if not path:
        raise InvalidArgument("no file to read: give a path")
    data, size = await engine.upkeep.views.file(request.arguments["name"], path, layer=request.number("layer"))
    return Reply(200, data, "application/octet-stream", [("Onggi-Size", str(size))])


async def removals(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/undo"""
    return json_reply([_removal(entry, size) for entry, size in await engine.upkeep.removals()])


def _removal(entry: Removal, size: int) -> dict[str, Any]:
    return {
        "Id": entry.id,
        "What": entry.what,
        "When": timestamp(int(entry.at * 1e9)),
        "Expires": timestamp(int(entry.expires * 1e9)),
        "Bytes": size,
        "Command": entry.command,
    }


async def undo(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/undo"""
    done = await engine.upkeep.undo(request.number("id"))
    images = done.images
    return json_reply(
        {
            **_removal(images.entry, images.entry.size),
            "Images": list(images.images),
            "Names": [Reference.parse(name).familiar for name in images.names],
            "Taken": [Reference.parse(name).familiar for name in images.taken],
            "Containers": [{"Id": record.id, "Name": record.name} for record in done.rest.containers],
            "Volumes": list(done.rest.volumes),
            "Notes": list(done.rest.notes),
        }
    )


async def forget(engine: Engine, request: Request) -> Answer:
    """DELETE /onggi/v1/undo"""
    return json_reply({"SpaceReclaimed": await engine.upkeep.forget(request.number("id"))})


async def verify(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/verify: a progress stream, a line for everything that is wrong, and a last one"""
    names, repair = request.texts("image"), request.flag("repair")

    async def work(report: Report) -> list[dict[str, object]]:
        verdict = await engine.upkeep.verify(names, repair=repair, report=report)
        lines: list[dict[str, object]] = [{"aux": _finding(finding)} for finding in verdict.findings]
        return [*lines, {"aux": {"Checked": verdict.checked, "Bytes": verdict.bytes}}]

    return Stream(progress_stream(work, quiet=request.flag("quiet")))


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "What": finding.what,
        "Digest": finding.digest,
        "State": finding.state,
        "Detail": shown(finding.detail),
        "Images": finding.images,
        "Repaired": finding.repaired,
    }


ROUTES = (
    Route("GET", "/onggi/v1/images/{name:path}/layers", layers),
    Route("GET", "/onggi/v1/images/{name:path}/layers/{index}/files", layer_files),
    Route("GET", "/onggi/v1/images/{name:path}/waste", waste),
    Route("GET", "/onggi/v1/images/{name:path}/file", file),
    Route("POST", "/onggi/v1/verify", verify),
    Route("GET", "/onggi/v1/undo", removals),
    Route("POST", "/onggi/v1/undo", undo),
    Route("DELETE", "/onggi/v1/undo", forget),
)
