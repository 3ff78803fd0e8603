"""`save`: the archive that Docker since 25 writes, which older Docker, skopeo and every OCI tool read as well.

An OCI image layout and Docker's manifest.json over the same blobs. Configs go out as the very bytes that came
in; layers uncompressed, named by their diffIDs, so the archive of an image is the same on every machine.
moby image/tarexport/save.go, image-spec image-layout.md. Unlike Docker's, our index lists all layers.
"""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.aio import off_loop_to_end
from core.errors import CorruptStore
from core.images.layers import Layer, Layers
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import encode
from core.oci.image import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from core.oci.reference import Reference
from core.storage.compression import Stream
from core.storage.content import ContentStore
from core.storage.tarwrite import END, Member, header, padding

PIECE = 1 << 20
_FOLDERS = ("blobs", "blobs/sha256")
Json = dict[str, object]
Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One image to save and the tags to save it under; none when it was asked for by its id."""

    image: Image
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an archive consists of: small files by name, and layers by theirs. Written in the order of names."""

    files: dict[str, bytes]
    layers: dict[str, Layer]


def plan(choices: Sequence[Choice], content: ContentStore, layers: Layers) -> Plan:
    """Lay out the archive. Blocks. Raises CorruptStore where a part of an image is missing."""
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    planned: dict[str, Layer] = {}
    index: list[Json] = []
    manifest_json: list[Json] = []
    repositories: dict[str, dict[str, str]] = {}
    for choice in choices:
        config = content.read(choice.image.id)
        found = [_layer(layers, diff_id) for diff_id in choice.image.config.rootfs.diff_ids]
        manifest = _manifest(choice.image.id, config, found)
        files[_path(choice.image.id)] = config
        files[_path(Digest.of(manifest))] = manifest
        planned |= {_path(layer.diff_id): layer for layer in found}
        index += _index_entries(manifest, choice)
        manifest_json.append(_saved(choice, found))
        if found:
            for reference in choice.references:
                tags = repositories.setdefault(reference.familiar_name, {})
                tags[reference.tag or "latest"] = found[-1].diff_id.hex
    files["index.json"] = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index})
    files["manifest.json"] = encode(manifest_json) + b"\n"
    if repositories:
        files["repositories"] = encode(repositories) + b"\n"
    return Plan(files, planned)


def size_of(archive: Plan) -> int:
    """Bytes that `write_archive` will write."""
    sizes = [*(len(data) for data in archive.files.values()), *(layer.size for layer in archive.layers.values())]
    names = [*archive.files, *archive.layers]
    heads = [Member(name.encode(), stat.S_IFREG | 0o644, size) for name, size in zip(names, sizes, strict=True)]
    heads += [Member(folder.encode(), stat.S_IFDIR | 0o755) for folder in _FOLDERS]
    return sum(len(header(head)) for head in heads) + sum(size + len(padding(size)) for size in sizes) + len(END)


async def write_archive(archive: Plan, content: ContentStore, write: Write) -> None:
    """Stream the archive through `write`. Raises CorruptStore where a layer is damaged, midway."""
    for folder in _FOLDERS:
        await write(header(Member(folder.encode(), stat.S_IFDIR | 0o755)))
    for name in sorted([*archive.files, *archive.layers]):
        layer = archive.layers.get(name)
        size = layer.size if layer else len(archive.files[name])
        await write(header(Member(name.encode(), stat.S_IFREG | 0o644, size)))
        if layer is None:
            await write(archive.files[name])
        else:
            async for piece in _plain(layer, content):
                await write(piece)
        if rest := padding(size):
            await write(rest)
    await write(END)


async def _plain(layer: Layer, content: ContentStore) -> AsyncIterator[bytes]:
    """The uncompressed tar of a layer, checked while it goes by."""
    source = content.source(layer.blob)
    try:
        stream: Stream = await off_loop_to_end(Stream, source.read_some, limit=layer.size)
        while piece := await off_loop_to_end(stream.read, PIECE):
            yield piece
    finally:
        source.close()
    if stream.size != layer.size or stream.digest != layer.diff_id:
        raise CorruptStore(f"layer {layer.diff_id} is damaged in the store")


def _layer(layers: Layers, diff_id: Digest) -> Layer:
    layer = layers.get(diff_id)
    if layer is None:
        raise CorruptStore(f"layer {diff_id} is missing from the store")
    return layer


def _descriptor(media_type: str, digest: Digest, size: int) -> Json:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _manifest(ident: Digest, config: bytes, layers: Sequence[Layer]) -> bytes:
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(OCI_CONFIG, ident, len(config)),
            "layers": [_descriptor(OCI_LAYER, layer.diff_id, layer.size) for layer in layers],
        }
    )


def _index_entries(manifest: bytes, choice: Choice) -> list[Json]:
    entry = _descriptor(OCI_MANIFEST, Digest.of(manifest), len(manifest))
    config = choice.image.config
    platform = {"architecture": config.architecture, "os": config.os or "linux"}
    if config.variant:
        platform["variant"] = config.variant
    entry["platform"] = platform
    if not choice.references:
        return [entry]
    return [
        {
            **entry,
            "annotations": {
                "io.containerd.image.name": str(reference),
                "org.opencontainers.image.ref.name": reference.tag or "latest",
            },
        }
        for reference in choice.references
    ]


def _saved(choice: Choice, layers: Sequence[Layer]) -> Json:
    return {
        "Config": _path(choice.image.id),
        "RepoTags": [reference.familiar for reference in choice.references] or None,
        "Layers": [_path(layer.diff_id) for layer in layers],
        "LayerSources": {str(layer.diff_id): _descriptor(OCI_LAYER, layer.diff_id, layer.size) for layer in layers},
    }


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"
