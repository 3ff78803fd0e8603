"""What is in an archive, without unpacking any of it: good layouts, and every way to lie."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import Files, config_of, docker_archive, file_of, make_tar, oci_archive, sha256, special

from core.errors import BadArchive, EngineError
from core.images import archive_read
from core.images.archive_read import Archive, seekable_tar
from core.images.layouts import ArchivedImage, host_platform, read_images
from core.oci.image import Platform

AMD64 = Platform("linux", "amd64")
ONE, TWO = make_tar({"one": b"1"}), make_tar({"two": b"2"})


def read(data: bytes, platform: Platform = AMD64) -> tuple[ArchivedImage, ...]:
    fd = file_of(data)
    try:
        return read_images(Archive(fd), platform)
    finally:
        os.close(fd)


def content(data: bytes, image: ArchivedImage) -> list[bytes]:
    fd = file_of(data)
    try:
        archive = Archive(fd)
        return [archive.reader(layer.name, what="a layer")(1 << 20) for layer in image.layers]
    finally:
        os.close(fd)


def test_the_old_layout_of_docker() -> None:
    data = docker_archive([ONE, TWO], ["a:1", "me/b:2"])
    (image,) = read(data)
    assert [reference.familiar for reference in image.references] == ["a:1", "me/b:2"]
    assert image.id.hex == sha256(config_of([ONE, TWO]))
    assert content(data, image) == [ONE, TWO]


def skopeo_archive() -> bytes:
    config = config_of([ONE])
    files: Files = {
        f"{sha256(ONE)}.tar": ONE,
        "v1/layer.tar": special("v1/layer.tar", tarfile.SYMTYPE, linkname=f"../{sha256(ONE)}.tar"),
        f"{sha256(config)}.json": config,
    }
    item = {"Config": f"{sha256(config)}.json", "RepoTags": None, "Layers": ["v1/layer.tar"]}
    return make_tar(files | {"manifest.json": json.dumps([item]).encode()})


def test_skopeos_symbolic_links_are_followed_inside_the_archive() -> None:
    (image,) = read(skopeo_archive())
    assert image.references == ()
    assert content(skopeo_archive(), image) == [ONE]


def test_manifest_json_goes_before_index_json() -> None:
    config = config_of([ONE])
    files: Files = {
        "blobs/sha256/" + sha256(config): config,
        "blobs/sha256/" + sha256(ONE): ONE,
        "index.json": b'{"schemaVersion":2,"manifests":[]}',
        "manifest.json": json.dumps(
            [
                {
                    "Config": "blobs/sha256/" + sha256(config),
                    "RepoTags": ["a:1"],
                    "Layers": ["blobs/sha256/" + sha256(ONE)],
                }
            ]
        ).encode(),
    }
    (image,) = read(make_tar(files))
    assert image.layers[0].blob == f"sha256:{sha256(ONE)}"


@pytest.mark.parametrize(
    ("name", "familiar"),
    [("busybox:latest", ["busybox:latest"]), ("docker.io/me/x:1", ["me/x:1"]), ("latest", []), ("", [])],
)
def test_the_names_of_an_oci_layout(name: str, familiar: list[str]) -> None:
    (image,) = read(oci_archive([(name, [ONE], None)]))
    assert [reference.familiar for reference in image.references] == familiar
    assert image.manifest is not None


def test_several_images_of_an_oci_layout() -> None:
    images = read(oci_archive([("a:1", [ONE], None), ("b:1", [ONE, TWO], None)]))
    assert [(image.label, len(image.layers)) for image in images] == [("a:1", 1), ("b:1", 2)]


@pytest.mark.parametrize("index", [True, False])
def test_the_hosts_platform_is_picked(index: bool) -> None:
    arm = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    amd = {"os": "linux", "architecture": "amd64"}
    data = oci_archive([("a:1", [ONE], arm), ("a:1", [TWO], amd)], index=index)
    assert [image.config.architecture for image in read(data)] == ["amd64"]
    assert [image.config.architecture for image in read(data, Platform("linux", "arm64", "v8"))] == ["arm64"]
    with pytest.raises(BadArchive, match=r"no image for linux/riscv64, only for linux/amd64, linux/arm64/v8"):
        read(data, Platform("linux", "riscv64"))


def test_this_machine_has_a_platform() -> None:
    assert host_platform().os == "linux"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_unpacked_first(pack: Any) -> None:
    packed = file_of(pack(docker_archive([ONE])))
    plain = seekable_tar(packed, lambda: os.memfd_create("scratch"))
    assert read_images(Archive(plain), AMD64)[0].label == "t:1"
    os.close(packed)
    os.close(plain)


@contextmanager
def pipe_of(data: bytes) -> Iterator[int]:
    read_end, write_end = os.pipe()

    def feed() -> None:
        with open(write_end, "wb") as file:
            file.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield read_end
    finally:
        os.close(read_end)
        feeder.join()


def test_an_archive_may_come_through_a_pipe() -> None:
    with pipe_of(docker_archive([ONE])) as fd:
        plain = seekable_tar(fd, lambda: os.memfd_create("scratch"))
    assert read_images(Archive(plain), AMD64)[0].label == "t:1"
    os.close(plain)


def manifest(**members: Any) -> bytes:
    item = {"Config": "c.json", "RepoTags": ["t:1"], "Layers": ["l.tar"]} | members
    return json.dumps([item]).encode()


def saved(item: bytes, config: bytes | None = None, **files: Any) -> bytes:
    return make_tar({"c.json": config or config_of([ONE]), "l.tar": ONE, "manifest.json": item, **files})


def broken_oci(find: bytes, replace: bytes) -> bytes:
    data = oci_archive([("a:1", [ONE], None)], packed=False)
    assert find in data and len(find) == len(replace)
    return data.replace(find, replace, 1)


WRONG_NAME = "0" * 64
LIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "archive is empty"),
    "no tar": (b"hello world " * 100, "not a tar archive"),
    "a tar of something": (make_tar({"readme": b""}), "neither manifest.json nor index.json"),
    "an export": (
        make_tar({"etc/passwd": b"", "bin/sh": b"", ".dockerenv": b""}),
        "archive is a root file system, not an image archive: use onggi import",
    ),
    "the oldest layout": (make_tar({"repositories": b"{}", "x/json": b""}), "before 1.10"),
    "a name that leaves it": (saved(manifest(), **{"../../etc/cron.d/x": b""}), "leaves the archive"),
    "a manifest that is no JSON": (saved(b"[{"), "manifest.json is not valid JSON"),
    "a manifest of nothing": (saved(b"[]"), "manifest.json lists no images"),
    "a manifest of the wrong shape": (saved(b'{"Config":"c.json"}'), "manifest.json is not acceptable"),
    "a deep manifest": (saved(b"[" * 100_000), "manifest.json is not"),
    "a giant manifest": (saved(b" " * (5 << 20)), "larger than"),
    "a missing config": (saved(manifest(Config="none.json")), "archive lacks an image config: none.json"),
    "a config elsewhere": (saved(manifest(Config="/etc/passwd")), "archive lacks an image config"),
    "a config through a link": (
        saved(manifest(Config="s"), s=special("s", tarfile.SYMTYPE, linkname="/etc/passwd")),
        "no usable file",
    ),
    "a link that leaves it": (
        saved(manifest(Config="s"), s=special("s", tarfile.SYMTYPE, linkname="../../etc/passwd")),
        "leaves the archive",
    ),
    "a link to itself": (
        saved(manifest(Config="s"), s=special("s", tarfile.SYMTYPE, linkname="s")),
        "no usable file",
    ),
    "a folder for a config": (saved(manifest(Config="d"), d=special("d", tarfile.DIRTYPE)), "no usable file"),
    "a config of another digest": (
        saved(manifest(Config=f"{WRONG_NAME}.json"), **{f"{WRONG_NAME}.json": config_of([ONE])}),
        "does not match its digest",
    ),
    "a config that is no JSON": (saved(manifest(), config=b"\xff\xfe"), "image config is not valid JSON"),
    "a config without layers": (saved(manifest(), config=b"{}"), "image config is not acceptable"),
    "a digest that is a path": (
        saved(manifest(), config=b'{"rootfs":{"diff_ids":["sha256:../../etc"]}}'),
        "invalid digest",
    ),
    "too few layers": (saved(manifest(Layers=[])), "has 0 layers, but its config lists 1"),
    "too many layers": (
        saved(manifest(Layers=["l.tar"] * 200), config=config_of([ONE] * 200)),
        "more than 127 layers",
    ),
    "another system": (saved(manifest(), config=config_of([ONE], os="windows")), "is for windows, not for linux"),
    "a bad name": (saved(manifest(RepoTags=["../x:1"])), "names an image badly"),
    "a name like an id": (saved(manifest(RepoTags=["a" * 64])), "names an image badly"),
    "a name with a terminal's codes": (saved(manifest(RepoTags=["\x1b]0;x\x07:1"])), "names an image badly"),
    "a cut archive": (saved(manifest())[:-12000], "truncated|lacks|neither"),
    "an index that is no JSON": (make_tar({"index.json": b"{", "oci-layout": b""}), "index.json is not valid"),
    "an index of nothing": (make_tar({"index.json": b'{"schemaVersion":2,"manifests":[]}'}), "lists no images"),
    "a blob of other bytes": (broken_oci(b'"os": "linux"', b'"os": "linus"'), "does not match its digest"),
}


@pytest.mark.parametrize(("data", "words"), LIES.values(), ids=LIES)
def test_an_archive_that_lies_is_refused_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(BadArchive, match=words) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_layer_of_another_size_is_refused() -> None:
    layer = make_tar({"x": b"y"})
    config = config_of([layer])
    described = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{sha256(layer)}"}
    document = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": f"sha256:{sha256(config)}", "size": len(config)},
            "layers": [described | {"size": len(layer) + 1}],
        }
    ).encode()
    entry = {"digest": f"sha256:{sha256(document)}", "size": len(document)}
    blobs: Files = {f"blobs/sha256/{sha256(blob)}": blob for blob in (layer, config, document)}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    with pytest.raises(BadArchive, match="does not have the size its manifest says"):
        read(make_tar(blobs | {"index.json": index}))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_archives_are_read_or_refused(data: st.DataObject) -> None:
    good = bytearray(data.draw(st.sampled_from([docker_archive([ONE]), oci_archive([("a:1", [ONE], None)])])))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(good))
    except EngineError as error:
        assert "\n" not in str(error)


def test_the_index_of_an_archive_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gzip makes a thousand long names of a few bytes; the index is in the engine's memory."""
    monkeypatch.setattr(archive_read, "NAMES_LIMIT", 100_000)
    long = "/".join(["d" * 200] * 15)
    fd = file_of(make_tar({f"{long}/{number}": b"" for number in range(40)}))
    try:
        with pytest.raises(BadArchive, match="names of more than 100000 bytes together"):
            Archive(fd)
    finally:
        os.close(fd)


def test_one_large_config_is_not_read_a_thousand_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_read, "DOCUMENTS_LIMIT", 100_000)
    config = config_of([ONE])[:-1] + b',"comment":"' + b"x" * 1000 + b'"}'
    item = {"Config": "c.json", "RepoTags": [], "Layers": ["l.tar"]}
    data = make_tar({"c.json": config, "l.tar": ONE, "manifest.json": json.dumps([item] * 200).encode()})
    with pytest.raises(BadArchive, match="documents of more than 100000 bytes together"):
        read(data)
