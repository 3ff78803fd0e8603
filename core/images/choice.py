"""Which images are meant by the names that `save` and `send` are given."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import NoSuchImage
from core.images.archive_write import Choice
from core.images.store import ImageStore
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference


def choices(store: ImageStore, references: Sequence[str]) -> list[Choice]:
    """A name without a tag means all its tags, an id none; an image comes only once. Raises NoSuchImage."""
    images: dict[Digest, Image] = {}
    chosen: dict[Digest, dict[str, Reference]] = {}
    for text in references:
        for image, reference in _meant(store, text):
            images[image.id] = image
            tags = chosen.setdefault(image.id, {})
            if reference is not None:
                tags[str(reference)] = reference
    return [Choice(images[ident], tuple(tags.values())) for ident, tags in chosen.items()]


def _meant(store: ImageStore, text: str) -> list[tuple[Image, Reference | None]]:
    named = _named(store, text)
    if named:
        return [(image, tag) for tag, image in named]
    image = _found(store, text)
    if len(text) >= 64:
        return [(image, None)]
    reference = store.named(text)
    return [(image, reference if str(reference) in image.references else None)]


def _found(store: ImageStore, text: str) -> Image:
    """The image `text` names; not there, Docker says so otherwise than elsewhere, and to a tag than to a name."""
    try:
        return store.find(text)
    except NoSuchImage as error:
        if len(text) < 64 and Reference.parse(text).tag:
            raise NoSuchImage("reference does not exist") from error
        raise NoSuchImage(f"No such image: {text}") from error


def _named(store: ImageStore, text: str) -> tuple[tuple[Reference, Image], ...]:
    """All tags of a repository, where `text` is the bare name of one."""
    if len(text) >= 64:
        return ()
    reference = Reference.parse(text)
    return () if reference.tag or reference.digest else store.by_name(reference)
