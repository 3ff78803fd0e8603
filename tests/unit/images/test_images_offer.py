"""What engines say to each other about images: read back as it was written, and nothing else read at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadArchive, EngineError, InvalidArgument
from core.images.offer import (
    Offer,
    OfferedImage,
    OfferedLayer,
    line,
    parse_head,
    parse_offer,
    parse_want,
    progress_line,
)
from core.oci.digest import Digest
from core.oci.image import Descriptor

DIGESTS = st.binary(min_size=32, max_size=32).map(lambda data: Digest(f"sha256:{data.hex()}"))
DOCUMENTS = st.builds(Descriptor, media_type=st.text(max_size=5), digest=DIGESTS, size=st.integers(1, 4 << 20))
LAYERS = st.builds(OfferedLayer, diff_id=DIGESTS, blob=DIGESTS, size=st.integers(1, 1 << 40))
IMAGES = st.builds(
    OfferedImage,
    config=DOCUMENTS,
    manifest=DOCUMENTS,
    layers=st.lists(LAYERS, max_size=3).map(tuple),
    references=st.sampled_from([(), ("docker.io/library/a:1",), ("h:5000/a/b:x", "docker.io/me/y:latest")]),
)


def consistent(offer: Offer) -> bool:
    """Whether no blob has two sizes."""
    parts = [part for image in offer.images for part in (image.config, image.manifest)]
    described = {(part.digest, part.size) for part in parts}
    described |= {(layer.blob, layer.size) for image in offer.images for layer in image.layers}
    return len(described) == len(offer.sizes())


OFFERS = st.builds(Offer, images=st.lists(IMAGES, min_size=1, max_size=3).map(tuple), duplex=st.booleans()).filter(
    consistent
)
ONE, TWO, OTHER = (Digest(f"sha256:{digit * 64}") for digit in "12a")
SMALL = Offer((OfferedImage(Descriptor(digest=ONE, size=1), Descriptor(digest=TWO, size=2)),), duplex=True)


@given(OFFERS)
def test_an_offer_is_read_back(offer: Offer) -> None:
    text = line(offer)
    assert text.count(b"\n") == 1
    assert parse_offer(text) == offer


@given(OFFERS)
def test_every_blob_is_sent_once_and_documents_first(offer: Offer) -> None:
    order = list(offer.sizes())
    documents = {part.digest for image in offer.images for part in (image.config, image.manifest)}
    assert len(order) == len(set(order))
    assert set(order[: len(documents)]) == documents


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["images", "config", "manifest", "layers", "references", "duplex", "digest", "size", "blob", "end", "want"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value).encode())))
def test_anything_else_is_refused_in_words(data: bytes) -> None:
    for parse in (parse_offer, parse_head, lambda text: parse_want(text, SMALL)):
        try:
            parse(data)
        except EngineError as error:
            assert error.message


def test_what_is_wanted_must_have_been_offered_and_comes_in_the_offers_order() -> None:
    assert parse_want(line({"want": [TWO, ONE, ONE]}), SMALL) == (ONE, TWO)
    assert parse_want(b"{}", SMALL) == ()
    with pytest.raises(InvalidArgument, match="not offered"):
        parse_want(line({"want": [OTHER]}), SMALL)
    with pytest.raises(EngineError, match="the receiver says: full"):
        parse_want(line({"error": "full", "want": [ONE]}), SMALL)


def test_the_line_before_a_blob() -> None:
    head = parse_head(line({"blob": ONE, "size": 7}))
    assert (head.blob, head.size, head.end) == (ONE, 7, False)
    assert parse_head(b'{"end": true}').end
    with pytest.raises(EngineError, match="the sender says: lost"):
        parse_head(b'{"error": "lost"}')
    with pytest.raises(BadArchive):
        parse_head(b'{"blob": "sha256:../x"}')


def test_a_step_is_dockers() -> None:
    assert json.loads(progress_line("abc", "Receiving", 3, 9)) == {
        "id": "abc", "status": "Receiving", "progressDetail": {"current": 3, "total": 9},
    }  # fmt: skip
    assert json.loads(progress_line("", "x")) == {"status": "x"}
