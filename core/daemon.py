"""The daemon's beginning, and the only file that names concrete classes and joins them.

The zygote executes it with the listening socket as fd 3 and its own control socket as fd 4; ROOT's lock stays
open as fd 5 so that no other engine can take ROOT while this one lives. It speaks on stderr.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from core import cgroups
from core.api.server import Server
from core.api.table import TABLE
from core.build.cache import Cache
from core.engine.adoption import Adoption
from core.engine.attaching import Attaching
from core.engine.buildruns import BuildRuns
from core.engine.builds import Builds
from core.engine.bundle import Bundles
from core.engine.cleaning import Cleaner
from core.engine.committing import Committing
from core.engine.containers import Containers
from core.engine.copying import Copying
from core.engine.creation import Creator
from core.engine.engine import Engine
from core.engine.events import Events
from core.engine.execs import Execs
from core.engine.exporting import Exporting
from core.engine.groups import Groups
from core.engine.health import HealthChecks
from core.engine.images import ImageActs
from core.engine.inspection import Inspection
from core.engine.keeping import Keeping
from core.engine.lifecycle import Lifecycle
from core.engine.locks import Locks
from core.engine.logs import Logs
from core.engine.networks import NetworkViews
from core.engine.parking import Parking
from core.engine.probing import Prober
from core.engine.pruning import Pruning
from core.engine.records import Records
from core.engine.remote import RemoteActs
from core.engine.removal import Removal
from core.engine.seccomp import Programs
from core.engine.specgen import exec_process
from core.engine.starting import Starter
from core.engine.system import System, host_cpus
from core.engine.tasks import Tasks
from core.engine.transfers import Transfers
from core.engine.updating import Updating
from core.engine.upkeep import Upkeep
from core.engine.volumes import VolumeActs
from core.engine.waiters import Waiters
from core.errors import CorruptStore, EngineError
from core.images.commit import Committer
from core.images.receive import Receiver
from core.images.remote import Remote
from core.images.room import ImageRoom
from core.images.send import Sender
from core.images.service import Images
from core.images.undo import KEPT
from core.network import pyroute
from core.network.manager import Networks
from core.paths import Paths
from core.runtime.default_profile import default_seccomp
from core.runtime.filter import compile_seccomp
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.overlay import Snapshots
from core.storage.trash import Trash
from core.storage.volumes import Volumes
from core.wire.hangup import Hangups
from core.zygote.client import Zygote

log = logging.getLogger("core.daemon")

LISTEN_FD, CONTROL_FD = 3, 4
GIVE_UP = 78  # EX_CONFIG: the zygote does not start a daemon again that ends with it


def main() -> None:
    """Run the engine until the zygote goes or SIGTERM comes."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    threading.Thread(target=pyroute.preload, name="preload", daemon=True).start()  # while the database opens
    try:
        asyncio.run(_run(Paths.from_environment()))
    except CorruptStore as error:
        log.error("%s", error)
        sys.exit(GIVE_UP)
    except EngineError as error:
        log.error("%s", error)
        sys.exit(1)


async def _run(paths: Paths) -> None:
    for fd in (LISTEN_FD, CONTROL_FD):
        os.set_inheritable(fd, False)
    listening, zygote = socket.socket(fileno=LISTEN_FD), Zygote(socket.socket(fileno=CONTROL_FD))
    stopping = asyncio.Event()
    for end in (signal.SIGTERM, signal.SIGINT):  # Ctrl-C in the foreground reaches the whole process group
        asyncio.get_running_loop().add_signal_handler(end, stopping.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _log_tasks)

    def stop() -> None:
        zygote.stop()
        stopping.set()

    db, hangups = Database(paths.database), Hangups()
    stores = _open_stores(paths, db, zygote)
    machinery = _build_machinery(paths, db, zygote, stores, hangups)
    engine = _build_engine(paths, zygote, stores, machinery, stop)
    checks = HealthChecks(machinery.records, machinery.events, Prober(machinery.execs))
    adoption = Adoption(
        paths, machinery.records, machinery.tasks, machinery.lifecycle, machinery.execs.instances,
        networks=stores.networks, removal=machinery.removal, start=machinery.start,
    )  # fmt: skip
    await engine.builds.recover({record.id for record in machinery.records.all()} | machinery.keeping.ids())
    await _make_ready(stores, machinery, adoption)
    checks.adopt()
    await engine.committing.recover()
    work = [
        asyncio.create_task(Server(engine, TABLE, hangups).run(listening)),
        asyncio.create_task(zygote.gone()),
        asyncio.create_task(stopping.wait()),
    ]
    aside = [
        asyncio.create_task(adoption.start_due(fresh=_is_fresh(paths))),
        asyncio.create_task(engine.cleaner.watch()),
    ]
    log.info("ready: root %s, run %s", paths.root, paths.run)
    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    checks.close()
    await engine.builds.close()
    machinery.tasks.close()
    for task in (*aside, *work):
        task.cancel()
    await asyncio.gather(*aside, *work, return_exceptions=True)
    await stores.networks.close()
    db.close()


def _log_tasks() -> None:
    """On SIGUSR1: what every task waits for, for whoever asks why nothing happens."""
    for task in asyncio.all_tasks():
        log.info("%s", task.get_name())
        waiting: Any = task.get_coro()
        while waiting is not None:
            frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
            if frame is None:
                log.info("    %r", waiting)
                break
            log.info("    %s:%s %s", frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)


async def _make_ready(stores: Stores, machinery: Machinery, adoption: Adoption) -> None:
    """Put in order what an earlier engine left, before the first client is heard."""
    await stores.snapshots.sweep({record.id for record in machinery.records.all()} | machinery.keeping.ids())
    await machinery.keeping.start()
    await stores.images.start()
    await stores.networks.start()
    await adoption.adopt()
    await adoption.finish()


def _is_fresh(paths: Paths) -> bool:
    """Whether this is the first daemon of its zygote: the engine was started, not only its daemon again."""
    mark, parent = paths.run / "zygote", str(os.getppid())
    try:
        before = mark.read_text()
    except OSError:
        before = ""
    mark.write_text(parent)
    return before != parent


@dataclass(frozen=True, slots=True)
class Stores:
    """What lies under ROOT and in the kernel."""

    db: Database
    room: ImageRoom
    images: Images
    snapshots: Snapshots
    volumes: Volumes
    networks: Networks
    cgroups: cgroups.Manager
    trash: Trash


def _open_stores(paths: Paths, db: Database, zygote: Zygote) -> Stores:
    snapshots = Snapshots(db, paths)
    room = ImageRoom.open(db, ContentStore(paths), snapshots, zygote, undo=KEPT)
    manager = cgroups.detect()
    return Stores(
        db,
        room,
        Images(room),
        snapshots,
        Volumes(db, paths, zygote),
        Networks(db, paths, zygote),
        manager,
        Trash(paths),
    )


def _compile_default(capabilities: tuple[str, ...]) -> bytes:
    return compile_seccomp(default_seccomp(capabilities, platform.machine()), platform.machine())


@dataclass(frozen=True, slots=True)
class Machinery:
    """What makes containers live."""

    records: Records
    events: Events
    locks: Locks
    execs: Execs
    groups: Groups
    keeping: Keeping
    removal: Removal
    lifecycle: Lifecycle
    tasks: Tasks
    containers: Containers
    attaching: Attaching
    bundles: Bundles
    start: Callable[[str], Awaitable[None]]


def _build_machinery(paths: Paths, db: Database, zygote: Zygote, stores: Stores, hangups: Hangups) -> Machinery:
    records, events, waiters, locks = Records(db), Events(), Waiters(), Locks()
    parking, groups, execs = Parking(hangups), Groups(stores.cgroups), Execs(records, events, exec_process)
    keeping = Keeping(
        paths, records, events, waiters, room=stores.room, volumes=stores.volumes, discard=stores.trash.throw
    )
    removal = Removal(
        paths, records, events, waiters, locks,
        snapshots=stores.snapshots, volumes=stores.volumes, networks=stores.networks, keeping=keeping,
        discard=stores.trash.throw, forget=execs.instances.forget,
    )  # fmt: skip

    async def start(ident: str, restart_count: int = 0) -> None:
        # What a policy wants again is started by the starter, which needs the tasks that need the lifecycle.
        await starter.start(ident, restart_count=restart_count)

    lifecycle = Lifecycle(
        records,
        events,
        waiters,
        stores.networks,
        execs.instances,
        remover=removal,
        kill_group=groups.kill,
        revive=start,
    )
    tasks = Tasks(paths, zygote, lifecycle)
    execs.use(tasks)
    filters = Programs(paths.root / "seccomp", _compile_default)
    bundles = Bundles(paths, filters, cgroup_version=stores.cgroups.version)
    starter = Starter(
        paths, records, events, locks, tasks, parking, bundles=bundles,
        snapshots=stores.snapshots, networks=stores.networks, removal=removal,
    )  # fmt: skip
    containers = Containers(
        records, events, waiters, locks, tasks, parking, starter=starter, removal=removal, freezer=groups
    )
    attaching = Attaching(records, events, tasks, parking)
    return Machinery(
        records,
        events,
        locks,
        execs,
        groups,
        keeping,
        removal,
        lifecycle,
        tasks,
        containers,
        attaching,
        bundles,
        start,
    )


def _builds(paths: Paths, zygote: Zygote, stores: Stores, machinery: Machinery, remote: Remote) -> Builds:
    cache = Cache(stores.db)
    stores.room.collector.keep(cache.chains)
    programs = BuildRuns(
        paths, zygote, bundles=machinery.bundles, snapshots=stores.snapshots, networks=stores.networks
    )
    return Builds(
        paths, stores.room, cache, machinery.events, programs,
        images=stores.images, registries=remote, caches_elsewhere=remote, discard=stores.trash.throw,
        users=lambda image: [record.id for record in machinery.records.all() if record.image_id == image],
    )  # fmt: skip


def _build_engine(
    paths: Paths, zygote: Zygote, stores: Stores, machinery: Machinery, stop: Callable[[], None]
) -> Engine:
    records, events, tasks, groups = machinery.records, machinery.events, machinery.tasks, machinery.groups
    version = stores.cgroups.version
    creator = Creator(
        records, events, images=stores.images, snapshots=stores.snapshots, volumes=stores.volumes, cpus=host_cpus
    )
    inspection = Inspection(records, stores.snapshots, groups, version)
    images = ImageActs(stores.images, records, events)
    volumes = VolumeActs(stores.volumes, records, events, machinery.keeping)
    system = System(
        paths,
        records,
        images=stores.images,
        volumes=stores.volumes,
        cgroup_version=version,
        warnings=stores.networks.warnings,
    )
    exporting, remote = Exporting(zygote, stores.snapshots, events), Remote(stores.room)
    pruning = Pruning(
        stores.room, records,
        containers=machinery.containers, images=images, volumes=volumes, sizes=inspection, folders=system,
    )  # fmt: skip
    return Engine(
        paths=paths,
        records=records,
        events=events,
        creator=creator,
        builds=_builds(paths, zygote, stores, machinery, remote),
        containers=machinery.containers,
        updating=Updating(records, events, tasks, groups, host_cpus),
        execs=machinery.execs,
        attaching=machinery.attaching,
        logs=Logs(paths, records, tasks),
        exporting=exporting,
        copying=Copying(
            paths, records, events, machinery.locks, jobs=zygote, snapshots=stores.snapshots, exporting=exporting
        ),
        committing=Committing(
            paths, records, events, machinery.locks, machinery.containers,
            images=stores.images, snapshots=stores.snapshots, committer=Committer(stores.room),
        ),
        transfers=Transfers(stores.images, Sender(stores.room), Receiver(stores.room), events),
        inspection=inspection,
        images=images,
        remote=RemoteActs(remote, events),
        upkeep=Upkeep(stores.room, records, events, remote, machinery.keeping),
        pruning=pruning,
        cleaner=Cleaner(stores.room, records, pruning),
        volumes=volumes,
        networks=NetworkViews(stores.networks, records),
        system=system,
        stop=stop,
    )  # fmt: skip
