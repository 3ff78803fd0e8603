"""What lies where: ROOT is durable, RUN is volatile and gone after a reboot.

ROOT/lock                       flock of the one engine that owns ROOT
ROOT/onggi.db                   SQLite: containers, images, tags, snapshots, volumes, networks
ROOT/onggi.db-reserve           room for the last words on a full disk
ROOT/engine.log                 what the engine has to say
ROOT/content/blobs/sha256/HEX   blobs by digest          ROOT/content/ingest/   half-written ones
ROOT/content/recipes/HEX        how to make a plain layer's blob of its files
ROOT/snapshots/N/{fs,work}      one directory a snapshot
ROOT/volumes/NAME/_data         named and anonymous volumes
ROOT/volumes/.removed/NAME-…    those that an undo may want back
ROOT/containers/ID/             bundle (config.json, rootfs/), journal, hosts, hostname, resolv.conf, ID-json.log
ROOT/builds/ID/                 the last builds: record.json, log        ROOT/build/   contexts of those that go on
ROOT/build-cache/NAME/          cache mounts of builds
ROOT/trash/                     removed things, until the reaper takes them
RUN/engine.sock                 the API
RUN/containers/ID/              shim.sock, pid: the life of one container
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = "/var/lib/onggi"
DEFAULT_RUN = "/run/onggi"


@dataclass(frozen=True, slots=True)
class Paths:
    """The two trees of one engine."""

    root: Path
    run: Path

    @classmethod
    def from_environment(cls) -> Paths:
        """`ONGGI_ROOT` and `ONGGI_RUN`, else the defaults."""
        return cls(
            Path(os.environ.get("ONGGI_ROOT") or DEFAULT_ROOT).absolute(),
            Path(os.environ.get("ONGGI_RUN") or DEFAULT_RUN).absolute(),
        )

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def database(self) -> Path:
        return self.root / "onggi.db"

    @property
    def engine_log(self) -> Path:
        return self.root / "engine.log"

    @property
    def content(self) -> Path:
        return self.root / "content"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def removed_volumes(self) -> Path:
        """Where volumes wait that an undo may want back; no volume's name begins with a dot."""
        return self.volumes / ".removed"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    @property
    def socket(self) -> Path:
        return self.run / "engine.sock"

    def bundle(self, container_id: str) -> Path:
        """The OCI bundle and everything else durable of one container."""
        return self.root / "containers" / container_id

    def log(self, container_id: str) -> Path:
        """The container's json-file log, named as Docker names it."""
        return self.bundle(container_id) / f"{container_id}-json.log"

    def journal(self, container_id: str) -> Path:
        """What the shim has to tell the engine and the engine has not acknowledged yet."""
        return self.bundle(container_id) / "journal"

    def task(self, container_id: str) -> Path:
        """The volatile half of a running container."""
        return self.run / "containers" / container_id

    def shim_socket(self, container_id: str) -> Path:
        """Where a new engine finds a container's shim."""
        return self.task(container_id) / "shim.sock"
