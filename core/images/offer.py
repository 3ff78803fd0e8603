"""What two engines say to each other when one sends images to the other, over any stream of bytes. Pure.

The sender begins:   PREFACE, then an Offer as one line of JSON.
The receiver, where the offer is `duplex`, answers `{"want": [digest, ...]}`, and only those blobs follow; on a
stream that goes one way all of them do. Each blob is a line `{"blob": digest, "size": bytes}` and its bytes;
`{"end": true}` is the last line, or `{"error": text}` where there is nothing more to come. All that the receiver
says besides are lines of Docker's progress streams: `status` with `id` and `progressDetail`, `stream`, and
`error`, which is the last.

Either side takes everything that the other says for hostile: lines, counts and sizes are bounded, digests
checked, and a blob that was not asked for ends the talk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from core.errors import BadArchive, EngineError, InvalidArgument
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT, decode, encode
from core.oci.image import Descriptor
from core.oci.reference import Reference

PREFACE = b"onggi images 1\n"
LINE_LIMIT = DOCUMENT_LIMIT
IMAGES_LIMIT = 1000  # of one offer
LAYERS_LIMIT = 500  # of one image; overlayfs stacks fewer
REFERENCES_LIMIT = 1000


class OfferedLayer(msgspec.Struct, frozen=True):
    """A layer: the digest of its plain tar, and the blob that holds it, perhaps compressed."""

    diff_id: Digest
    blob: Digest
    size: int  # bytes of the blob


class OfferedImage(msgspec.Struct, frozen=True):
    """An image: its documents, its layers, bottom first, and the names that it is to get."""

    config: Descriptor
    manifest: Descriptor
    layers: tuple[OfferedLayer, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.references[0] if self.references else self.config.digest[:19]


class Offer(msgspec.Struct, frozen=True):
    """Images to be sent. `duplex` = the sender waits to hear which blobs are wanted."""

    images: tuple[OfferedImage, ...]
    duplex: bool = False

    def sizes(self) -> dict[Digest, int]:
        """Every blob with its bytes, in the order in which they are sent: documents before layers."""
        found: dict[Digest, int] = {}
        for image in self.images:
            found |= {image.config.digest: image.config.size, image.manifest.digest: image.manifest.size}
        for image in self.images:
            found |= {layer.blob: layer.size for layer in image.layers}
        return found


class BlobHead(msgspec.Struct, frozen=True):
    """The line before a blob; with `end` or `error` there is none any more."""

    blob: Digest | None = None
    size: int = 0
    end: bool = False
    error: str = ""


class Want(msgspec.Struct, frozen=True):
    """The receiver's answer. `error` = it wants nothing of this."""

    want: tuple[Digest, ...] = ()
    error: str = ""


def line(message: object) -> bytes:
    """One message as a line."""
    return encode(message) + b"\n"


def parse_offer(data: bytes) -> Offer:
    """The sender's first line. Raises BadArchive."""
    offer = decode(data, Offer, what="offer of images", error=BadArchive)
    if not 1 <= len(offer.images) <= IMAGES_LIMIT:
        raise BadArchive(f"offer has {len(offer.images)} images")
    for image in offer.images:
        _check(image)
    described: dict[Digest, int] = {}
    for digest, size in _described(offer):
        if described.setdefault(digest, size) != size:
            raise BadArchive(f"offer gives blob {digest} two sizes")
    return offer


def _described(offer: Offer) -> Iterable[tuple[Digest, int]]:
    for image in offer.images:
        yield from ((part.digest, part.size) for part in (image.config, image.manifest))
        yield from ((layer.blob, layer.size) for layer in image.layers)


def _check(image: OfferedImage) -> None:
    if len(image.layers) > LAYERS_LIMIT or len(image.references) > REFERENCES_LIMIT:
        raise BadArchive("offer has an image with too many layers or names")
    for document in (image.config, image.manifest):
        if not 0 < document.size <= DOCUMENT_LIMIT:
            raise BadArchive(f"offer has a document of {document.size} bytes")
    if any(layer.size <= 0 for layer in image.layers):
        raise BadArchive("offer has a layer without a size")
    for text in image.references:
        named(text)


def named(text: str) -> Reference:
    """A name that an offer gives an image. Raises BadArchive; it must have a tag and no digest."""
    try:
        reference = Reference.parse(text)
    except InvalidArgument as error:
        raise BadArchive(f"offer has a bad name: {error.message}") from error
    if reference.digest is not None or reference.tag is None:
        raise BadArchive("offer has a name without a tag")
    return reference


def parse_head(data: bytes) -> BlobHead:
    """The line before a blob. Raises BadArchive, and EngineError with what the sender has to say."""
    head = decode(data, BlobHead, what="head of a blob", error=BadArchive)
    if head.error:
        raise EngineError(f"the sender says: {head.error}")
    return head


def parse_want(data: bytes, offer: Offer) -> tuple[Digest, ...]:
    """The blobs that the receiver wants, in the order of the offer.

    Raises InvalidArgument where it wants what was not offered, and EngineError with its own words.
    """
    answer = decode(data, Want, what="receiver's answer")
    if answer.error:
        raise EngineError(f"the receiver says: {answer.error}")
    wanted = set(answer.want)
    offered = offer.sizes()
    if not wanted <= set(offered):
        raise InvalidArgument("the receiver wants what was not offered")
    return tuple(digest for digest in offered if digest in wanted)


def progress_line(ident: str, status: str, current: int = 0, total: int = 0) -> bytes:
    """A step as a line of Docker's progress streams."""
    said: dict[str, Any] = {"status": status}
    if ident:
        said["id"] = ident
    if total:
        said["progressDetail"] = {"current": current, "total": total}
    return line(said)
