"""`cp`: a container's files by path, for containers that run and that do not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.exporting import Exporting
from core.engine.locks import Locks
from core.engine.records import Records
from core.errors import Forbidden, NoSuchPath
from core.model.container import ContainerRecord
from core.packets import Message
from core.paths import Paths


class Jobs(Protocol):
    """The part of the zygote's client that runs jobs."""

    async def run(self, job: str, args: Message, fds: Sequence[int] = ()) -> tuple[Message, list[int]]: ...


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


class Copying:
    """Looks at paths of containers, takes them out as tars and unpacks tars into them."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        events: Events,
        locks: Locks,
        *,
        jobs: Jobs,
        snapshots: Snapshots,
        exporting: Exporting,
    ) -> None:
        self._paths = paths
        self._records = records
        self._events = events
        self._locks = locks
        self._jobs = jobs
        self._snapshots = snapshots
        self._exporting = exporting

    async def stat(self, reference: str, path: str) -> Message:
        """What is at `path`: name, size, mode (st_mode), mtime_ns, link. Raises NoSuchPath."""
        record = self._records.get(reference)
        try:
            answer, _ = await self._jobs.run("stat-path", self._arguments(record, path))
        except NoSuchPath as error:
            raise _named(error, reference) from error
        return answer

    async def take(self, reference: str, path: str) -> AsyncGenerator[bytes, None]:
        """`path` as a tar in pieces. Raises NoSuchPath before the first."""
        record = self._records.get(reference)
        pieces = await self._exporting.stream("take-path", self._arguments(record, path))
        announce(self._events, record, "archive-path")
        return pieces

    async def put(self, reference: str, path: str, tar: int, *, keep_kinds: bool, as_user: bool) -> None:
        """Unpack the tar that `tar` reads into the directory `path`.

        `keep_kinds` = nothing takes a directory's place, and no directory another thing's; `as_user` = everything
        is to be the container's user's. Raises NoSuchPath, InvalidArgument, BadArchive, Forbidden.
        """
        async with self._reached(reference) as record:
            if record.host_config.readonly_rootfs and not _in_writable_mount(record, path):
                raise Forbidden("container rootfs is marked read-only")
            user = record.config.user if as_user else ""
            args = {**self._arguments(record, path), "keep_kinds": keep_kinds, "user": user}
            try:
                await self._jobs.run("put-path", args, [tar])
            except NoSuchPath as error:
                raise _named(error, reference) from error
        announce(self._events, record, "extract-to-dir")

    @asynccontextmanager
    async def _reached(self, reference: str) -> AsyncIterator[ContainerRecord]:
        """The record, of a container that nobody starts or removes meanwhile: two overlays with one upper
        directory would not know of each other."""
        ident = self._records.get(reference).id
        async with self._locks.of(ident):
            yield self._records.get(ident)

    def _arguments(self, record: ContainerRecord, path: str) -> Message:
        rootfs = dict(self._snapshots.rootfs(record.id))
        if record.state.pid:
            rootfs["pid"] = record.state.pid
        return {"rootfs": rootfs, "mounts": [*self._host_files(record), *_volumes(record)], "path": path}

    def _host_files(self, record: ContainerRecord) -> list[Message]:
        """What a start lays over files of /etc."""
        folder = self._paths.bundle(record.id)
        found = [(folder / name, f"/etc/{name}") for name in ("hosts", "hostname", "resolv.conf")]
        return [_mount(str(source), place) for source, place in found if source.exists()]


def _volumes(record: ContainerRecord) -> list[Message]:
    """Volumes and binds, those that lie inside others after them."""
    points = sorted(record.mounts, key=lambda point: point.destination.count("/"))
    return [
        _mount(point.source, point.destination, readonly=not point.rw)
        for point in points
        if point.source and point.type != "tmpfs"
    ]


def _mount(source: str, destination: str, *, readonly: bool = False) -> Message:
    return {"source": source, "destination": destination, "readonly": readonly}


def _named(error: NoSuchPath, reference: str) -> NoSuchPath:
    """Docker ends the sentence with the name that was asked for."""
    return NoSuchPath(f"{error.message} {reference}")


def _in_writable_mount(record: ContainerRecord, path: str) -> bool:
    wanted = "/" + path.strip("/") + "/"
    return any(point.rw and wanted.startswith(point.destination.rstrip("/") + "/") for point in record.mounts)
