"""What images an archive holds, by its layout: `docker save` (old and new), skopeo's two, OCI image layout.

`manifest.json` goes before `index.json`, because Docker since 25 writes both and lists only foreign layers in
the latter. moby image/tarexport, image-spec image-layout.md. Pure but for reading the archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from core.errors import BadArchive, BadReference, InvalidArgument
from core.images.archive_read import Archive
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import INDEX_TYPES, MANIFEST_TYPES, Descriptor, ImageConfig, Index, Manifest, Platform
from core.oci.platform import machine_platform, variant_of
from core.oci.reference import Reference
from core.storage.tarball import shown

MAX_LAYERS = 127
MAX_IMAGES = 1000
_DEPTH = 4  # indexes in indexes
_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class ArchivedLayer:
    """Where a layer lies in the archive; `blob` = the digest of the file where the archive promises one."""

    name: str
    blob: Digest | None


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """One image as the archive has it. `manifest` is there for OCI layouts; `config_bytes` are the identity."""

    config_bytes: bytes
    config: ImageConfig
    layers: tuple[ArchivedLayer, ...]
    references: tuple[Reference, ...]
    manifest: tuple[Descriptor, bytes] | None = None

    @property
    def id(self) -> Digest:
        return Digest.of(self.config_bytes)

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.references[0].familiar if self.references else self.id.hex[:12]


class _Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """One item of Docker's manifest.json."""

    config: str
    layers: tuple[str, ...] = ()
    repo_tags: tuple[str, ...] = ()


def host_platform() -> Platform:
    """The platform of this machine."""
    return machine_platform(os.uname().machine)


def read_images(archive: Archive, platform: Platform) -> tuple[ArchivedImage, ...]:
    """Every image of the archive that fits `platform`. Raises BadArchive with what is wrong, in one line."""
    if archive.has("manifest.json"):
        return _docker_images(archive)
    if archive.has("index.json"):
        return tuple(_oci_images(archive, platform))
    if archive.looks_like_root():
        raise BadArchive("archive is a root file system, not an image archive: use onggi import")
    if archive.has("repositories"):
        raise BadArchive("archive has the layout of Docker before 1.10, which is not supported")
    raise BadArchive("archive is not an image archive: it has neither manifest.json nor index.json")


def _docker_images(archive: Archive) -> tuple[ArchivedImage, ...]:
    document = archive.document("manifest.json", what="manifest.json")
    items = decode(document, tuple[_Saved, ...], what="manifest.json", error=BadArchive)
    if not items:
        raise BadArchive("manifest.json lists no images")
    if len(items) > MAX_IMAGES:
        raise BadArchive(f"archive has more than {MAX_IMAGES} images")
    return tuple(_docker_image(archive, item) for item in items)


def _docker_image(archive: Archive, item: _Saved) -> ArchivedImage:
    config_bytes = archive.document(item.config, what="an image config")
    promised = _NAMED_BY_DIGEST.fullmatch(item.config)
    if promised and Digest.of(config_bytes).hex != promised[1]:
        raise BadArchive(f"config {item.config} does not match its digest, it is {Digest.of(config_bytes)}")
    layers = tuple(ArchivedLayer(name, _promised_blob(name)) for name in item.layers)
    references = tuple(_reference(text) for text in item.repo_tags)
    return _checked(ArchivedImage(config_bytes, _config(config_bytes), layers, references))


def _promised_blob(name: str) -> Digest | None:
    match = _BLOB.fullmatch(name)
    return Digest(f"sha256:{match[1]}") if match else None


def _oci_images(archive: Archive, platform: Platform) -> Iterator[ArchivedImage]:
    index = decode(archive.document("index.json", what="index.json"), Index, what="index.json", error=BadArchive)
    if not index.manifests:
        raise BadArchive("index.json lists no images")
    if len(index.manifests) > MAX_IMAGES:
        raise BadArchive(f"archive has more than {MAX_IMAGES} images")
    for descriptors in _by_name(index.manifests):
        manifest = _resolve(archive, _pick(descriptors, platform), platform, _DEPTH)
        names = [name for item in descriptors if (name := _name(item))]
        yield _oci_image(archive, manifest, tuple(dict.fromkeys(names)))


def _by_name(descriptors: Sequence[Descriptor]) -> list[list[Descriptor]]:
    """Descriptors that are one image for several platforms: same name, and each tells its platform."""
    groups: dict[str, list[Descriptor]] = {}
    for number, item in enumerate(descriptors):
        alone = item.platform is None or item.media_type in INDEX_TYPES
        key = f"{number}" if alone else f"name {_name(item) or ''}"
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _name(descriptor: Descriptor) -> Reference | None:
    """The name an OCI layout gives: in full, or as skopeo and buildah write it; a mere tag names nothing."""
    for annotation in (_FULL_NAME, _REF_NAME):
        text = descriptor.annotations.get(annotation, "")
        if "/" in text or ":" in text:
            return _reference(text)
    return None


def _pick(descriptors: Sequence[Descriptor], platform: Platform) -> Descriptor:
    if len(descriptors) == 1:
        return descriptors[0]
    fits = [item for item in descriptors if _fits(item.platform, platform)]
    if not fits:
        others = ", ".join(sorted({str(item.platform) for item in descriptors if item.platform}))
        raise BadArchive(f"archive has no image for {platform}, only for {others}")
    exact = [item for item in fits if item.platform and variant_of(item.platform) == variant_of(platform)]
    return (exact or fits)[0]


def _fits(offered: Platform | None, wanted: Platform) -> bool:
    return offered is None or (offered.os, offered.architecture) == (wanted.os, wanted.architecture)


def _resolve(archive: Archive, descriptor: Descriptor, platform: Platform, depth: int) -> Descriptor:
    """Down through indexes to a manifest."""
    if descriptor.media_type not in INDEX_TYPES:
        return descriptor
    if not depth:
        raise BadArchive("archive has too many indexes inside each other")
    index = decode(_blob(archive, descriptor), Index, what="an image index", error=BadArchive)
    # An index may list platforms that were not saved; and attestations, whose platform is unknown/unknown.
    here = [item for item in index.manifests if archive.has(_path(item.digest))]
    if not here:
        raise BadArchive("archive has an image index, but none of its images")
    return _resolve(archive, _pick(here, platform), platform, depth - 1)


def _oci_image(archive: Archive, descriptor: Descriptor, references: tuple[Reference, ...]) -> ArchivedImage:
    if descriptor.media_type and descriptor.media_type not in MANIFEST_TYPES:
        raise BadArchive(f"archive has a manifest of an unknown kind: {shown(os.fsencode(descriptor.media_type))}")
    data = _blob(archive, descriptor)
    manifest = decode(data, Manifest, what="an image manifest", error=BadArchive)
    config_bytes = _blob(archive, manifest.config)
    layers = []
    for layer in manifest.layers:
        name = _path(layer.digest)
        if archive.size(name, what="a layer") != layer.size:
            raise BadArchive(f"layer {layer.digest} does not have the size its manifest says")
        layers.append(ArchivedLayer(name, layer.digest))
    return _checked(
        ArchivedImage(config_bytes, _config(config_bytes), tuple(layers), references, (descriptor, data))
    )


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _blob(archive: Archive, descriptor: Descriptor) -> bytes:
    """A small blob, checked for its digest and size."""
    data = archive.document(_path(descriptor.digest), what="a blob")
    if Digest.of(data) != descriptor.digest:
        raise BadArchive(f"blob {descriptor.digest} does not match its digest, it is {Digest.of(data)}")
    if len(data) != descriptor.size:
        raise BadArchive(f"blob {descriptor.digest} does not have the size its descriptor says")
    return data


def _config(data: bytes) -> ImageConfig:
    return decode(data, ImageConfig, what="image config", error=BadArchive)


def _checked(image: ArchivedImage) -> ArchivedImage:
    wanted = len(image.config.rootfs.diff_ids)
    if len(image.layers) != wanted:
        raise BadArchive(f"image {image.label} has {len(image.layers)} layers, but its config lists {wanted}")
    if wanted > MAX_LAYERS:
        raise BadArchive(f"image {image.label} has more than {MAX_LAYERS} layers")
    if image.config.os not in ("linux", ""):
        raise BadArchive(f"image {image.label} is for {shown(os.fsencode(image.config.os))}, not for linux")
    return image


def _reference(text: str) -> Reference:
    try:
        reference = Reference.parse(text).with_default_tag()
    except (BadReference, InvalidArgument) as error:
        raise BadArchive(f"archive names an image badly: {shown(os.fsencode(text))}: {error}") from error
    if reference.digest is not None:
        raise BadArchive(f"archive names an image by a digest: {shown(os.fsencode(text))}")
    return reference
