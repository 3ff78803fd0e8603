"""Build caches in registries: a manifest of their own under a tag, or an image that has one inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.build.cachedoc import (
    BUILDKIT,
    CACHE_CONFIG,
    Known,
    Trodden,
    document,
    made_layers,
    manifest_of,
    refuse_foreign,
)
from core.build.imports import known_of, take_in
from core.errors import DataLoss, NotFound
from core.images.room import ImageRoom
from core.oci.digest import Digest
from core.oci.document import encode
from core.oci.image import DOCKER_CONFIG, OCI_CONFIG, OCI_MANIFEST, Descriptor, Index, Platform

if TYPE_CHECKING:
    from core.images.push import Pusher
    from core.registry.repository import Repository

_CONFIGS = frozenset({CACHE_CONFIG, OCI_CONFIG, DOCKER_CONFIG, BUILDKIT})


async def look(repository: Repository, what: str, platform: Platform) -> Known | None:
    """What is known of steps under a tag or digest; None where it is an image without a cache.

    Raises Refused, NotFound, Unavailable, Unsupported, DataLoss.
    """
    from core.registry.manifests import choose

    found = (await repository.manifest(what, configs=_CONFIGS)).content
    refuse_foreign(found)
    if isinstance(found, Index):
        chosen = choose(found, platform)
        if chosen is None:
            raise NotFound(f"no matching manifest for {platform} in the manifest list entries")
        found = (await repository.manifest(chosen.digest, configs=_CONFIGS)).content
    if isinstance(found, Index):
        raise DataLoss("it has too many indexes inside each other")
    refuse_foreign(found)
    return known_of(found, await repository.document(found.config))


class RegistryBlobs:
    """The blobs of one repository."""

    def __init__(self, repository: Repository, room: ImageRoom) -> None:
        self._repository = repository
        self._room = room

    async def fetch(self, blob: Descriptor, advance: Callable[[int], None]) -> None:
        """Have a blob in the store. Raises Refused, Unavailable, DataLoss, DigestMismatch."""
        from core.registry.answers import Refused

        try:
            async with self._repository.blob(blob, 0) as (_, pieces):
                await take_in(self._room, blob, pieces, advance)
        except Refused as error:
            raise error.plain() from error


async def publish(pusher: Pusher, repository: Repository, what: str, steps: Sequence[Trodden]) -> Digest:
    """Put the cache of `steps` under tag `what`: layers that the registry lacks, the document, the manifest last.

    Raises Refused, Unavailable, CorruptStore.
    """
    blobs = [(diff_id, await pusher.layer(diff_id)) for diff_id in made_layers(steps)]
    config = await pusher.document(CACHE_CONFIG, encode(document(steps, blobs)))
    data = manifest_of(config, [blob for _, blob in blobs])
    await repository.put_manifest(what, OCI_MANIFEST, data)
    return Digest.of(data)
