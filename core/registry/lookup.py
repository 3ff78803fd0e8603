"""What a manifest is good for, without fetching the image."""

from __future__ import annotations

from core.errors import DataLoss
from core.oci.document import decode
from core.oci.image import ImageConfig, Index, Manifest, Platform
from core.registry.manifests import Document
from core.registry.repository import Repository


async def platforms(repository: Repository, found: Document) -> list[Platform]:
    """The platforms of an index, or the one that an image's config names. Raises DataLoss, Refused, Unavailable."""
    content = found.content
    if isinstance(content, Index):
        named = [one.platform for one in content.manifests if one.platform is not None]
        return [one for one in dict.fromkeys(named) if one.os != "unknown"]  # attestations
    assert isinstance(content, Manifest)
    data = await repository.document(content.config)
    config = decode(data, ImageConfig, what="image config", error=DataLoss)
    return [Platform(config.os or "linux", config.architecture, config.variant)]
