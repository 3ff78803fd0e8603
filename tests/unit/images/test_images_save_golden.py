"""The layout that `save` writes, as text: what other tools read depends on each of these lines."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from store_kit import config_of, make_tar, sha256

from core.errors import CorruptStore
from core.images.archive_write import Choice, plan, write_archive
from core.images.layers import Layer, Layers
from core.images.load import store_manifest
from core.images.store import ImageStore, NewImage
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import OCI_LAYER_GZIP, ImageConfig
from core.oci.reference import Reference
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.db import Database

ONE, TWO = make_tar({"one": b"1"}), make_tar({"two": b"2"})


class Saved:
    """An image of two gzipped layers, put into a store by hand and saved."""

    def __init__(self, root: Path) -> None:
        paths = Paths(root / "root", root / "run")
        self.db = Database(paths.database)
        self.content = ContentStore(paths)
        self.layers = Layers(self.db)
        store = ImageStore(self.db, self.content)
        for layer in (ONE, TWO):
            blob, size = self.content.put(gzip.compress(layer))
            self.layers.add(Layer(Digest.of(layer), blob, OCI_LAYER_GZIP, size, len(layer)))
        self.config = config_of([ONE, TWO])
        self.content.put(self.config)
        config = decode(self.config, ImageConfig, what="config")
        manifest = store_manifest(self.content, self.layers, self.config, config.rootfs.diff_ids)
        self.references = (Reference.parse("a:1"), Reference.parse("reg.io:5000/b/c:2"))
        store.register([NewImage(Digest.of(self.config), manifest, config, 2, self.references)])
        self.image = store.all()[0]

    def bytes(self) -> bytes:
        pieces = []

        async def write(piece: bytes) -> None:
            pieces.append(piece)

        planned = plan([Choice(self.image, self.references)], self.content, self.layers)
        asyncio.run(write_archive(planned, self.content, write))
        return b"".join(pieces)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {item.name: file.read() for item in tar if (file := tar.extractfile(item))}


def test_the_layout_is_dockers_and_ocis_at_once(saved: Saved) -> None:
    files = unpacked(saved.bytes())
    (manifest,) = [name for name, body in files.items() if b'"mediaType"' in body and name.startswith("blobs")]
    names = {sha256(ONE): "ONE", sha256(TWO): "TWO", sha256(saved.config): "CONFIG", manifest[-64:]: "MANIFEST"}

    def readable(text: str) -> str:
        for digest, name in names.items():
            text = text.replace(digest, name)
        return text

    sizes = {"ONE": len(ONE), "TWO": len(TWO), "CONFIG": len(saved.config), "MANIFEST": len(files[manifest])}
    kind = "application/vnd.oci.image"

    def described(name: str, what: str) -> dict[str, object]:
        return {"mediaType": f"{kind}.{what}", "digest": f"sha256:{name}", "size": sizes[name]}

    layers = [described("ONE", "layer.v1.tar"), described("TWO", "layer.v1.tar")]
    entry = described("MANIFEST", "manifest.v1+json") | {"platform": {"architecture": "amd64", "os": "linux"}}
    documents = {name: json.loads(readable(body.decode())) for name, body in files.items() if body[:1] in b"[{"}
    assert {readable(name): document for name, document in documents.items() if "CONFIG" not in readable(name)} == {
        "blobs/sha256/MANIFEST": {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": described("CONFIG", "config.v1+json"),
            "layers": layers,
        },
        "index.json": {
            "schemaVersion": 2,
            "mediaType": f"{kind}.index.v1+json",
            "manifests": [
                entry
                | {
                    "annotations": {
                        "io.containerd.image.name": "docker.io/library/a:1",
                        "org.opencontainers.image.ref.name": "1",
                    }
                },
                entry
                | {
                    "annotations": {
                        "io.containerd.image.name": "reg.io:5000/b/c:2",
                        "org.opencontainers.image.ref.name": "2",
                    }
                },
            ],
        },
        "manifest.json": [
            {
                "Config": "blobs/sha256/CONFIG",
                "RepoTags": ["a:1", "reg.io:5000/b/c:2"],
                "Layers": ["blobs/sha256/ONE", "blobs/sha256/TWO"],
                "LayerSources": {"sha256:ONE": layers[0], "sha256:TWO": layers[1]},
            }
        ],
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "repositories": {"a": {"1": "TWO"}, "reg.io:5000/b/c": {"2": "TWO"}},
    }


def test_configs_go_out_as_they_came_and_layers_plain(saved: Saved) -> None:
    files = unpacked(saved.bytes())
    assert files[f"blobs/sha256/{sha256(saved.config)}"] == saved.config
    assert files[f"blobs/sha256/{sha256(ONE)}"] == ONE


def test_the_same_image_gives_the_same_bytes(saved: Saved, tmp_path: Path) -> None:
    first = saved.bytes()
    assert saved.bytes() == first
    assert Saved(tmp_path / "another machine").bytes() == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
    assert [item.name for item in members] == ["blobs", "blobs/sha256", *sorted(item.name for item in members[2:])]
    assert {(item.mtime, item.uid, item.gid) for item in members} == {(0, 0, 0)}


def test_a_damaged_layer_is_found_while_it_goes_out(saved: Saved) -> None:
    layer = saved.layers.get(Digest.of(TWO))
    assert layer is not None
    saved.content.path(layer.blob).chmod(0o600)
    saved.content.path(layer.blob).write_bytes(gzip.compress(TWO[:-1] + b"x"))
    with pytest.raises(CorruptStore, match="is damaged in the store"):
        saved.bytes()
    saved.layers.delete(Digest.of(TWO))
    with pytest.raises(CorruptStore, match="is missing from the store"):
        saved.bytes()
