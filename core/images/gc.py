"""What no image names and no container stands on is removed, once nobody is bringing anything in.

Images that were removed a while ago count as named while the journal keeps them: `undo` may want them back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from core.aio import off_loop_to_end
from core.errors import Conflict, CorruptStore, DataLoss, SyscallFailed
from core.images.layers import Layers
from core.images.store import ImageStore
from core.images.undo import Journal
from core.model.image import Image
from core.oci.digest import Digest, chain_ids
from core.oci.document import decode
from core.oci.image import Manifest
from core.storage.content import ContentStore
from core.storage.overlay import Snapshots

log = logging.getLogger(__name__)

SPARED = 900.0  # seconds
_EMPTYING = 2.0  # seconds that removed things are waited for, before more is given up


@dataclass(frozen=True, slots=True)
class _Held:
    """Layers (stacks of diffIDs) and blobs that damaged images keep."""

    stacks: tuple[tuple[Digest, ...], ...] = ()
    blobs: frozenset[Digest] = frozenset()


class Collector:
    """Counts who works on the store; the last one to leave takes the garbage out."""

    def __init__(
        self, content: ContentStore, snapshots: Snapshots, layers: Layers, store: ImageStore, journal: Journal
    ) -> None:
        self._content = content
        self._snapshots = snapshots
        self._layers = layers
        self._store = store
        self._journal = journal
        self._gate = asyncio.Lock()
        self._workers = 0
        self._missed = False
        self._kept_stacks: list[Callable[[], Iterable[Sequence[Digest]]]] = []
        self._also: list[Callable[[], Awaitable[None]]] = []
        self._spared: dict[Digest, float] = {}
        self._held = _Held()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While inside, nothing that is stored is garbage, named or not."""
        await self.make_room()
        async with self._gate:
            self._workers += 1
        try:
            yield
        except ConnectionError:
            raise  # the client's, not the store's
        except OSError as error:  # a full disk, most of all
            raise SyscallFailed.of("store image", error) from error
        finally:
            self._workers -= 1
            await self.collect()

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """While inside nothing is removed; for those who only read."""
        async with self._gate:
            self._workers += 1
        try:
            yield
        finally:
            self._workers -= 1
            if self._missed:
                await self.collect()

    def spare(self, blobs: Iterable[Digest]) -> None:
        """Keep blobs that no image names yet for a while: whoever was bringing them in may come again."""
        self._spared |= dict.fromkeys(blobs, time.monotonic() + SPARED)

    async def collect(self) -> None:
        """Remove what is garbage now, unless somebody works."""
        async with self._gate:
            self._missed = self._workers > 0
            if self._missed:
                return
            try:
                self._held = await off_loop_to_end(self._by_broken)
            except DataLoss as error:  # it may be all that is left to repair them
                log.warning("nothing is collected while nobody knows what images hold: see onggi verify: %s", error)
                return
            self._journal.expire()
            for collect in self._also:
                await collect()
            now = time.monotonic()
            self._spared = {digest: until for digest, until in self._spared.items() if until > now}
            await self._collect_snapshots()
            used = await off_loop_to_end(self._used_blobs)
            await off_loop_to_end(self._collect_blobs, used)
            await off_loop_to_end(self._content.drop_partials)

    def released(self, images: Collection[Image], *, without: Collection[str] = ()) -> tuple[str, ...]:
        """The layers of `images`, by chainID, top first, that no other image and no other container needs.

        `without` = the ids of containers that go along. Those that are kept for an undo need nothing.
        """
        without = {*without, *(record.id for record in self._journal.containers())}
        going = {image.id for image in images}
        used = self._used_snapshots([image for image in self._store.all() if image.id not in going], without)
        names = dict.fromkeys(str(name) for image in images for name in image.config.chain)
        free = [name for name in names if name not in used and self._snapshots.exists(name)]
        return tuple(sorted(free, key=lambda name: len(self._snapshots.parents(name)), reverse=True))

    async def make_room(self) -> None:
        """On a short disk give up what is kept in case, and for an undo, the oldest first."""
        if self._content.is_short():
            self._spared.clear()
            await off_loop_to_end(self._content.drop_partials, 0.0)
        waits = iter([_EMPTYING / 10] * 10)
        while self._content.is_short() and self._journal.drop_oldest():
            await self.collect()
            for pause in waits:
                if not self._content.is_short():
                    break
                await asyncio.sleep(pause)  # what went is still being removed

    def _kept_images(self) -> list[Image]:
        return [*self._store.all(), *self._journal.images()]

    def also(self, collect: Callable[[], Awaitable[None]]) -> None:
        """Await this too whenever garbage is collected, before the layers: what the journal let go of elsewhere."""
        self._also.append(collect)

    def keep(self, layers: Callable[[], Iterable[Sequence[Digest]]]) -> None:
        """From now on the layers of these stacks (diffIDs, bottom first) are no garbage: those of a build cache."""
        self._kept_stacks.append(layers)

    def _stacks(self) -> list[tuple[Digest, ...]]:
        return [*self._held.stacks, *(tuple(stack) for kept in self._kept_stacks for stack in kept())]

    def _by_broken(self) -> _Held:
        """What images without a readable config hold, as their manifests tell. Raises DataLoss where none does."""
        stacks, blobs = [], set()
        tars = {layer.blob: layer.diff_id for layer in self._layers.all()}
        tars |= {
            found[0]: layer.diff_id
            for layer in self._layers.all()
            if (found := self._layers.compressed(layer.diff_id))
        }
        for ident in self._store.broken:
            own = self._store.manifest_of(ident)
            manifest = decode(self._content.read(own.digest), Manifest, what=f"manifest of {ident}", error=DataLoss)
            named = [layer.digest for layer in manifest.layers]
            unknown = [digest for digest in named if digest not in tars]
            if unknown or manifest.config.digest != ident:
                raise CorruptStore(f"the layers of image {ident} are not known")
            stacks.append(tuple(tars[digest] for digest in named))
            blobs |= {ident, own.digest, *named}
        return _Held(tuple(stacks), frozenset(blobs))

    def _used_snapshots(self, images: Sequence[Image], without: Collection[str] = ()) -> set[str]:
        used = {str(name) for image in images for name in image.config.chain}
        used |= {str(name) for stack in self._stacks() for name in chain_ids(stack)}
        for snapshot in self._snapshots.all():
            if not snapshot.committed and snapshot.name not in without:
                used.update(self._snapshots.parents(snapshot.parent))
        return used

    async def _collect_snapshots(self) -> None:
        used = self._used_snapshots(self._kept_images())
        unused = [item for item in self._snapshots.all() if item.committed and item.name not in used]
        for snapshot in sorted(unused, key=lambda item: len(self._snapshots.parents(item.name)), reverse=True):
            try:
                await self._snapshots.remove(snapshot.name)
            except Conflict:
                continue  # a container has been made on it this moment

    def _used_blobs(self) -> set[Digest]:
        used = set(self._spared) | self._held.blobs
        for image in self._kept_images():
            used |= {image.id, image.manifest.digest}
            used |= self._named_by_manifest(image)
        for diff_id in self._wanted_layers():
            layer = self._layers.get(diff_id)
            if layer is not None:
                used.add(layer.blob)
        return used

    def _wanted_layers(self) -> set[Digest]:
        stacks = [image.config.rootfs.diff_ids for image in self._kept_images()] + self._stacks()
        return {diff_id for stack in stacks for diff_id in stack}

    def _named_by_manifest(self, image: Image) -> set[Digest]:
        """The very blobs of an image that came with a manifest: a push gives them back."""
        try:
            manifest = decode(self._content.read(image.manifest.digest), Manifest, what="manifest")
        except DataLoss as error:
            log.error("manifest of image %s is unusable: %s", image.id, error)
            return set()
        return {layer.digest for layer in manifest.layers}

    def _collect_blobs(self, used: set[Digest]) -> None:
        wanted = self._wanted_layers()
        for layer in self._layers.all():
            if layer.diff_id not in wanted:
                self._layers.delete(layer.diff_id)
        for digest in list(self._content.walk()):
            if digest not in used:
                self._content.set_aside(digest)
