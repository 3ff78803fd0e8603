"""Builds by way of the engine, for the app: begin one, follow one that goes on, look at those that were.

A build belongs to the engine from its first step on: who follows it may go away and come back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import msgspec

from core.aio import off_loop
from core.client import buildcontext
from core.client.address import Value
from core.client.credentials import ConfigFile
from core.dockerfile.parser import parse
from core.dockerfile.words import Expander
from core.errors import EngineError, EngineUnreachable
from core.model.build import Event
from core.model.buildrecord import BuildRecord
from core.model.registry import Credentials
from core.oci.reference import Reference
from core.wire.credentials import CONFIG_HEADER, encode_all

_HERE = "/onggi/v1/builds"
_SOURCE_LIMIT = 1 << 20  # bytes of a Dockerfile


class Asking(Protocol):
    """What of `core.client.aclient.AsyncClient` is needed."""

    async def get(self, path: str, **query: Value) -> Any: ...
    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Value
    ) -> Any: ...
    async def delete(self, path: str, **query: Value) -> Any: ...
    def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] = ...,
        **query: Value,
    ) -> AsyncGenerator[Any, None]: ...
    def upload(
        self,
        path: str,
        file: IO[bytes],
        progress: Callable[[int, int], None] | None = None,
        headers: Mapping[str, str] = ...,
        **query: Value,
    ) -> AsyncGenerator[Any, None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be built. `folder` is the context, absolute; `dockerfile` a path, "" = the folder's own."""

    folder: str
    dockerfile: str = ""
    names: Sequence[str] = ()
    target: str = ""
    platform: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    pull: bool = False

    @property
    def path(self) -> str:
        """The Dockerfile."""
        return self.dockerfile or os.path.join(self.folder, "Dockerfile")  # noqa: PTH118


@dataclass(frozen=True, slots=True)
class Told:
    """One event, `at` seconds after the build began; no event but an `error` where no step was to blame."""

    at: float
    event: Event | None = None
    error: str = ""


class Inside(msgspec.Struct, frozen=True, rename="pascal"):
    """An image that is what `step` came to, with the program that is its shell, for `kept` seconds.

    `broken` = the step failed, and what it had done until then is there too.
    """

    image: str
    step: int
    broken: bool = False
    shell: tuple[str, ...] = ("/bin/sh",)
    kept: float = 0.0


class Summary(msgspec.Struct, frozen=True, rename="pascal"):
    """A build in the list: `total`, `done` and `cached` count steps. The rest is as in a BuildRecord."""

    id: str
    started: float
    place: str = ""
    dockerfile: str = ""
    names: tuple[str, ...] = ()
    target: str = ""
    seconds: float = 0.0
    outcome: str = ""
    image: str = ""
    error: str = ""
    total: int = 0
    done: int = 0
    cached: int = 0


async def begin(client: Asking, wish: Wish, progress: Callable[[int, int], None] | None = None) -> str:
    """Send the context and let the engine build: the build's id. `progress` is told of bytes sent.

    Raises InvalidArgument for a context that cannot be read, EngineError.
    """
    archive, name = await off_loop(buildcontext.pack, wish.folder, wish.dockerfile)
    place = await off_loop(os.path.realpath, wish.folder)
    headers = await off_loop(_credentials, wish)
    query: dict[str, Value] = {
        "onggi": True,
        "packed": True,
        "detach": True,
        "dockerfile": name,
        "t": tuple(wish.names),
        "target": wish.target or None,
        "platform": wish.platform or None,
        "buildargs": wish.args,
        "labels": wish.labels,
        "nocache": wish.no_cache or None,
        "pull": wish.pull or None,
        "place": place,
    }
    try:
        async with aclosing(client.upload("/build", archive, progress, headers, **query)) as answer:
            async for value in answer:
                if value.get("Id"):
                    return str(value["Id"])
                if value.get("error"):
                    raise EngineError(str(value["error"]))
    finally:
        await off_loop(archive.close)
    raise EngineUnreachable("the engine did not say which build it has begun")


async def follow(client: Asking, ident: str) -> AsyncGenerator[Told, None]:
    """The events of a build from the first on, and those to come while it goes on. Raises NotFound, EngineError."""
    async with aclosing(client.stream(f"{_HERE}/{ident}/log", follow=True)) as values:
        async for value in values:
            yield _told(value)


async def listed(client: Asking) -> tuple[Summary, ...]:
    """Every build that is known, the newest first. Raises NotFound by an engine that keeps none, EngineError."""
    found: tuple[Summary, ...] = _convert(await client.get(_HERE) or (), tuple[Summary, ...])
    return found


async def inspect(client: Asking, ident: str) -> BuildRecord:
    """One build with its steps and its Dockerfile. Raises NotFound, EngineError."""
    found: BuildRecord = _convert(await client.get(f"{_HERE}/{ident}"), BuildRecord)
    return found


async def cancel(client: Asking, ident: str) -> None:
    """End a build. Raises NotFound, Conflict where it has ended, EngineError."""
    await client.post(f"{_HERE}/{ident}/cancel")


async def enter(client: Asking, ident: str, step: int) -> Inside:
    """The file system of a step as an image. Raises NotFound where the engine has it no more, EngineError."""
    found: Inside = _convert(await client.post(f"{_HERE}/{ident}/shell", step=step), Inside)
    return found


async def forget(client: Asking, ident: str) -> None:
    """Remove a build that has ended from the list. Raises NotFound, Conflict, EngineError."""
    await client.delete(f"{_HERE}/{ident}")


def source(path: str) -> bytes:
    """A Dockerfile as far as it can be one. Blocks. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold anybody up
    with open(descriptor, "rb") as file:
        return file.read(_SOURCE_LIMIT) or b""


def _told(value: Mapping[str, Any]) -> Told:
    at = float(value.get("At") or 0.0)
    if "Event" in value:
        return Told(at, _convert(value, Event))
    return Told(at, error=str(value.get("error") or ""))


def _convert(value: object, kind: Any) -> Any:
    """`value` as that kind. Raises EngineUnreachable for what no engine of ours says."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise EngineUnreachable(f"the engine's answer is not that of a build: {error}") from error


def _credentials(wish: Wish) -> dict[str, str]:
    """The user's credentials for the registries of the bases; what cannot be read the build tells later."""
    found: dict[str, Credentials] = {}
    with contextlib.suppress(EngineError, OSError):
        file = parse(source(wish.path))
        variables = {name: value or "" for arg in file.args for name, value in arg.names} | dict(wish.args)
        config = ConfigFile.load()
        for stage in file.stages:
            with contextlib.suppress(EngineError):
                domain = Reference.parse(Expander(variables).word(stage.start.base)).domain
                kept = config.find(domain)
                if kept is not None:
                    found[domain] = kept
    return {CONFIG_HEADER: encode_all(found)}
