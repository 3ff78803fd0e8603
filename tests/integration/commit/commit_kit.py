"""The same container in two engines, and what its layer looks like."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.conftest import EngineUnderTest

Members = dict[str, tuple[object, ...]]
WHITEOUT = ".wh."
PROGRAM = Path(sys.executable).with_name("onggi")


@dataclass(frozen=True)
class Saved:
    """One image out of an archive: its config, and its layers, bottom first."""

    config: dict[str, Any]
    layers: tuple[bytes, ...]


def saved(archive: bytes) -> Saved:
    """Take a `save` archive of one image apart."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

        def read(name: str) -> bytes:
            file = tar.extractfile(name)
            assert file is not None
            return file.read()

        (entry,) = json.loads(read("manifest.json"))
        return Saved(json.loads(read(entry["Config"])), tuple(read(name) for name in entry["Layers"]))


def members(layer: bytes, *, timed: Sequence[str] = ()) -> Members:
    """What each entry of a layer says; times only of the names in `timed`."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {}
        for item in tar:
            file = tar.extractfile(item) if item.isreg() else None
            xattrs = {key: value for key, value in item.pax_headers.items() if "xattr" in key}
            # Docker's whiteouts share an inode, and the header shows it; its modes also hold the kind.
            link = "" if WHITEOUT in item.name else item.linkname
            node = (item.type, oct(item.mode & 0o7777), item.uid, item.gid, item.devmajor, item.devminor, link)
            body = file.read() if file else b""
            found[item.name] = (*node, body, tuple(sorted(xattrs.items())), item.mtime if item.name in timed else 0)
        return found


def onggi(engine: EngineUnderTest, *words: str, stdin: bytes = b"", code: int = 0) -> str:
    """Run our own command line against an engine: what it wrote."""
    done = subprocess.run(
        [PROGRAM, *words], input=stdin, env=engine.environment, capture_output=True, timeout=120, check=False
    )
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == code, text
    return text


def save(engine: EngineUnderTest, name: str) -> bytes:
    """An archive of one image."""
    return engine.client.open("GET", "/images/get", {"names": name}).read()


def image(engine: EngineUnderTest, name: str) -> dict[str, Any]:
    """An image as inspect shows it."""
    found: dict[str, Any] = engine.client.get(f"/images/{name}/json")
    return found


def load(engine: EngineUnderTest, archive: bytes) -> str:
    """Load an archive; what the engine says."""
    with open(os.memfd_create("archive"), "w+b") as file:
        file.write(archive)
        file.seek(0)
        return engine.client.open("POST", "/images/load", None, file).read().decode()
