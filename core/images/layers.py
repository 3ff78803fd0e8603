"""Which blob holds which layer: diffID to what the layer came as. The blob stays, as it is or as a recipe
(`core.storage.recipes`), so that `save` and `push` give back the very bytes."""

from __future__ import annotations

from dataclasses import dataclass

from core.oci.digest import Digest
from core.oci.image import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from core.storage.db import Database

SCHEMA = (
    """CREATE TABLE layer (
        diff_id TEXT PRIMARY KEY,
        blob TEXT NOT NULL,
        media_type TEXT NOT NULL,
        blob_size INTEGER NOT NULL,
        size INTEGER NOT NULL)""",
    "CREATE TABLE compressed (diff_id TEXT PRIMARY KEY, blob TEXT NOT NULL, blob_size INTEGER NOT NULL)",
)
# OCI has no names for bzip2 and xz; they are read, and written again as plain tars.
MEDIA_TYPES = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer at rest: `blob` of `blob_size` bytes is the tar of `size` bytes, perhaps compressed."""

    diff_id: Digest
    blob: Digest
    media_type: str
    blob_size: int
    size: int

    @property
    def descriptor(self) -> Descriptor:
        """The layer as a manifest names it."""
        return Descriptor(media_type=self.media_type, digest=self.blob, size=self.blob_size)


class Layers:
    """The table, kept in memory."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.migrate("layers", SCHEMA)
        rows = db.query("SELECT diff_id, blob, media_type, blob_size, size FROM layer")
        found = [Layer(Digest(row[0]), Digest(row[1]), row[2], row[3], row[4]) for row in rows]
        self._layers = {layer.diff_id: layer for layer in found}
        compressed = db.query("SELECT diff_id, blob, blob_size FROM compressed")
        self._compressed = {Digest(row[0]): (Digest(row[1]), int(row[2])) for row in compressed}

    def get(self, diff_id: Digest) -> Layer | None:
        """The layer with this diffID, if it is known."""
        return self._layers.get(diff_id)

    def add(self, layer: Layer) -> None:
        """Remember a layer whose blob is stored and checked. Unsynced: the image's own row comes later."""
        self._db.execute(
            "INSERT OR REPLACE INTO layer VALUES (?, ?, ?, ?, ?)",
            (layer.diff_id, layer.blob, layer.media_type, layer.blob_size, layer.size),
            durable=False,
        )
        self._layers[layer.diff_id] = layer

    def compressed(self, diff_id: Digest) -> tuple[Digest, int] | None:
        """Digest and bytes of what a plain layer was compressed to for a push; the blob may be gone."""
        return self._compressed.get(diff_id)

    def remember_compressed(self, diff_id: Digest, blob: Digest, size: int) -> None:
        """Note what a plain layer compresses to: the next push need not do it to know."""
        self._db.execute("INSERT OR REPLACE INTO compressed VALUES (?, ?, ?)", (diff_id, blob, size), durable=False)
        self._compressed[diff_id] = (blob, size)

    def all(self) -> tuple[Layer, ...]:
        """Every layer."""
        return tuple(self._layers.values())

    def delete(self, diff_id: Digest) -> None:
        """Forget a layer."""
        self._db.execute("DELETE FROM layer WHERE diff_id = ?", (diff_id,), durable=False)
        self._db.execute("DELETE FROM compressed WHERE diff_id = ?", (diff_id,), durable=False)
        self._layers.pop(diff_id, None)
        self._compressed.pop(diff_id, None)
