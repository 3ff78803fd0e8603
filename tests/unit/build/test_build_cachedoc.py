"""The document of a cache: what goes in comes out, and anything else is refused with one line."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.build.cache import Entry
from core.build.cachedoc import (
    BUILDKIT,
    CACHE_CONFIG,
    INLINE,
    Trodden,
    below,
    document,
    made_layers,
    manifest_of,
    read,
)
from core.build.cachespecs import CacheSpec, parse_from, parse_to
from core.build.imports import known_of
from core.build.registrycache import look
from core.dockerfile.giturl import GitSource, parse_git
from core.errors import DataLoss, EngineError, InvalidArgument, Unsupported
from core.oci.digest import Digest
from core.oci.document import decode, encode, plain
from core.oci.image import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Manifest, Platform
from core.registry.manifests import parse


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def step(key: int, *layers: int, made: bool = True, short: str = "") -> Trodden:
    entry = Entry(f"{key:064x}", tuple(map(digest, layers)), made, f"RUN {key}", 7, 1.5, 1.5, 0)
    return Trodden(entry=entry, short=short, created_by="copied" if short else "")


steps = st.lists(
    st.builds(
        step, st.integers(0, 9), st.integers(0, 5), st.integers(0, 5), made=st.booleans(),
        short=st.sampled_from(["", "a" * 64]),
    ), max_size=8,
)  # fmt: skip


@given(steps)
def test_what_goes_in_comes_out(trail: list[Trodden]) -> None:
    blobs = [(layer, Descriptor(digest=digest(99), size=5)) for layer in made_layers(trail)]
    known = read(encode(document(trail, blobs)))
    last = {one.entry.key: one for one in trail}
    assert known.entries == {key: one.entry for key, one in last.items()}
    assert set(made_layers(last.values())) <= set(known.blobs) <= {layer for layer, _ in blobs}
    assert all(found[0] in known.entries for found in known.shorts.values())


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["diffIds", "steps", "blobs", "key", "layers", "made", "createdAt"]), inner),
    max_leaves=12,
))  # fmt: skip
def test_anything_else_is_refused_with_one_line(value: Any) -> None:
    try:
        read(json.dumps(value).encode())
    except DataLoss as error:
        assert "\n" not in error.message


@pytest.mark.parametrize(
    "change",
    [
        {"key": "../../etc/passwd"}, {"key": "A" * 64}, {"layers": [5]}, {"layers": [-1]}, {"layers": [0] * 128},
        {"layers": [], "made": True}, {"createdAt": 1e300}, {"createdAt": -1.0}, {"size": -1}, {"short": "x"},
        {"text": "x" * 70_000}, {"createdBy": "x" * 70_000}, {"key": 5}, {"layers": "0"},
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    whole = json.loads(encode(document([step(1, 2)], [])))
    assert read(json.dumps(whole).encode()).entries
    whole["steps"][0] |= change
    with pytest.raises(DataLoss):
        read(json.dumps(whole).encode())


def test_the_least_is_what_the_image_stands_on() -> None:
    trail = [step(1, 1), step(2, 1, 2), step(3, 7), step(4, 1, 2, made=False)]
    assert [one.entry.key[-1] for one in below(trail, (digest(1), digest(2)))] == ["1", "2", "4"]


def test_blobs_that_the_manifest_does_not_name_are_nobodys() -> None:
    blob, other = Descriptor(digest=digest(8), size=3), Descriptor(digest=digest(9), size=3)
    data = encode(document([step(1, 1), step(2, 1, 2)], [(digest(1), blob), (digest(2), other)]))
    config = Descriptor(media_type=CACHE_CONFIG, digest=Digest.of(data), size=len(data))
    manifest = decode(manifest_of(config, [blob]), Manifest, what="manifest")
    known = known_of(manifest, data)
    assert known is not None and known.blobs == {digest(1): blob}
    with pytest.raises(DataLoss, match="not the one that its manifest names"):
        known_of(manifest, data + b" ")


def test_an_image_may_have_its_steps_inside() -> None:
    def image(inside: object, layers: int = 1) -> tuple[Manifest, bytes]:
        data = json.dumps({"rootfs": {"diff_ids": [digest(1)]}, **({INLINE: inside} if inside else {})}).encode()
        config = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(data), size=len(data))
        blobs = tuple(Descriptor(digest=digest(20 + n), size=3) for n in range(layers))
        return Manifest(schema_version=2, config=config, layers=blobs), data

    inside = json.loads(encode(document([step(1, 1)], [])))
    known = known_of(*image(inside))
    assert (
        known is not None and list(known.entries) == [f"{1:064x}"] and known.blobs[digest(1)].digest == digest(20)
    )
    assert known_of(*image(None)) is None
    for wrong in (image(inside, layers=2), image([1]), image({"steps": 5})):
        with pytest.raises(EngineError):
            known_of(*wrong)


def test_specs_are_read_as_buildx_has_them() -> None:
    assert parse_from(["a/b:1"]) == (CacheSpec(kind="registry", ref="a/b:1"),)
    assert parse_to(["type=registry,ref=a/b:1,mode=max,ignore-error=true"]) == (
        CacheSpec(kind="registry", ref="a/b:1", everything=True, ignore_error=True),
    )
    assert parse_from(["type=local,number=3"])[0].number == 3
    with pytest.raises(Unsupported):
        parse_to(["type=s3,region=x"])
    for text in ("type=local,number=x", "type=local", "type=registry", "type=inline,mode=x", "type=x", "ref=A:B:C"):
        with pytest.raises(InvalidArgument):
            parse_to([text])
    with pytest.raises(InvalidArgument):
        parse_from(["type=inline"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://h/a.git", GitSource("https://h/a.git")),
        ("https://u:p@h:8/a.git#v1:x/./y/", GitSource("https://u:p@h:8/a.git", "v1", "x/y")),
        ("git@h.x:a/b#:sub", GitSource("git@h.x:a/b", "HEAD", "sub")),
        ("github.com/a/b#refs/pull/1/head", GitSource("https://github.com/a/b", "refs/pull/1/head")),
        ("ssh://git@[::1]:22/a", GitSource("ssh://git@[::1]:22/a")),
    ],
)
def test_repositories_are_named_as_docker_names_them(text: str, found: GitSource) -> None:
    assert parse_git(text) == found
    assert "u:p" not in found.shown


@given(st.text(alphabet="abg./:#@-~^+ {}\n\0$\\", max_size=30))
def test_no_url_makes_an_option_or_a_way_out(text: str) -> None:
    try:
        found = parse_git(f"git://h/{text}")
    except InvalidArgument as error:
        assert error.message.isprintable()
        return
    assert not found.ref.startswith("-") and not found.url.startswith("-")
    assert ".." not in found.folder.split("/") and not found.folder.startswith("/")
    assert "\0" not in found.url + found.ref + found.folder


class Served:
    """A registry with one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def manifest(self, reference: str, *, configs: Collection[str]) -> Any:
        kind = str(self._document["mediaType"])
        return parse(json.dumps(self._document).encode(), kind, expected=None, configs=configs)


async def test_buildkits_own_cache_is_named_as_what_it_is() -> None:
    config = Descriptor(media_type=BUILDKIT, digest=digest(1), size=3)
    layer = Descriptor(media_type=OCI_LAYER_GZIP, digest=digest(2), size=3)
    image = {"mediaType": OCI_MANIFEST, "config": plain(config), "layers": [plain(layer)]}
    index = {"mediaType": OCI_INDEX, "manifests": [plain(layer), plain(config)]}
    for form in (image, index):
        with pytest.raises(Unsupported, match="a cache of BuildKit's"):
            await look(Served({"schemaVersion": 2, **form}), "latest", Platform())  # type: ignore[arg-type]
