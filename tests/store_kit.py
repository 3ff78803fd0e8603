"""For tests of storage and images: a store on a temporary ROOT, a zygote that forks in the test, archives."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import packets
from core.errors import ZygoteGone, from_wire
from core.images.room import ImageRoom
from core.images.service import Images
from core.model.events import Progress
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.overlay import Snapshots
from core.zygote import jobs


def fork_for(job: str, args: dict[str, Any], fds: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
    """Do a zygote's job in a forked child, as the zygote does; its answer and descriptors, or its error raised."""
    ours, theirs = packets.pair()
    child = os.fork()
    if child == 0:
        jobs.run({**args, "job": job}, [theirs.detach(), *fds])
        os._exit(0)
    theirs.close()
    try:
        received = packets.receive(ours)
    finally:
        ours.close()
        os.waitpid(child, 0)
    if received is None:
        raise ZygoteGone(f"the process for {job} died")
    if "error" in received[0]:
        raise from_wire(received[0]["error"])
    return received


def run_forked(job: str, args: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
    """The same for a job that answers without descriptors."""
    return fork_for(job, args, fds)[0]


class ForkingZygote:
    """Stands where the zygote does: the same jobs in real children."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        await asyncio.sleep(0)
        return fork_for(job, args or {}, fds)


@dataclass
class Store:
    """One ROOT with everything opened."""

    paths: Paths
    db: Database
    content: ContentStore
    snapshots: Snapshots
    images: Images
    room: ImageRoom

    @classmethod
    def open(cls, root: Path) -> Store:
        paths = Paths(root / "root", root / "run")
        db = Database(paths.database)
        content, snapshots = ContentStore(paths), Snapshots(db, paths)
        room = ImageRoom.open(db, content, snapshots, ForkingZygote())
        return cls(paths, db, content, snapshots, Images(room), room)

    async def load(self, data: bytes) -> tuple[str, ...]:
        fd = file_of(data)
        try:
            return await self.images.load(fd, progress=ignore)
        finally:
            os.close(fd)

    async def import_(self, data: bytes, reference: str | None = "m:0", changes: Sequence[str] = ()) -> Any:
        fd = file_of(data)
        try:
            return await self.images.import_(fd, reference=reference, message="", changes=changes, progress=ignore)
        finally:
            os.close(fd)

    async def save(self, *references: str) -> bytes:
        pieces: list[bytes] = []

        async def write(piece: bytes) -> None:
            pieces.append(piece)

        await self.images.save(references, write)
        return b"".join(pieces)

    def leftovers(self) -> list[str]:
        """Every blob, snapshot, half-written file and piece of trash that is there to stay."""
        deadline = time.monotonic() + 10
        while any(self.paths.trash.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.005)  # it is emptied by a thread of its own
        content = self.paths.content
        folders = [content / "blobs/sha256", content / "recipes", content / "ingest", self.paths.trash]
        found = [path.name for folder in folders for path in folder.iterdir()]
        return found + [path.name for path in self.paths.snapshots.iterdir() if path.name != "empty"]


def ignore(_: Progress) -> None:
    pass


def file_of(data: bytes) -> int:
    """A seekable descriptor that reads `data`."""
    fd = os.memfd_create("archive", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


Files = dict[str, bytes | tarfile.TarInfo]


def make_tar(files: Files, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of regular files, or of what a TarInfo says, in the given order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(name: str, kind: bytes, **members: Any) -> tarfile.TarInfo:
    """An entry without a body: `kind` is one of tarfile's types."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755
    for key, value in members.items():
        setattr(info, key, value)
    return info


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config_of(layers: Sequence[bytes], **members: Any) -> bytes:
    """A config document for uncompressed `layers`."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05.678901234Z",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]},
        "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }
    return json.dumps(document | members).encode()


def docker_archive(
    layers: Sequence[bytes], tags: Sequence[str] = ("t:1",), *, config: bytes | None = None, packed: bool = False
) -> bytes:
    """What `docker save` wrote before 25; with `packed` its layers are gzipped."""
    config = config_of(layers) if config is None else config
    names = [f"{number:064x}/layer.tar" for number, _ in enumerate(layers)]
    files: Files = {f"{sha256(config)}.json": config}
    files |= {name: gzip.compress(layer) if packed else layer for name, layer in zip(names, layers, strict=True)}
    manifest = [{"Config": f"{sha256(config)}.json", "RepoTags": list(tags) or None, "Layers": names}]
    files["manifest.json"] = json.dumps(manifest).encode()
    return make_tar(files)


def oci_archive(
    images: Sequence[tuple[str, Sequence[bytes], dict[str, str] | None]],
    *,
    packed: bool = True,
    index: bool = False,
    pack: Callable[[bytes], bytes] = lambda data: gzip.compress(data, mtime=0),
) -> bytes:
    """An OCI layout of (name, layers, platform) each, compressed by `pack`; `index` nests them in one index."""
    files: Files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        files[f"blobs/sha256/{sha256(data)}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}

    entries = []
    for name, layers, platform in images:
        kind = "application/vnd.oci.image.layer.v1.tar"
        described = [blob(pack(layer) if packed else layer, kind + ("+gzip" if packed else "")) for layer in layers]
        config = config_of(layers, architecture=(platform or {}).get("architecture", "amd64"))
        manifest = {
            "schemaVersion": 2,
            "config": blob(config, "application/vnd.oci.image.config.v1+json"),
            "layers": described,
        }
        entry = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        if platform:
            entry["platform"] = platform
        if name and not index:
            entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        entries.append(entry)
    if index:
        document = {"schemaVersion": 2, "manifests": entries}
        entry = blob(json.dumps(document).encode(), "application/vnd.oci.image.index.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": images[0][0]}
        entries = [entry]
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return make_tar(files)
