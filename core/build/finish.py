"""The state of the last stage as an image: its config document, its manifest, and its names last."""

from __future__ import annotations

from collections.abc import Sequence

from core.aio import off_loop_to_end
from core.build.cachedoc import INLINE, CacheDocument
from core.build.state import State
from core.images.importer import without_empty
from core.images.load import store_manifest
from core.images.room import ImageRoom
from core.images.store import NewImage
from core.model.image import Image
from core.oci.digest import Digest, chain_ids
from core.oci.document import decode, encode, plain
from core.oci.image import Descriptor, ImageConfig
from core.oci.reference import Reference


def config_document(state: State, inline: CacheDocument | None = None) -> bytes:
    """The image's config; its digest is the image's id, so equal states give equal images. `inline` goes along."""
    created = state.history[-1].created if state.history else ""
    document: dict[str, object] = {"architecture": state.platform.architecture}
    if state.author:
        document["author"] = state.author
    document |= {
        "config": without_empty(plain(state.config)),
        "created": created,
        "history": [plain(step) for step in state.history],
        "os": state.platform.os,
        "rootfs": {"type": "layers", "diff_ids": list(state.diff_ids)},
    }
    if state.platform.variant:
        document["variant"] = state.platform.variant
    if inline is not None:
        document[INLINE] = plain(inline)
    return encode(document)


async def register(
    room: ImageRoom, state: State, names: Sequence[Reference], inline: CacheDocument | None = None
) -> Image:
    """Store the image and name it. Raises DataLoss for a config that is too large."""
    data = config_document(state, inline)
    config = decode(data, ImageConfig, what="image config")

    def documents() -> Descriptor:
        room.content.put(data)
        return store_manifest(room.content, room.layers, data, state.diff_ids)

    manifest = await off_loop_to_end(documents)
    ident = Digest.of(data)
    size = sum(room.snapshots.size(name) for name in chain_ids(state.diff_ids))
    room.store.register([NewImage(ident, manifest, config, size, tuple(names))])
    return room.image(ident)
