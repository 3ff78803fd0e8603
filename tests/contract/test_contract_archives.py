"""One image in every layout that is read is one image: same id, layers and names."""

from __future__ import annotations

import gzip
import json
import os

import pytest
from store_kit import Files, config_of, docker_archive, file_of, make_tar, oci_archive, sha256, special

from core.images.archive_read import Archive, seekable_tar
from core.images.layouts import read_images
from core.oci.image import Platform

LAYERS = [
    make_tar({"one": b"1" * 3000}),
    make_tar({"two/": special("two", b"5"), "two/b": b"2"}),
    make_tar({"c": b""}),
]
NAME = "me/image:1.2"


def old_docker() -> bytes:
    return docker_archive(LAYERS, [NAME])


def old_docker_packed() -> bytes:
    return docker_archive(LAYERS, [NAME], packed=True)


def skopeo() -> bytes:
    """Layers by their diffID, and the folders of the first layout as links to them."""
    config = config_of(LAYERS)
    files: Files = {f"{sha256(layer)}.tar": layer for layer in LAYERS}
    names = []
    for number, layer in enumerate(LAYERS):
        names.append(f"{number:064x}/layer.tar")
        files[names[-1]] = special(names[-1], b"2", linkname=f"../{sha256(layer)}.tar")
    files[f"{sha256(config)}.json"] = config
    item = {"Config": f"{sha256(config)}.json", "RepoTags": [NAME], "Layers": names}
    return make_tar(files | {"manifest.json": json.dumps([item]).encode()})


def new_docker() -> bytes:
    """Docker from 25 on: both tables of contents, of which index.json lists no layers."""
    config = config_of(LAYERS)
    blobs: Files = {f"blobs/sha256/{sha256(data)}": data for data in (*LAYERS, config)}
    empty = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": f"sha256:{sha256(config)}",
                "size": len(config),
            },
            "layers": [],
        }
    ).encode()
    blobs[f"blobs/sha256/{sha256(empty)}"] = empty
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{sha256(empty)}",
        "size": len(empty),
        "annotations": {
            "io.containerd.image.name": f"docker.io/{NAME}",
            "org.opencontainers.image.ref.name": "1.2",
        },
    }
    manifest = {
        "Config": f"blobs/sha256/{sha256(config)}",
        "RepoTags": [NAME],
        "Layers": [f"blobs/sha256/{sha256(layer)}" for layer in LAYERS],
    }
    return make_tar(
        blobs
        | {
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
            "manifest.json": json.dumps([manifest]).encode(),
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "repositories": json.dumps({"me/image": {"1.2": sha256(LAYERS[-1])}}).encode(),
        }
    )


def oci() -> bytes:
    return oci_archive([(NAME, LAYERS, None)], packed=False)


def oci_packed() -> bytes:
    return oci_archive([(NAME, LAYERS, None)])


def oci_nested() -> bytes:
    return oci_archive([(NAME, LAYERS, {"os": "linux", "architecture": "amd64"})], index=True)


LAYOUTS = (old_docker, old_docker_packed, skopeo, new_docker, oci, oci_packed, oci_nested)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_is_the_same_image(layout, wrapped: bool) -> None:  # type: ignore[no-untyped-def]
    data = gzip.compress(layout()) if wrapped else layout()
    given = file_of(data)
    fd = seekable_tar(given, lambda: os.memfd_create("scratch"))
    try:
        archive = Archive(fd)
        (image,) = read_images(archive, Platform("linux", "amd64"))
        assert image.id.hex == sha256(config_of(LAYERS))
        assert [reference.familiar for reference in image.references] == [NAME]
        assert [digest.hex for digest in image.config.rootfs.diff_ids] == [sha256(layer) for layer in LAYERS]
        contents = [archive.reader(layer.name, what="a layer")(1 << 20) for layer in image.layers]
        assert [gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for data in contents] == LAYERS
    finally:
        os.close(fd)
        os.close(given)
