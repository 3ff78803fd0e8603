"""Containers as images: `commit`, and `diff`, the list of what a commit would take along."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop
from core.engine.announce import announce
from core.engine.containers import Containers
from core.engine.events import Events
from core.engine.locks import Locks
from core.engine.merge import merge
from core.engine.records import Records
from core.errors import Conflict, WrongState
from core.images.changes import apply_changes
from core.images.commit import Commitment, Committer
from core.images.importer import parse_target
from core.model.container import ContainerConfig, ContainerRecord, Status
from core.model.image import Image
from core.oci.image import ExecutionConfig
from core.paths import Paths

log = logging.getLogger(__name__)


class Images(Protocol):
    """Where the image of a container is found."""

    async def resolve(self, reference: str) -> Image: ...


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants of a commit. `reference` "" = no name; `config` = laid over the container's own."""

    reference: str = ""
    comment: str = ""
    author: str = ""
    changes: Sequence[str] = ()
    pause: bool = True
    config: ContainerConfig | None = None


class Committing:
    """Makes images of containers."""

    def __init__(
        self,
        paths: Paths,
        records: Records,
        events: Events,
        locks: Locks,
        containers: Containers,
        *,
        images: Images,
        snapshots: Snapshots,
        committer: Committer,
    ) -> None:
        self._paths = paths
        self._records = records
        self._events = events
        self._locks = locks
        self._containers = containers
        self._images = images
        self._snapshots = snapshots
        self._committer = committer

    async def commit(self, reference: str, wish: Wish) -> Image:
        """Make an image of a container, which goes on as it is.

        Raises NoSuchContainer, NoSuchImage where its image is gone, BadReference, InvalidArgument, Conflict.
        """
        record = self._records.get(reference)
        _check(record)
        target = parse_target(wish.reference) if wish.reference else None
        own = execution_config(record.config)
        asked = own if wish.config is None else execution_config(merge(wish.config, own))
        execution = apply_changes(asked, wish.changes)
        commitment = Commitment(
            parent=await self._images.resolve(record.image_id),
            rootfs=self._snapshots.rootfs(record.id),
            execution=execution,
            command=" ".join(record.config.cmd or ()),
            comment=wish.comment,
            author=wish.author,
            target=target,
        )
        image, left_out = await self._committer.commit(commitment, self._still(record.id, pause=wish.pause))
        if left_out:
            log.warning("commit %s: %d files left out, whose names mean a deletion", record.short_id, left_out)
        name = target.familiar if target else ""
        announce(self._events, record, "commit", comment=wish.comment, imageID=image.id, imageRef=name)
        if target:
            self._events.publish("image", "tag", image.id, {"name": name})
        return image

    async def changes(self, reference: str) -> AsyncGenerator[tuple[str, bytes], None]:
        """What a container has changed: `A`, `C` or `D`, and the path."""
        rootfs = self._snapshots.rootfs(self._records.get(reference).id)
        async with aclosing(self._committer.changes(rootfs)) as found:
            async for change in found:
                yield change

    @asynccontextmanager
    async def _still(self, ident: str, *, pause: bool) -> AsyncIterator[None]:
        """Nobody starts or removes the container meanwhile and, with `pause`, its processes stand still."""
        async with self._locks.of(ident), AsyncExitStack() as undo:
            record = self._records.get(ident)
            _check(record)
            if pause and record.state.status is Status.RUNNING:
                await off_loop(self._mark(ident).touch)
                undo.push_async_callback(self._resume, ident)
                with suppress(WrongState):  # it has ended by itself this moment, which is as good
                    await self._containers.pause(ident)
            yield

    async def recover(self) -> None:
        """At start: let go on what an engine that died over a commit has left standing still."""
        for record in self._records.all():
            if record.running and await off_loop(self._mark(record.id).exists):
                await self._resume(record.id)

    async def _resume(self, ident: str) -> None:
        with suppress(WrongState):  # somebody else has let it go on, or ended it
            await self._containers.unpause(ident)
        await off_loop(self._mark(ident).unlink, missing_ok=True)

    def _mark(self, ident: str) -> Path:
        """Says that it is a commit that makes the container stand still; lost with RUN, as the container is."""
        return self._paths.task(ident) / "commit"


def _check(record: ContainerRecord) -> None:
    """Raises Conflict with Docker's words."""
    if record.state.status is Status.DEAD:
        raise Conflict(f"You cannot commit container {record.id} which is Dead")
    if record.state.status is Status.REMOVING:
        raise Conflict(f"You cannot commit container {record.id} which is being removed")


def execution_config(config: ContainerConfig) -> ExecutionConfig:
    """The part of a container's config that an image keeps."""
    return ExecutionConfig(
        user=config.user,
        exposed_ports=config.exposed_ports,
        env=config.env,
        entrypoint=config.entrypoint or (),
        cmd=config.cmd or (),
        volumes=config.volumes,
        working_dir=config.working_dir,
        labels=config.labels,
        stop_signal=config.stop_signal,
        healthcheck=config.healthcheck,
    )
