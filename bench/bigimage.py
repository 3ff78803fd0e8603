"""A large image for the figures of load and save: files of this machine and noise, as `docker save` packs them."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TAG, SECOND_TAG = "bench-big:1", "bench-big:2"
LAYERS = 20
LAYER_BYTES = 15 << 20
_NOISE = 3 << 20  # bytes of each layer that no machine has seen before
_PLACES = ("/usr/lib", "/usr/share", "/usr/bin", "/usr/include", "/var/lib/dpkg/info")
_LARGEST = 4 << 20  # bytes of a file that is taken: images hold many small ones


@cache
def archive() -> Path:
    """The archive, made when it is first asked for and gone when the bench ends."""
    path = _folder() / "big.tar"
    make_archive(path, TAG)
    return path


@cache
def second_archive() -> Path:
    """One of an image that has the same layers but for the last."""
    path = _folder() / "second.tar"
    make_archive(path, SECOND_TAG, last="other")
    return path


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="onggi-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def make_archive(
    path: Path, tag: str, *, layers: int = LAYERS, layer_bytes: int = LAYER_BYTES, last: str = ""
) -> None:
    """Write an archive of one image to `path`. Machines differ, so an archive is made once and used by all."""
    files = _files()
    digests: list[str] = []
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(layers):
            noise = random.Random(f"{number}{last if number == layers - 1 else ''}")
            layer = _layer(files, number, layer_bytes, noise)
            digests.append(hashlib.sha256(layer).hexdigest())
            _add(archive, f"{digests[-1]}/layer.tar", layer)
        config = _config(digests)
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        _add(archive, name, config)
        item = {"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar" for digest in digests]}
        _add(archive, "manifest.json", json.dumps([item]).encode())


def _config(digests: list[str]) -> bytes:
    document = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Cmd": ["true"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "bench"} for _ in digests],
    }
    return json.dumps(document).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _files() -> Iterator[Path]:
    """Regular files of this machine, the same ones in the same order every time; then none."""
    for place in _PLACES:
        for folder, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST:
                    yield path


def _layer(files: Iterator[Path], number: int, size: int, noise: random.Random) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        seen: set[str] = set()
        while buffer.tell() < size - _NOISE and (path := next(files, None)) is not None:
            for parent in reversed(path.relative_to("/").parents[:-1]):
                if str(parent) not in seen:
                    seen.add(str(parent))
                    folder = tarfile.TarInfo(str(parent))
                    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(folder)
            _add(tar, str(path.relative_to("/")), path.read_bytes())
        left = max(size - buffer.tell(), _NOISE)
        for part in range(4):
            _add(tar, f"noise/{number}/{part}", noise.randbytes(left // 4))
    return buffer.getvalue()
