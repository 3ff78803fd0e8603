"""A manifest as it came: its bytes, what they claim to be, and whether both agree.

One document must not be read as two kinds (CVE-2021-41190): its media type, as the header and as the document
have it, says what it is, and it holds nothing of the other kind.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from core.errors import DataLoss, DigestMismatch, Unsupported
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT, convert
from core.oci.image import (
    DOCKER_CONFIG,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
)
from core.oci.platform import variant_of
from core.registry.answers import shown

ACCEPT = ", ".join([*sorted(MANIFEST_TYPES), *sorted(INDEX_TYPES)])
LAYERS, ENTRIES = 127, 10_000
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_TWO_KINDS = ("layers", "config"), ("manifests",)


@dataclass(frozen=True, slots=True)
class Document:
    """A checked manifest or index and its very bytes."""

    descriptor: Descriptor
    data: bytes
    content: Manifest | Index


def parse(
    data: bytes,
    header: str,
    *,
    expected: Digest | None,
    told: str | None = None,
    configs: Collection[str] = IMAGE_CONFIGS,
) -> Document:
    """Check `data`, which came with `header` (Content-Type). `told` = Docker-Content-Digest.

    `configs` = media types of the configs that are acceptable.

    Raises DigestMismatch, DataLoss, Unsupported.
    """
    digest = Digest.of(data)
    if expected is not None and digest != expected:
        raise DigestMismatch(expected, digest)
    if expected is None and told and told.startswith("sha256:") and told != digest:
        raise DigestMismatch(shown(told), digest)
    media_type = header.partition(";")[0].strip().lower()
    old = media_type.startswith(_SCHEMA_1)
    fields = {} if old else _object(data)
    if old or (fields.get("schemaVersion") == 1 and "fsLayers" in fields):
        raise Unsupported("the image is of manifest schema 1, which is not supported: push it again")
    kind = _kind(media_type, fields)
    descriptor = Descriptor(media_type=kind, digest=digest, size=len(data))
    if kind in INDEX_TYPES:
        index = convert(fields, Index, what="image index", error=DataLoss)
        return Document(descriptor, data, _checked_index(index))
    manifest = convert(fields, Manifest, what="image manifest", error=DataLoss)
    return Document(descriptor, data, _checked(manifest, configs))


def choose(index: Index, wanted: Platform) -> Descriptor | None:
    """The manifest for `wanted`: its own variant, else the nearest older, else any. None where there is none."""
    fits = [
        one
        for one in index.manifests
        if one.platform is not None
        and (one.platform.os, one.platform.architecture) == (wanted.os, wanted.architecture)
    ]
    if not fits:
        alone = [one for one in index.manifests if one.platform is None]
        return alone[0] if len(alone) == len(index.manifests) == 1 else None
    for one in fits:
        if one.platform is not None and variant_of(one.platform) == variant_of(wanted):
            return one
    if wanted.architecture == "arm":
        newest = variant_of(wanted)
        older = [one for one in fits if one.platform is not None and variant_of(one.platform) <= newest]
        return max(older, key=lambda one: variant_of(one.platform or wanted), default=None)
    return fits[0]


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > DOCUMENT_LIMIT:
        raise DataLoss(f"manifest is larger than {DOCUMENT_LIMIT} bytes")
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DataLoss(f"manifest is not valid JSON: {shown(str(error))}") from error
    if not isinstance(fields, dict):
        raise DataLoss("manifest is not a JSON object")
    return fields


def _kind(media_type: str, fields: dict[str, Any]) -> str:
    """What the document is, said by the header, the document and its members alike."""
    named = fields.get("mediaType") or ""
    known = INDEX_TYPES | MANIFEST_TYPES
    if media_type in known:
        kind = media_type
    elif named in known and media_type in ("", "application/json", "application/octet-stream", "text/plain"):
        kind = named
    elif not media_type or media_type == "application/json":
        kind = OCI_INDEX if "manifests" in fields else OCI_MANIFEST
    else:
        raise DataLoss(f"unsupported manifest media type {shown(media_type)!r}")
    if named and named != kind:
        raise DataLoss(f"manifest is served as {shown(kind)} and says it is {shown(str(named))}")
    of_image, of_index = _TWO_KINDS
    foreign = of_image if kind in INDEX_TYPES else of_index
    if any(fields.get(member) for member in foreign):
        raise DataLoss("manifest is an image and an index at once")
    if fields.get("schemaVersion") != 2 or fields.get("fsLayers") or fields.get("history"):
        raise DataLoss("manifest is not of schema version 2")
    return kind


def _checked(manifest: Manifest, configs: Collection[str]) -> Manifest:
    kind = manifest.config.media_type
    if kind not in configs:
        # Helm charts, plugins, signatures: artifacts that lie in registries too.
        raise Unsupported(f"not a container image: its config is of type {shown(kind)!r}")
    if len(manifest.layers) > LAYERS:
        raise DataLoss(f"image has more than {LAYERS} layers")
    if not 0 < manifest.config.size <= DOCUMENT_LIMIT:
        raise DataLoss(f"image has a config of {manifest.config.size} bytes")
    if any(layer.size < 0 for layer in manifest.layers):
        raise DataLoss("image has a layer of a negative size")
    return manifest


def _checked_index(index: Index) -> Index:
    if len(index.manifests) > ENTRIES:
        raise DataLoss(f"image index has more than {ENTRIES} entries")
    return index
