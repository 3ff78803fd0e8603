"""What a build leaves for engines elsewhere: its steps by key, and the blobs of the layers they made. Pure.

It travels as the config of a manifest of its own, in a registry or a folder (an OCI image layout), or inside an
image's config ("inline"). Whoever reads one believes nothing of it but what the digests of blobs and layers prove,
and uses it only for the build that has named it (CVE-2024-24557).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from core.build.ancestry import Ancestry
from core.build.cache import Entry
from core.errors import DataLoss, Unsupported
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import OCI_MANIFEST, Descriptor, Index, Manifest

CACHE_CONFIG = "application/vnd.onggi.buildcache.v1+json"
BUILDKIT = "application/vnd.buildkit.cacheconfig.v0"  # of BuildKit's own caches
INLINE = "io.onggi.buildcache.v1"  # the member of an image's config
STEPS, LAYERS, CHAIN = 10_000, 10_000, 127
_KEY = re.compile(r"[0-9a-f]{64}")
_LATEST = 253402300799.0  # the last second of the year 9999
_TEXT = 64 << 10


class CachedStep(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One step. `layers` are numbers in the document's list, bottom first, its own last where it `made` one.

    `short` is a second key, which says where a copy came from instead of what it found there; `created_by` is for
    the history then.
    """

    key: str
    layers: tuple[int, ...] = ()
    made: bool = False
    text: str = ""
    size: int = 0
    created_at: float = 0.0
    short: str = ""
    created_by: str = ""


class CacheDocument(msgspec.Struct, frozen=True, rename="camel"):
    """`diff_ids` of all layers below and of the steps; `blobs` of those that steps made, by diffID."""

    diff_ids: tuple[Digest, ...] = ()
    steps: tuple[CachedStep, ...] = ()
    blobs: dict[str, Descriptor] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trodden:
    """A step that a build has been through, from a cache or done. `short` as in CachedStep."""

    entry: Entry
    short: str = ""
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What was read: a document's steps by key, and of an image how it came about."""

    entries: dict[str, Entry] = field(default_factory=dict)
    shorts: dict[str, tuple[str, str]] = field(default_factory=dict)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)
    ancestry: Ancestry | None = None


def document(steps: Iterable[Trodden], blobs: Sequence[tuple[Digest, Descriptor]]) -> CacheDocument:
    """The document of `steps`, and of the `blobs` of the layers that they made."""
    numbers: dict[Digest, int] = {}
    found: dict[str, CachedStep] = {}
    for step in steps:
        entry = step.entry
        chain = tuple(numbers.setdefault(diff_id, len(numbers)) for diff_id in entry.diff_ids)
        found[entry.key] = CachedStep(
            key=entry.key, layers=chain, made=entry.made_layer, text=entry.text, size=entry.size,
            created_at=entry.created_at, short=step.short, created_by=step.created_by,
        )  # fmt: skip
    return CacheDocument(
        tuple(numbers), tuple(found.values()), {str(diff_id): descriptor for diff_id, descriptor in blobs}
    )


def made_layers(steps: Iterable[Trodden]) -> tuple[Digest, ...]:
    """The layers that `steps` made, each once."""
    return tuple(dict.fromkeys(step.entry.diff_ids[-1] for step in steps if step.entry.made_layer))


def below(steps: Iterable[Trodden], diff_ids: Sequence[Digest]) -> tuple[Trodden, ...]:
    """Those of `steps` that an image of the layers `diff_ids` stands on: what mode=min keeps."""
    return tuple(step for step in steps if tuple(diff_ids[: len(step.entry.diff_ids)]) == step.entry.diff_ids)


def manifest_of(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    """The manifest that names the document `config` and its blobs: image-spec manifest.md, "artifacts"."""
    return encode({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": plain(config),
        "layers": [plain(layer) for layer in layers],
    })  # fmt: skip


def refuse_foreign(document: Manifest | Index) -> None:
    """Raises Unsupported for a cache of BuildKit's: its steps go by digests of a graph that only BuildKit has."""
    named = document.manifests if isinstance(document, Index) else (document.config,)
    if any(one.media_type == BUILDKIT for one in named):
        raise Unsupported("it is a cache of BuildKit's, which no other builder can read")


def read(data: bytes) -> Known:
    """A document from elsewhere, checked. Raises DataLoss."""
    return checked(decode(data, CacheDocument, what="build cache", error=DataLoss))


def checked(found: CacheDocument) -> Known:
    """A document as what it says. Raises DataLoss where it says what cannot be."""
    if len(found.steps) > STEPS or len(found.diff_ids) > LAYERS:
        raise DataLoss("build cache is not acceptable: it has too many steps or layers")
    known = Known()
    for step in found.steps:
        _check(step, len(found.diff_ids))
        chain = tuple(found.diff_ids[number] for number in step.layers)
        known.entries[step.key] = Entry(
            step.key, chain, step.made, step.text, step.size, step.created_at, step.created_at, 0
        )
        if step.short:
            known.shorts[step.short] = step.key, step.created_by
    for name, blob in found.blobs.items():
        if name in found.diff_ids and blob.size > 0:
            known.blobs[Digest(name)] = blob
    return known


def _check(step: CachedStep, layers: int) -> None:
    keys = [step.key, *([step.short] if step.short else [])]
    fits = (
        all(_KEY.fullmatch(key) for key in keys)
        and len(step.layers) <= CHAIN
        and all(0 <= number < layers for number in step.layers)
        and (bool(step.layers) or not step.made)
        and 0 <= step.created_at <= _LATEST
        and step.size >= 0
        and len(step.text) <= _TEXT
        and len(step.created_by) <= _TEXT
    )
    if not fits:
        raise DataLoss("build cache is not acceptable: a step of it says what cannot be")
