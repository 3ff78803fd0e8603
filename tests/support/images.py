"""Image archives, made of what this machine has."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

BUSYBOX = Path("/bin/busybox")
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    "etc/group": b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n",
}
FOLDERS = ("bin", "etc", "root", "tmp", "home", "home/app", "proc", "sys", "dev", "var", "usr", "data")


def busybox_layer() -> bytes:
    """A root file system of the machine's static busybox."""
    applets = subprocess.run([str(BUSYBOX), "--list"], check=True, capture_output=True, text=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in FOLDERS:
            _add(tar, name, b"", kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        _add(tar, "bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                _add(tar, f"bin/{applet}", b"", kind=tarfile.SYMTYPE, target="busybox")
        for name, data in FILES.items():
            _add(tar, name, data)
        _add(tar, "data/seed", b"from the image\n")
    return buffer.getvalue()


def layer_of(files: dict[str, bytes], folders: Iterable[str], links: dict[str, str]) -> bytes:
    """A layer of these files, folders and symbolic links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in folders:
            _add(tar, name, b"", kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        for name, target in links.items():
            _add(tar, name, b"", kind=tarfile.SYMTYPE, target=target)
        for name, data in files.items():
            _add(tar, name, data)
    return buffer.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    data: bytes,
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    target: str = "",
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size = kind, mode, target, len(data)
    tar.addfile(info, io.BytesIO(data))


def archive(layers: list[bytes], tag: str, config: dict[str, Any], steps: Sequence[str] = ()) -> bytes:
    """A `docker save` archive in the layout before Docker 25. `steps` = what history says of each layer."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    document = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            "history": [
                {"created": "2026-01-01T00:00:00Z", "created_by": step} for step in steps or ["test"] * len(layers)
            ],
        }
    ).encode()
    name = f"{hashlib.sha256(document).hexdigest()}.json"
    paths = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": paths}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, name, document)
        for path, layer in zip(paths, layers, strict=True):
            _add(tar, path, layer)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return buffer.getvalue()


@contextmanager
def busybox_archive(tag: str = "busybox:latest", **config: Any) -> Iterator[IO[bytes]]:
    """A file with an archive of the busybox image."""
    whole = {"Cmd": ["sh"], "Env": ["PATH=/bin"], **config}
    with tempfile.TemporaryFile() as file:
        file.write(archive([busybox_layer()], tag, whole))
        file.seek(0)
        yield file
