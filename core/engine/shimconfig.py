"""What a shim must know of its container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.engine.logoptions import FILE_DRIVERS, rotation
from core.model.container import ContainerRecord
from core.model.signals import parse_signal
from core.packets import Message
from core.paths import Paths


def shim_config(record: ContainerRecord, paths: Paths, rootfs: Mapping[str, Any], *, restart_count: int) -> Message:
    """The arguments of the job `shim`."""
    host, config = record.host_config, record.config
    log = rotation(host.log_config)
    return {
        "id": record.id,
        "bundle": str(paths.bundle(record.id)),
        "run": str(paths.task(record.id)),
        "journal": str(paths.journal(record.id)),
        "log": str(paths.log(record.id)) if host.log_config.type in FILE_DRIVERS else None,
        "log_max_size": log.max_size,
        "log_max_file": log.max_file,
        "log_compress": log.compress,
        "rootfs": dict(rootfs),
        "user": config.user,
        "groups": list(host.group_add),
        "tty": config.tty,
        "open_stdin": config.open_stdin,
        "stdin_once": config.stdin_once,
        "restart": {"name": host.restart_policy.name or "no", "max": host.restart_policy.maximum_retry_count},
        "stop_signal": parse_signal(config.stop_signal or "SIGTERM"),
        "default_home": True,
        "restart_count": restart_count,
        "cgroup": cgroup_path(record.id),
        "own_pids": host.pid_mode != "host",
    }


def cgroup_path(ident: str) -> str:
    """The cgroup of a container, in every hierarchy."""
    return f"/onggi/{ident}"
