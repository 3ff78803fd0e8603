"""What every service of this room stands on, made once and shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidArgument, NoSuchImage
from core.images.gc import Collector
from core.images.layers import Layers
from core.images.policy import Uses
from core.images.store import ImageStore
from core.images.undo import Journal
from core.images.unpack import Unpacker, Zygote
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.overlay import Snapshots


@dataclass(frozen=True, slots=True)
class ImageRoom:
    """The tables, the blobs and those who work on them. Services keep no state beside it."""

    content: ContentStore
    snapshots: Snapshots
    layers: Layers
    store: ImageStore
    collector: Collector
    unpacker: Unpacker
    zygote: Zygote
    journal: Journal
    uses: Uses

    @classmethod
    def open(
        cls, db: Database, content: ContentStore, snapshots: Snapshots, zygote: Zygote, *, undo: float = 0.0
    ) -> ImageRoom:
        """Read the tables of `db`. `undo` = seconds that removed images can be had back."""
        layers, store = Layers(db), ImageStore(db, content, meant=_meant)
        journal = Journal(db, content, kept=undo)
        collector = Collector(content, snapshots, layers, store, journal)
        unpacker = Unpacker(content, snapshots, layers, zygote)
        return cls(content, snapshots, layers, store, collector, unpacker, zygote, journal, Uses(db))

    def image(self, ident: Digest) -> Image:
        """Raises NoSuchImage."""
        image = self.store.get(ident)
        if image is None:
            raise NoSuchImage(f"No such image: {ident}")
        return image


def _meant(reference: Reference) -> Reference:
    """What the machine's settings say that a short name stands for; a file that says nothing sane says nothing."""
    from core.registry import settings

    try:
        return settings.load().expand(reference, "")
    except InvalidArgument:
        return reference
