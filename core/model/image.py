"""An image as the engine lists it."""

from __future__ import annotations

import msgspec

from core.oci.digest import Digest
from core.oci.image import Descriptor, ImageConfig


class Image(msgspec.Struct, frozen=True):
    """One image in the store.

    `id` = digest of the config's bytes; `size` = bytes of its layers when unpacked; `references` = its tags in
    full (`docker.io/library/busybox:latest`), sorted; `repo_digests` = `name@digest` it was pulled or pushed as.
    """

    id: Digest
    manifest: Descriptor
    config: ImageConfig
    size: int
    references: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    created_at: float = 0.0  # seconds since the epoch, when it came into this store

    @property
    def snapshot(self) -> Digest | None:
        """The chainID of its top layer: the parent of a container's snapshot. None for an image of no layers."""
        chain = self.config.chain
        return chain[-1] if chain else None
