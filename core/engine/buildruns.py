"""Programs of a build: each RUN is a container that nobody lists, confined like any other.

It has a shim, a network and a cgroup as containers have, but no record: when the engine dies, so does the build,
and the next engine ends what still runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from core.aio import off_loop
from core.build.work import Output, RunWork
from core.engine.bundle import Bundles
from core.engine.shimconfig import shim_config
from core.engine.tasks import Spawner, Task, Tasks
from core.errors import EngineError, InitFailed, ShimGone
from core.model.container import ContainerConfig, ContainerRecord, HostConfig, LogConfig, MountPoint
from core.packets import Message
from core.paths import Paths
from core.shim import client
from core.wire.streams import Unframer

log = logging.getLogger(__name__)

DEFAULT = HostConfig()
_MODES = {"default": "bridge", "bridge": "bridge", "none": "none", "host": "host"}
_READ = 1 << 16
_SWEEP_PATIENCE = 10.0  # seconds for a killed program to be gone


class Attached(Protocol):
    """A place on a network."""

    @property
    def netns_fd(self) -> int | None: ...
    async def connected(self) -> None: ...


class Networks(Protocol):
    """The part of the networks that a run needs."""

    async def attach(self, container_id: str, *, mode: str, ports: Any, hostname: str, name: str) -> Attached: ...
    async def detach(self, container_id: str) -> None: ...


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


class BuildRuns:
    """Runs programs for builds, and is told by their shims how they end."""

    def __init__(
        self, paths: Paths, zygote: Spawner, *, bundles: Bundles, snapshots: Snapshots, networks: Networks
    ) -> None:
        self._paths = paths
        self._bundles = bundles
        self._snapshots = snapshots
        self._networks = networks
        self._tasks = Tasks(paths, zygote, self)
        self._ends: dict[str, asyncio.Future[int]] = {}
        self._mounted: dict[str, asyncio.Event] = {}  # by the key of the snapshot
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(
        self,
        work: RunWork,
        mounts: Sequence[MountPoint],
        env: Sequence[str],
        output: Output,
        host: HostConfig = DEFAULT,
    ) -> int:
        """The exit code of a program in the snapshot `work.key`, mounted until `released`. Cancelling kills it.

        `host` = limits, hosts and network that the client has asked for. `env` comes on top of what `work` says,
        and is in no history.
        Raises InitFailed where it cannot be started, and what the network raises.
        """
        record = _record(work, mounts, env, host)
        end = self._ends[record.id] = asyncio.get_running_loop().create_future()
        self._mounted[work.key] = asyncio.Event()
        try:
            return await self._run(record, work, output, end)
        finally:
            # What is left of it need not keep the next step waiting.
            leaving = asyncio.create_task(self._leave(record.id, work.key))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def released(self, key: str) -> None:
        """Wait until no program's root is mounted on snapshot `key` any more."""
        mounted = self._mounted.get(key)
        if mounted is not None:
            await mounted.wait()

    async def quiet(self) -> None:
        """Wait until nothing is left of programs that have ended."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _leave(self, ident: str, key: str) -> None:
        try:
            await self._tasks.drained(ident)
        finally:
            del self._ends[ident]
            self._mounted.pop(key).set()
        await self._networks.detach(ident)
        for folder in (self._paths.bundle(ident), self._paths.task(ident)):
            await off_loop(shutil.rmtree, folder, True)

    async def _run(self, record: ContainerRecord, work: RunWork, output: Output, end: asyncio.Future[int]) -> int:
        self._bundles.make_folder(record.id)
        rootfs = {**self._snapshots.rootfs(work.key), "volatile": True}
        task = await self._tasks.spawn(record.id, shim_config(record, self._paths, rootfs, restart_count=0))
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            try:
                with theirs:
                    await self._launch(task, record, theirs)
                await _pump(ours, output)
                return await end
            except BaseException:
                await asyncio.shield(self._end(task))
                raise
            finally:
                task.final = True

    async def _launch(self, task: Task, record: ContainerRecord, theirs: socket.socket) -> None:
        attached = await self._networks.attach(
            record.id,
            mode=record.host_config.network_mode,
            ports={},
            hostname=record.config.hostname,
            name=record.name,
        )
        try:
            await self._bundles.write(record)
            await task.shim.attach(theirs.fileno(), stdin=False, detach_keys=())
            await attached.connected()
            await self._tasks.launch(task, attached.netns_fd)
        finally:
            if attached.netns_fd is not None:
                os.close(attached.netns_fd)

    async def _end(self, task: Task) -> None:
        """End whatever it has come to."""
        try:
            await task.shim.signal(signal.SIGKILL, final=True)
        except EngineError:
            task.shim.hang_up()  # it has started nothing, or is gone

    async def happened(self, ident: str, event: Message) -> None:
        """The observer of tasks: the one event that counts is the program's end."""
        end = self._ends.get(ident)
        if end is None or end.done():
            return
        if event.get("event") == "exited":
            end.set_result(int(event["exit_code"]))
        elif event.get("event") == "failed":
            error = event.get("error") or {}
            end.set_exception(InitFailed(str(error.get("message", "the program could not be started"))))
            end.exception()  # the start says the same

    async def gone(self, ident: str) -> None:
        """The shim ended after its last word."""

    async def lost(self, ident: str) -> None:
        """The shim was killed."""
        end = self._ends.get(ident)
        if end is not None and not end.done():
            end.set_exception(ShimGone("the program's shim is gone"))

    async def sweep(self, known: Collection[str]) -> None:
        """At start, before anything else is put in order: end what an engine that died over a build has left.

        `known` = ids of containers. Folders, network and snapshots are swept by those whose they are.
        """
        for ident in await off_loop(_names, self._paths.task("x").parent):
            if ident in known:
                continue
            try:
                async with asyncio.timeout(_SWEEP_PATIENCE):
                    await self._end_left(ident)
            except (OSError, EngineError) as error:  # TimeoutError is an OSError
                log.warning("end program %s of a build: %r", ident[:12], error)
            for folder in (self._paths.bundle(ident), self._paths.task(ident)):
                await off_loop(shutil.rmtree, folder, True)

    async def _end_left(self, ident: str) -> None:
        shim = await client.connect(str(self._paths.shim_socket(ident)))
        try:
            await shim.hello()
            await shim.signal(signal.SIGKILL, final=True)
            async for event in shim.events():
                shim.ack(int(event.get("seq", 0)))
        finally:
            shim.close()


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _record(work: RunWork, mounts: Sequence[MountPoint], env: Sequence[str], host: HostConfig) -> ContainerRecord:
    """What would be the record of the container, were there one."""
    ident = secrets.token_hex(32)
    config = ContainerConfig(
        cmd=work.words, env=(*work.env, *env), user=work.config.user, working_dir=work.config.working_dir or "/",
        hostname=ident[:12],
    )  # fmt: skip
    mode = _MODES[work.network if work.network != "default" else host.network_mode]
    host = msgspec.structs.replace(host, network_mode=mode, log_config=LogConfig(type="none"))
    return ContainerRecord(
        id=ident, name=f"build-{ident[:12]}", created="", image_id="", image_reference="", config=config,
        host_config=host, args=work.words, mounts=tuple(mounts),
    )  # fmt: skip


async def _pump(sock: socket.socket, output: Output) -> None:
    """Hand on what the program writes, until it and the shim have nothing more to say."""
    loop, unframer = asyncio.get_running_loop(), Unframer()
    while data := await loop.sock_recv(sock, _READ):
        for stream, piece in unframer.feed(data):
            await output(stream, piece)
