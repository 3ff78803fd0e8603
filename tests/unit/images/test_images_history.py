from __future__ import annotations

import pytest
from store_kit import config_of, make_tar

from core.images.history import history, seconds
from core.model.image import Image
from core.oci.digest import Digest, chain_ids
from core.oci.document import decode
from core.oci.image import Descriptor, ImageConfig

ONE, TWO = make_tar({"one": b"1"}), make_tar({"two": b"2"})
HISTORY = [
    {"created": "2024-01-01T00:00:00Z", "created_by": "ADD one"},
    {"created": "2024-01-01T00:00:01Z", "created_by": "ENV A=1", "empty_layer": True, "comment": "c"},
    {"created": "bad", "created_by": "ADD two"},
]


def image() -> Image:
    data = config_of([ONE, TWO], history=HISTORY)
    config = decode(data, ImageConfig, what="config")
    return Image(Digest.of(data), Descriptor(), config, 9, ("docker.io/library/a:1", "docker.io/me/b:2"))


def test_a_history_gives_sizes_to_the_steps_that_made_layers() -> None:
    sizes = dict(zip(chain_ids(image().config.rootfs.diff_ids), (10, 20), strict=True))
    lines = history(image(), sizes.__getitem__)
    assert [(line["CreatedBy"], line["Size"]) for line in lines] == [
        ("ADD two", 20),
        ("ENV A=1", 0),
        ("ADD one", 10),
    ]
    assert [line["Id"] for line in lines] == [str(image().id), "<missing>", "<missing>"]
    assert (lines[0]["Tags"], lines[1]["Tags"], lines[0]["Created"]) == (["a:1", "me/b:2"], None, 0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:00:00.123456789+01:00", 0.123456),
        ("1970-01-01T00:00:05", 5.0),
        ("", 0.0),
        ("yesterday", 0.0),
        ("9999-99-99T00:00:00Z", 0.0),
    ],
)
def test_times_of_images_may_be_anything(text: str, wanted: float) -> None:
    assert seconds(text) == wanted
