"""Making a container: everything is checked and made ready before the record, which comes last."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec

from core.aio import off_loop
from core.engine import binds, names, validate
from core.engine.announce import announce
from core.engine.events import Events
from core.engine.limits import HostCpus, check_resources
from core.engine.merge import arguments, merge
from core.engine.records import Records
from core.errors import Conflict, InvalidArgument
from core.model.container import ContainerConfig, ContainerRecord, HostConfig, MountPoint
from core.model.image import Image
from core.model.network import VolumeRecord
from core.wire.codec import timestamp


class Images(Protocol):
    """The part of the images that making a container needs."""

    async def resolve(self, reference: str) -> Image: ...
    async def prepare(self, container_id: str, image: Image) -> None: ...


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...
    async def remove(self, key: str) -> None: ...


class Volumes(Protocol):
    """The part of the volumes that making a container needs."""

    async def create(self, name: str | None, labels: Mapping[str, str]) -> VolumeRecord: ...
    async def prefill(self, volume: VolumeRecord, rootfs: Mapping[str, Any], path: str) -> None: ...
    async def remove(self, name: str) -> None: ...


class Creator:
    """Makes containers."""

    def __init__(
        self,
        records: Records,
        events: Events,
        *,
        images: Images,
        snapshots: Snapshots,
        volumes: Volumes,
        cpus: Callable[[], HostCpus],
    ) -> None:
        self._records = records
        self._events = events
        self._images = images
        self._snapshots = snapshots
        self._volumes = volumes
        self._cpus = cpus
        self._coming: set[str] = set()

    async def create(
        self,
        name: str,
        asked: ContainerConfig,
        host: HostConfig,
        *,
        ident: str = "",
        command_line: Sequence[str] = (),
    ) -> tuple[ContainerRecord, list[str]]:
        """Make a container and return its record and warnings. `ident` is the id it is to have; "" = a new one.

        Raises InvalidArgument, Conflict, NameInUse, NoSuchImage and what the stores raise.
        """
        wanted = validate.check_name(name) if name else names.random_name(self._taken)
        self._records.check_name(wanted)
        validate.check_config(asked)
        if asked.healthcheck:
            validate.check_healthcheck(asked.healthcheck)
        validate.check_host(host)
        check_resources(host, self._cpus())
        image = await self._images.resolve(asked.image)
        config = merge(asked, image.config.config)
        validate.check_config(config)
        if wanted in self._coming:
            raise InvalidArgument(f"container {wanted} is being made already")
        ident = ident or secrets.token_hex(32)
        if ident in self._coming or self._records.find(ident):
            raise Conflict(f"container {ident} is being made already")
        coming = {wanted, ident}
        self._coming |= coming
        try:
            record = await self._make(ident, wanted, config, host, image, tuple(command_line))
        finally:
            self._coming -= coming
        announce(self._events, record, "create")
        return record, _warnings(host)

    def _taken(self, name: str) -> bool:
        return name in self._coming or self._records.name_taken(name)

    async def _make(
        self,
        ident: str,
        name: str,
        config: ContainerConfig,
        host: HostConfig,
        image: Image,
        command_line: tuple[str, ...],
    ) -> ContainerRecord:
        if not config.hostname and host.uts_mode != "host" and host.network_mode != "host":
            config = msgspec.structs.replace(config, hostname=ident[:12])
        args = arguments(config)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._snapshots.remove, ident)
            await self._images.prepare(ident, image)
            undo.callback(self._records.unclaim, ident)
            points = binds.mount_points(host, config.volumes)
            mounts = [await self._mount(point, ident, host, undo) for point in points]
            record = ContainerRecord(
                id=ident,
                name=name,
                created=timestamp(time.time_ns()),
                image_id=str(image.id),
                image_reference=config.image,
                config=config,
                host_config=host,
                args=args,
                mounts=tuple(mounts),
                command_line=command_line,
            )
            self._records.add(record)
            undo.pop_all()
        self._records.unclaim(ident)
        return record

    async def _mount(self, point: MountPoint, ident: str, host: HostConfig, undo: AsyncExitStack) -> MountPoint:
        if point.type == "bind":
            required = any(spec.source == point.source and spec.type == "bind" for spec in host.mounts)
            await off_loop(_prepare_bind, point.source, required)
            return point
        if point.type != "volume":
            return point
        if point.name:
            self._records.claim(ident, point.name)
        volume = await self._volumes.create(point.name or None, {})
        self._records.claim(ident, volume.name)  # or a prune takes it before the record says that it is used
        if volume.anonymous and not point.name:
            undo.push_async_callback(self._volumes.remove, volume.name)
        if "nocopy" not in point.mode.split(","):
            await self._volumes.prefill(volume, self._snapshots.rootfs(ident), point.destination)
        return msgspec.structs.replace(point, name=volume.name, source=volume.mountpoint)


def _prepare_bind(source: str, required: bool) -> None:
    """Docker makes the missing source of `-v`, and refuses that of `--mount`."""
    path = Path(source)
    if path.exists():
        return
    if required:
        raise InvalidArgument(f'invalid mount config for type "bind": bind source path does not exist: {source}')
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "failed").lower()
        raise InvalidArgument(f"error while creating mount source path '{source}': {reason}") from error


def _warnings(host: HostConfig) -> list[str]:
    found = []
    if host.oom_kill_disable and not host.memory:
        found.append("OOM killer is disabled for the container, but no memory limit is set, this can be dangerous.")
    if host.network_mode == "host" and (host.port_bindings or host.publish_all_ports):
        found.append("Published ports are discarded when using host network mode")
    if host.init:
        found.append("An init process (--init) is not supported yet: the command itself is process 1.")
    return found
