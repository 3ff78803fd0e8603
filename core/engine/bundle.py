"""Writes a container's bundle: config.json and the files that are bound over /etc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from core.aio import off_loop
from core.engine import hostfiles, specgen
from core.engine.devices import HostDevice, find_devices
from core.engine.pid1 import InitProgram
from core.engine.shimconfig import cgroup_path
from core.errors import SyscallFailed
from core.model.container import ContainerRecord, HostConfig
from core.paths import Paths

_RESOLVED = Path("/run/systemd/resolve/resolv.conf")  # the real servers behind systemd-resolved's stub
_LIMIT = 1 << 20  # bytes of a host file that we read


class Filters(Protocol):
    """Seccomp programs, compiled once for each set of rules."""

    def program(self, host: HostConfig, capabilities: tuple[str, ...]) -> str: ...


class Bundles:
    """Bundles under ROOT/containers."""

    def __init__(self, paths: Paths, filters: Filters, *, cgroup_version: int) -> None:
        self._paths = paths
        self._filters = filters
        self._cgroup_version = cgroup_version
        self._init = InitProgram(paths.root / "init")

    def make_folder(self, ident: str) -> None:
        """Make the folder of a container's bundle, where its shim will leave its words. Raises SyscallFailed."""
        bundle = self._paths.bundle(ident)
        try:
            (bundle / "rootfs").mkdir(mode=0o711, parents=True, exist_ok=True)
            bundle.chmod(0o711)
        except OSError as error:
            raise SyscallFailed.of("make the bundle", error) from error

    async def write(self, record: ContainerRecord) -> None:
        """Fill the folder for a container about to start, perhaps again.

        Raises InvalidArgument, Unsupported, SyscallFailed.
        """
        try:
            await off_loop(self._write, record)
        except OSError as error:
            raise SyscallFailed.of("write the bundle", error) from error

    def _write(self, record: ContainerRecord) -> None:
        host = record.host_config
        bundle = self._paths.bundle(record.id)
        # In the host's pid namespace somebody else collects the dead; Docker leaves it out there too.
        init = self._init.path() if host.init and host.pid_mode != "host" else ""
        spec = specgen.build(
            record,
            bundle,
            specgen.HostFacts(_devices(host), self._cgroup_version, init),
            cgroups_path=cgroup_path(record.id),
            seccomp_program=self._filters.program(host, specgen.capabilities(host).bounding),
        )
        _write_file(bundle / "config.json", spec.to_json(), 0o600)
        files = {
            "hostname": f"{record.config.hostname}\n",
            "hosts": hostfiles.hosts(record, host_file=_read("/etc/hosts")),
            "resolv.conf": hostfiles.resolv_conf(record, host_file=_host_resolv_conf()),
        }
        for name, text in files.items():
            _write_file(bundle / name, text.encode(), 0o644)


def _devices(host: HostConfig) -> Mapping[str, HostDevice]:
    return find_devices((mapping.path_on_host for mapping in host.devices), every=host.privileged)


def _write_file(path: Path, data: bytes, mode: int) -> None:
    # In place and not by rename: the container has this very inode mounted.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with open(fd, "wb") as file:
        file.write(data)


def _host_resolv_conf() -> str:
    text = _read("/etc/resolv.conf")
    return _read(str(_RESOLVED)) or text if "127.0.0.53" in text else text


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
