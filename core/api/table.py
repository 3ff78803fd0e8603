"""Every route, in one table."""

from __future__ import annotations

from core.api import (
    archive,
    build,
    buildcache,
    builds,
    buildsessions,
    cleaning,
    committing,
    container_streams,
    containers,
    execs,
    handover,
    images,
    logfiles,
    pruning,
    registry,
    stores,
    system,
    transfers,
    upkeep,
)
from core.api.routing import Table

TABLE = Table(
    (
        *system.ROUTES,
        *containers.ROUTES,
        *container_streams.ROUTES,
        *committing.ROUTES,
        *archive.ROUTES,
        *build.ROUTES,
        *builds.ROUTES,
        *buildsessions.ROUTES,
        *buildcache.ROUTES,
        *execs.ROUTES,
        *registry.ROUTES,
        *images.ROUTES,
        *stores.ROUTES,
        *transfers.ROUTES,
        *upkeep.ROUTES,
        *pruning.ROUTES,
        *cleaning.ROUTES,
        *handover.ROUTES,
        *logfiles.ROUTES,
    )
)
