"""Routes of containers whose answer is a stream: attach, logs, wait, stats, export."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from core.api.refusing import refuse
from core.api.routing import Answer, Request, Route, Stream, TakenOver, json_reply
from core.api.stats_views import stats_json
from core.engine.engine import Engine
from core.engine.keys import parse_detach_keys
from core.engine.logs import LogOptions
from core.engine.parking import AttachOptions, Client
from core.engine.waiters import Condition
from core.errors import EngineError, InvalidArgument
from core.logs.jsonfile import timestamp
from core.wire.codec import json_line, parse_timestamp
from core.wire.streams import MULTIPLEXED_STREAM, RAW_STREAM

STATS_INTERVAL = 1.0  # seconds, Docker's
CHUNK = 256 * 1024


async def attach(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/attach"""
    record = engine.attaching.check(request.id)
    live, past = request.flag("stream"), request.flag("logs")
    runs = engine.attaching.is_live(record)
    # Its shim writes the head: whoever reads it is attached. What was logged goes before the stream, and is ours.
    by_shim = live and runs and not past
    head = request.stream_head(tty=record.config.tty)
    options = AttachOptions(
        stdin=request.flag("stdin") and record.config.open_stdin,
        stdout=request.flag("stdout"),
        stderr=request.flag("stderr"),
        detach_keys=parse_detach_keys(request.text("detachKeys")),
        history=by_shim and request.flag("history") and record.config.tty,
        viewer=request.flag("viewer"),
        head=head.decode("latin-1").removesuffix("\r\n") if by_shim else "",
    )
    sock, early = request.take_over()
    loop = asyncio.get_running_loop()
    try:
        if not by_shim:
            await loop.sock_sendall(sock, head)
        if past:
            async for piece in engine.logs.lines(record, LogOptions(options.stdout, options.stderr)):
                await loop.sock_sendall(sock, piece)
    except OSError:
        live = False  # the client is gone already
    if live:
        try:
            await engine.attaching.attach(record, Client(sock, options, early))
        except EngineError as error:
            await refuse(sock, error)
    else:
        sock.close()
    return TakenOver()


async def logs(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/logs"""
    record = engine.records.get(request.id)
    options = log_options(request)
    engine.logs.check(record)
    multiplexed = not record.config.tty and request.version >= (1, 42)
    return Stream(engine.logs.lines(record, options), MULTIPLEXED_STREAM if multiplexed else RAW_STREAM)


def log_options(request: Request) -> LogOptions:
    """The query of a logs request. Raises InvalidArgument."""
    options = LogOptions(
        stdout=request.flag("stdout"),
        stderr=request.flag("stderr"),
        follow=request.flag("follow"),
        timestamps=request.flag("timestamps"),
        tail=_tail(request.text("tail", "all")),
        since=_bound(request.text("since")),
        until=_bound(request.text("until")),
    )
    if not options.streams:
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    return options


def _tail(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _bound(text: str) -> str:
    if text in ("", "0"):
        return ""
    return timestamp(parse_timestamp(text))


async def wait(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/wait"""
    condition = Condition.parse(request.text("condition"))
    future = engine.containers.wait(request.id, condition)

    async def answer() -> AsyncGenerator[bytes, None]:
        try:
            yield b""  # begun: to close it then ends the wait, also where the client leaves before the head
            yield json_line({"Error": None, "StatusCode": await future})
        finally:
            future.cancel()

    pieces = answer()
    await anext(pieces)
    return Stream(pieces)


async def stats(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/stats"""
    record = engine.records.get(request.id)
    once = not request.flag("stream", True)
    one_shot = once and request.flag("one-shot")
    if once:
        before = None
        if not one_shot:
            before = await engine.inspection.sample(record)
            await asyncio.sleep(STATS_INTERVAL)
        return json_reply(stats_json(record, await engine.inspection.sample(record), before))

    async def samples() -> AsyncGenerator[bytes, None]:
        before = None
        while (current := engine.records.find(record.id)) is not None:
            now = await engine.inspection.sample(current)
            yield json_line(stats_json(current, now, before))
            before = now
            await asyncio.sleep(STATS_INTERVAL)

    return Stream(samples())


async def export(engine: Engine, request: Request) -> Answer:
    """GET /containers/{id}/export"""
    record = engine.records.get(request.id)
    return Stream(await engine.exporting.export(record), "application/octet-stream", held=True)


ROUTES = (
    Route("POST", "/containers/{id}/attach", attach),
    Route("GET", "/containers/{id}/logs", logs),
    Route("POST", "/containers/{id}/wait", wait),
    Route("GET", "/containers/{id}/stats", stats),
    Route("GET", "/containers/{id}/export", export),
)
