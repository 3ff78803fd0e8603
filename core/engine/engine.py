"""The engine as its API sees it: a frozen bundle of services, each of which knows only what it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.engine.attaching import Attaching
from core.engine.builds import Builds
from core.engine.cleaning import Cleaner
from core.engine.committing import Committing
from core.engine.containers import Containers
from core.engine.copying import Copying
from core.engine.creation import Creator
from core.engine.events import Events
from core.engine.execs import Execs
from core.engine.exporting import Exporting
from core.engine.images import ImageActs
from core.engine.inspection import Inspection
from core.engine.logs import Logs
from core.engine.networks import NetworkViews
from core.engine.pruning import Pruning
from core.engine.records import Records
from core.engine.remote import RemoteActs
from core.engine.system import System
from core.engine.transfers import Transfers
from core.engine.updating import Updating
from core.engine.upkeep import Upkeep
from core.engine.volumes import VolumeActs
from core.paths import Paths


@dataclass(frozen=True, slots=True)
class Engine:
    """Every service. `stop` ends the engine and leaves containers running."""

    paths: Paths
    records: Records
    events: Events
    creator: Creator
    builds: Builds
    containers: Containers
    updating: Updating
    execs: Execs
    attaching: Attaching
    logs: Logs
    exporting: Exporting
    copying: Copying
    committing: Committing
    transfers: Transfers
    inspection: Inspection
    images: ImageActs
    remote: RemoteActs
    upkeep: Upkeep
    pruning: Pruning
    cleaner: Cleaner
    volumes: VolumeActs
    networks: NetworkViews
    system: System
    stop: Callable[[], None]
