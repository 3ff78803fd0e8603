"""`import`: any tar of a root file system as an image of one layer."""

from __future__ import annotations

import datetime
import os
import stat
from collections.abc import Callable, Sequence

from core.aio import off_loop_to_end
from core.errors import InvalidArgument
from core.images.archive_read import FileSource
from core.images.changes import apply_changes
from core.images.layers import Layers
from core.images.layouts import host_platform
from core.images.load import store_manifest
from core.images.store import ImageStore, NewImage
from core.images.transfer import ReadSome
from core.images.unpack import Unpacker
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import Descriptor, ExecutionConfig, ImageConfig
from core.oci.reference import Reference
from core.storage.content import ContentStore

Report = Callable[[Progress], None]
DEFAULT_MESSAGE = "Imported from -"


class Importer:
    """Makes images of root file systems."""

    def __init__(self, content: ContentStore, layers: Layers, store: ImageStore, unpacker: Unpacker) -> None:
        self._content = content
        self._layers = layers
        self._store = store
        self._unpacker = unpacker

    async def import_(
        self, fd: int, *, reference: str | None, message: str, changes: Sequence[str], report: Report
    ) -> Digest:
        """Make an image of the tar that `fd` reads (a file or a pipe; plain or compressed); its id.

        Raises BadReference, InvalidArgument for a change that is none, BadArchive.
        """
        target = parse_target(reference) if reference else None
        execution = apply_changes(ExecutionConfig(), changes)
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        read_some: ReadSome = FileSource(fd).read_some if regular else lambda count: os.read(fd, count)
        return await self.make(
            read_some,
            execution,
            created=now(),
            comment=message or DEFAULT_MESSAGE,
            target=target,
            total=os.fstat(fd).st_size if regular else 0,
            report=report,
        )

    async def make(
        self,
        read_some: ReadSome,
        execution: ExecutionConfig,
        *,
        created: str,
        comment: str,
        target: Reference | None,
        total: int,
        report: Report,
    ) -> Digest:
        """One layer from `read_some`, a config around it, and the name last; the image's id."""

        def advance(current: int) -> None:
            report(Progress(status="Importing", current=current, total=total))

        blob = await self._unpacker.take_in(read_some, None, advance)
        diff_id = await self._unpacker.unpack_unknown(blob, label="root file system")
        data = config_bytes(execution, diff_id, created=created, comment=comment)
        config = decode(data, ImageConfig, what="image config")
        size = await self._unpacker.unpack((diff_id,), (blob,), label="root file system", report=report)
        manifest = await off_loop_to_end(self._documents, data, diff_id)
        ident = Digest.of(data)
        self._store.register([NewImage(ident, manifest, config, size, (target,) if target else ())])
        return ident

    def _documents(self, config: bytes, diff_id: Digest) -> Descriptor:
        self._content.put(config)
        return store_manifest(self._content, self._layers, config, (diff_id,))


def now() -> str:
    """This moment as a config says it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_target(text: str) -> Reference:
    """The name a new image or tag gets. Raises BadReference; a digest names what exists, nothing new."""
    reference = Reference.parse(text).with_default_tag()
    if reference.digest is not None:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    return reference


def config_bytes(execution: ExecutionConfig, diff_id: Digest, *, created: str, comment: str) -> bytes:
    """The config document of an imported image, as Docker writes one: its digest is the image's id."""
    platform = host_platform()
    document: dict[str, object] = {"architecture": platform.architecture}
    if platform.variant:
        document["variant"] = platform.variant
    return encode(
        document
        | {
            "comment": comment,
            "config": without_empty(plain(execution)),
            "created": created,
            "history": [{"created": created, "comment": comment}],
            "os": platform.os,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
    )


def without_empty(members: dict[str, object]) -> dict[str, object]:
    """A config's members without those that say nothing, as Docker writes them."""
    return {key: value for key, value in members.items() if value}
