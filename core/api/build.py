"""Routes of builds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import IO, Any

import msgspec

from core.api.build_views import ClassicLines, event_line
from core.api.routing import Answer, Request, Route, Stream, json_reply
from core.api.spool import spool
from core.build.cachespecs import parse_from, parse_to
from core.build.history import new_id
from core.dockerfile.giturl import is_git, parse_git
from core.engine.buildmounts import parse_secrets
from core.engine.builds import BuildWish, CaughtUp
from core.engine.engine import Engine
from core.errors import EngineError, InvalidArgument, Unsupported
from core.model.build import Built, Event, Failed, Report
from core.model.container import HostConfig
from core.oci.document import convert
from core.wire.codec import json_line, one_line, parse_object
from core.wire.credentials import CONFIG_HEADER, decode_all

LAG = 64  # events that a slow client may be behind
Work = Callable[[Report, CaughtUp], Awaitable[None]]
View = Callable[[Event], Iterator[dict[str, Any]]]


async def build(engine: Engine, request: Request) -> Answer:
    """POST /build; with `onggi=1` the answer is our own events instead of Docker's lines

    The header `Onggi-Build` names the build in the history. With `detach=1` that is all: the build goes on alone.
    """
    if request.text("version") == "2":
        raise Unsupported("BuildKit is not here: build with DOCKER_BUILDKIT=0, or with onggi build")
    wish = wish_of(request)
    if token := request.text("secrets"):
        wish = replace(wish, secrets=engine.builds.take_secrets(token))
    archive: IO[bytes] | None = None
    if is_git(remote := request.text("remote")):
        wish = replace(wish, repository=parse_git(remote))
    elif remote:
        archive, wish = await _remote(engine, wish, remote)
    else:
        archive = await spool(engine.paths, request.connection.body())
    quiet = request.flag("q")
    view: View = event_line if request.flag("onggi") else ClassicLines(quiet=quiet)

    if request.flag("detach"):
        return json_reply({"Id": await engine.builds.start(wish, archive)}, 201)
    ident = new_id()

    async def work(report: Report, caught_up: CaughtUp) -> None:
        with archive or nullcontext():
            fd = None if archive is None else archive.fileno()
            await engine.builds.build(wish, fd, report, caught_up, ident=ident)

    ours = request.flag("onggi")  # Docker's client wants what is wrong with the file as a status
    return Stream(_lines(work, view, quiet=quiet, held=not ours), headers=[("Onggi-Build", ident)], held=not ours)


async def _remote(engine: Engine, wish: BuildWish, url: str) -> tuple[IO[bytes], BuildWish]:
    """The archive that a URL has, or the Dockerfile, which then is all there is."""
    if not url.startswith(("http://", "https://")):
        raise InvalidArgument(f"invalid remote {url[:200]}: it is a repository, or a URL of http or https")
    return await engine.builds.fetch(wish, url)


async def secrets(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/build/secrets: `{"ID": "base64"}` for the build that follows; the answer names them"""
    return json_reply({"Id": engine.builds.keep_secrets(parse_secrets(request.body))}, 201)


def wish_of(request: Request) -> BuildWish:
    """The query of a build. Raises InvalidArgument."""
    return BuildWish(
        dockerfile=request.text("dockerfile") or "Dockerfile",
        names=request.texts("t"),
        target=request.text("target"),
        args={name: value for name, value in _mapping(request, "buildargs").items() if value is not None},
        labels={name: value or "" for name, value in _mapping(request, "labels").items()},
        platform=request.text("platform"),
        no_cache=request.flag("nocache"),
        pull=request.flag("pull"),
        host=_host(request),
        contexts={name: value or "" for name, value in _mapping(request, "contexts").items()},
        place=request.text("place"),
        cache_from=parse_from(_texts(request, "cachefrom"), here=not request.flag("onggi")),
        cache_to=parse_to(_texts(request, "cacheto")),
        session=request.text("session"),
        packed=request.flag("packed"),
        ssh=_texts(request, "ssh"),
        squash=request.flag("squash"),
        no_cache_stages=tuple(name.lower() for name in _texts(request, "nocachefilter")),
        credentials=decode_all(request.header(CONFIG_HEADER.lower())),
    )


def _host(request: Request) -> HostConfig:
    """What RUN may use. No privilege is among it: a client who wants one runs a container."""
    if request.text("isolation") not in ("", "default"):
        raise Unsupported("isolation is not supported: it is for Windows")
    for name in ("securityopt", "cgroupparent"):
        if request.text(name) not in ("", "null", "[]"):
            raise Unsupported(f"{name} is not supported: every step is confined as containers are by default")
    numbers = {
        member: request.number(name) or 0
        for name, member in (
            ("shmsize", "shm_size"), ("memory", "memory"), ("memswap", "memory_swap"), ("cpushares", "cpu_shares"),
            ("cpuperiod", "cpu_period"), ("cpuquota", "cpu_quota"),
        )
    }  # fmt: skip
    text = request.text("ulimits")
    ulimits = parse_object(b'{"Ulimits": %s}' % (text.encode() or b"[]"), what="ulimits")
    host = convert(ulimits, HostConfig, what="ulimits")
    return msgspec.structs.replace(
        host, network_mode=request.text("networkmode") or "default", extra_hosts=request.texts("extrahosts"),
        cpuset_cpus=request.text("cpusetcpus"), cpuset_mems=request.text("cpusetmems"), **numbers,
    )  # fmt: skip


def _mapping(request: Request, name: str) -> dict[str, str | None]:
    text = request.text(name)
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid {name}: {text[:80]}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str | None) for value in found.values()):
        raise InvalidArgument(f"invalid {name}: must be an object of texts")
    return found


def _texts(request: Request, name: str) -> tuple[str, ...]:
    """A list of texts as JSON; Docker's client sends `null` for none."""
    text = request.text(name)
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid {name}: {text[:80]}") from error
    if not isinstance(found, list | None) or not all(isinstance(item, str) for item in found or ()):
        raise InvalidArgument(f"invalid {name}: must be a list of texts")
    return tuple(found or ())


class _Channel:
    """Events from a build to its client. The build's programs wait when the client lags behind."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, event: Event | None) -> None:
        self._queue.put_nowait(event)
        if self._queue.qsize() >= LAG:
            self._room.clear()

    async def get(self) -> Event | None:
        event = await self._queue.get()
        if self._queue.qsize() < LAG:
            self._room.set()
        return event

    async def caught_up(self) -> None:
        await self._room.wait()


async def _lines(work: Work, view: View, *, quiet: bool, held: bool) -> AsyncGenerator[bytes, None]:
    """Lines of what `work` tells. Closing it ends the build. With `held` an error before any line is raised."""
    channel = _Channel()
    failed = told = False
    task = asyncio.ensure_future(work(channel.put, channel.caught_up))
    task.add_done_callback(lambda _: channel.put(None))
    try:
        while (event := await channel.get()) is not None:
            failed = failed or isinstance(event, Failed)
            if not quiet or isinstance(event, Built | Failed):
                for line in view(event):
                    told = True
                    yield json_line(line)
        await asyncio.wait([task])
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EngineError | asyncio.CancelledError):
            raise error
        if isinstance(error, EngineError) and held and not told and not failed:
            raise error
        if error is not None and not failed:  # else a step has said it already
            message = one_line(error.message) if isinstance(error, EngineError) else "the build was cancelled"
            yield json_line({"errorDetail": {"message": message}, "error": message})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


ROUTES = (
    Route("POST", "/build", build, streams_body=True),
    Route("POST", "/onggi/v1/build/secrets", secrets),
)
