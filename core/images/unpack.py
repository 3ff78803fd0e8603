"""Layers into the store and onto snapshots: a blob is kept, applied once, and compared with its diffID."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.errors import BadArchive, EngineError, SyscallFailed
from core.images.archive_read import FileSource
from core.images.layers import MEDIA_TYPES, Layer, Layers
from core.images.pile import Pile
from core.images.transfer import Advance, ReadSome, copy, looked_at
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.image import OCI_LAYER
from core.storage.compression import MAGIC, TooLong, detect
from core.storage.content import Bound, ContentStore, sync_disks
from core.storage.overlay import UNPACKING, Snapshots
from core.storage.recording import SMALLEST

log = logging.getLogger(__name__)

Report = Callable[[Progress], None]


def _say_nothing(current: int) -> None:
    pass


class Zygote(Protocol):
    """Who does what needs a process of its own."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


@dataclass(frozen=True, slots=True)
class Portion:
    """A plain layer that lies in a larger file: `size` bytes of `fd` from `offset` on."""

    fd: int
    offset: int
    size: int


Source = Digest | Portion  # what a layer is unpacked from: a blob, or a part of an archive without a blob


@dataclass(frozen=True, slots=True)
class Applied:
    """A layer that was unpacked on nothing: snapshot `key`, the tar's digest and bytes, the bytes of its files.

    `own_root` = the tar says who owns the root and what its mode is; `recipe` = where its recipe waits, if it has
    one.
    """

    key: str
    diff_id: Digest
    size: int
    unpacked: int
    own_root: bool
    recipe: Path | None


class Unpacker:
    """Brings layers in. What fails leaves a blob or two that nothing names, which gc takes."""

    def __init__(self, content: ContentStore, snapshots: Snapshots, layers: Layers, zygote: Zygote) -> None:
        self._content = content
        self._snapshots = snapshots
        self._layers = layers
        self._zygote = zygote
        self._settling = asyncio.Lock()
        self._exchanging: set[Digest] = set()  # blobs that stand in their places, of which there is a recipe now
        content.recipes.locate = snapshots.folder_of
        self.slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))  # layers applied at once, of all images

    def known(self, diff_id: Digest) -> Layer | None:
        """The layer with this diffID, if its blob is really there."""
        layer = self._layers.get(diff_id)
        return layer if layer is not None and self._content.has(layer.blob) else None

    async def take_in(self, read_some: ReadSome, expected: Digest | None, advance: Callable[[int], None]) -> Digest:
        """Store a layer's bytes as they are; they last from `settle` on. Raises DigestMismatch, OSError."""
        writer = await off_loop_to_end(self._content.writer)
        try:
            await copy(read_some, writer.write, advance)
            digest, _ = await off_loop_to_end(partial(writer.commit, expected, settled=False))
            return digest
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise self._content.shortage("store a layer", writer.size, "more than") from error
            raise
        finally:
            writer.abort()

    async def settle(self) -> None:
        """Have all blobs and layers so far on the disk: to be done before an image is named."""
        async with self._settling:
            content, snapshots = self._content, self._snapshots.unsettled()
            for digest in content.unsettled():
                await self._slim_unsettled(digest)
            blobs, recipes = content.unsettled(), content.recipes.unsettled()
            if blobs or snapshots or recipes:
                await off_loop_to_end(self._settle, blobs, snapshots, recipes)
            while self._exchanging:
                await off_loop_to_end(content.exchange, self._exchanging.pop())

    async def _slim_unsettled(self, digest: Digest) -> None:
        """What need not be written to the disk: a tar that came once more, or whose files came another way."""
        if self._content.recipes.has(digest):
            self._content.drop_file(digest)
            return
        try:
            await self.slim(digest)
        except (EngineError, OSError) as error:  # so it stays
            log.warning("make a recipe of layer %s: %s", digest, error)

    def _settle(
        self, blobs: Mapping[Digest, Path], snapshots: Collection[int], recipes: Mapping[Digest, Path]
    ) -> None:
        sync_disks(self._content.folder, self._snapshots.folder)
        self._content.settle(blobs)
        self._content.recipes.settle(recipes)
        self._snapshots.settle(snapshots)

    async def unpack(
        self,
        diff_ids: Sequence[Digest],
        blobs: Sequence[Digest],
        *,
        label: str,
        report: Report,
        settle: bool = True,
    ) -> int:
        """Make the snapshots of an image's layers, bottom first, and settle them; bytes of all of them.

        `blobs` hold the layers in the same order. Raises BadArchive where one is not what its diffID says.
        """
        async with Pile(self, diff_ids, label=label, report=report) as pile:
            for blob in blobs:
                await pile.put(blob)
            size = await pile.size()
        if settle:
            await self.settle()
        return size

    async def unpack_unknown(self, blob: Digest, *, label: str) -> Digest:
        """Make the snapshot of one lowest layer whose diffID is not known yet; the diffID."""
        applied = await self.apply(blob, label)
        await self.stack(applied, blob, applied.diff_id, None)
        return applied.diff_id

    def size(self, source: Source) -> int:
        """Bytes of what a layer is unpacked from. Raises CorruptStore."""
        return source.size if isinstance(source, Portion) else self._content.size(source)

    async def apply(self, source: Source, label: str, advance: Advance = _say_nothing) -> Applied:
        """Unpack a layer on nothing, which may be done for several at once. `advance` hears the bytes of `source`.

        Raises BadArchive, DiskFull.
        """
        room = self._content.room()
        if isinstance(source, Portion) and source.size > room:
            raise self._content.shortage(f"unpack {label}", source.size)
        key = UNPACKING + secrets.token_hex(8)
        await self._snapshots.prepare(key, None)
        recipe, out = await off_loop_to_end(self._content.recipes.begin)
        try:
            answer = await self._run_job(key, source, out, room, advance)
        except BaseException as error:
            recipe.unlink()
            await self._snapshots.remove(key)
            if isinstance(error, TooLong) or (isinstance(error, SyscallFailed) and error.errno == errno.ENOSPC):
                needed = room if isinstance(source, Digest) else source.size
                bound: Bound = "more than" if isinstance(source, Digest) else "at least"
                raise self._content.shortage(f"unpack {label}", needed, bound) from error
            if isinstance(error, BadArchive) and label not in error.message:
                raise BadArchive(f"{label}: {error.message}") from error
            raise
        finally:
            os.close(out)
        if not answer["recipe"]:
            recipe.unlink()
        return Applied(
            key,
            Digest(str(answer["diff_id"])),
            int(answer["size"]),
            int(answer["unpacked"]),
            bool(answer["own_root"]),
            recipe if answer["recipe"] else None,
        )

    async def check(self, applied: Applied, expected: Digest, label: str) -> None:
        """Raises BadArchive where an applied layer is not the one `expected`, and drops it."""
        if applied.diff_id != expected:
            await self.drop(applied)
            raise _mismatch(label, expected, applied.diff_id)

    async def stack(self, applied: Applied, source: Source, name: Digest, parent: Digest | None) -> None:
        """Put an applied layer on top of `parent`, as `name` (its chainID), and note what holds its tar."""
        try:
            blob = applied.diff_id
            if not isinstance(source, Portion):
                blob = source
            elif applied.recipe is None:
                reader = FileSource(source.fd, source.offset, source.size)
                await self.take_in(reader.read_some, blob, lambda current: None)
            await self._snapshots.commit(
                applied.key, name, size=applied.unpacked, parent=parent, own_root=applied.own_root
            )
        except BaseException:
            await self.drop(applied)
            raise
        self.adopt(applied.diff_id, applied.recipe)
        self._remember(applied.diff_id, blob, applied.size)

    def adopt(self, diff_id: Digest, recipe: Path | None) -> None:
        """The recipe of a layer that stands takes the place of its tar."""
        if recipe is None:
            return
        self._content.recipes.adopt(diff_id, recipe)
        if not self._content.recipes.has(diff_id):
            return  # the layer has been removed meanwhile
        if diff_id in self._content.unsettled():
            self._content.drop_file(diff_id)
        elif self._content.path(diff_id).is_file():
            self._exchanging.add(diff_id)

    async def slim(self, diff_id: Digest) -> None:
        """Have a recipe instead of the plain tar of a layer that stands, if it can be; see `settle`."""
        folder, blob = self._snapshots.folder_of(diff_id), self._content.path(diff_id)
        if folder is not None and blob.is_file() and blob.stat().st_size >= SMALLEST:
            await self._record(diff_id, folder)

    async def drop(self, applied: Applied) -> None:
        """Throw away what was applied and not stacked."""
        if applied.recipe is not None:
            applied.recipe.unlink(missing_ok=True)
        await self._snapshots.remove(applied.key)

    def stands(self, name: Digest) -> bool:
        """Whether there is a layer with this chainID."""
        return self._snapshots.exists(name)

    def unpacked_size(self, name: Digest) -> int:
        """Bytes of the files of the layer with this chainID."""
        return self._snapshots.size(name)

    async def _run_job(self, key: str, source: Source, recipe: int, room: int, advance: Advance) -> dict[str, Any]:
        args: dict[str, Any] = {"limit_bytes": room, "sync": False, "recipe": True, "tell": True}
        async with looked_at(advance) as told:
            return await self._job("apply-layer", args, source, self._snapshots.upper(key), recipe, told)

    async def _job(
        self, name: str, args: dict[str, Any], source: Source, folder: Path, *more: int
    ) -> dict[str, Any]:
        # What was hashed on its way in this moment, and is its own tar, need not be hashed again.
        if source in self._content.unsettled():
            args["plain_digest"] = source
        if isinstance(source, Portion):
            args |= {"offset": source.offset, "size": source.size}
            fds: tuple[int, ...] = (os.dup(source.fd),)
        else:
            fds = self._content.descriptors(source)
        try:
            target = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if len(fds) == 2:
                    args |= {"assembled": True, "recipe": False}
                answer, _ = await self._zygote.run(name, args, [fds[0], target, *fds[1:], *more])
            finally:
                os.close(target)
        finally:
            for fd in fds:
                os.close(fd)
        return answer

    async def verify(self, diff_id: Digest, name: Digest, source: Source, label: str) -> None:
        """The layer `name` is unpacked already, but nothing says that this is its tar. Raises BadArchive."""
        digest, size, recipe = await self._record(source, self._snapshots.upper(name))
        if digest != diff_id:
            raise _mismatch(label, diff_id, digest)
        if isinstance(source, Portion) and not recipe:
            reader = FileSource(source.fd, source.offset, source.size)
            await self.take_in(reader.read_some, diff_id, lambda current: None)
        self._remember(diff_id, diff_id if isinstance(source, Portion) else source, size)

    async def _record(self, source: Source, folder: Path) -> tuple[Digest, int, bool]:
        """Make a recipe of a tar and what it was unpacked to: digest and bytes of the tar, whether there is one."""
        recipe, out = await off_loop_to_end(self._content.recipes.begin)
        try:
            answer = await self._job("record-layer", {}, source, folder, out)
            diff_id = Digest(str(answer["diff_id"]))
            if answer["recipe"]:
                self.adopt(diff_id, recipe)
            return diff_id, int(answer["size"]), bool(answer["recipe"])
        finally:
            os.close(out)
            if recipe not in self._content.recipes.unsettled().values():
                recipe.unlink(missing_ok=True)

    def _remember(self, diff_id: Digest, blob: Digest, size: int) -> None:
        if self.known(diff_id) is None:
            self._layers.add(Layer(diff_id, blob, self._media_type(blob), self._content.size(blob), size))

    def _media_type(self, blob: Digest) -> str:
        source = self._content.source(blob)
        try:
            return MEDIA_TYPES.get(detect(source.read_some(MAGIC)), OCI_LAYER)
        finally:
            source.close()


def _mismatch(label: str, expected: str, got: str) -> BadArchive:
    return BadArchive(f"{label} does not match its digest: want {expected}, got {got}")
