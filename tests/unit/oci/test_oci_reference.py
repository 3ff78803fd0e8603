from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadReference, InvalidArgument
from core.oci.digest import Digest, chain_ids
from core.oci.reference import Reference

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("typed", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("me/app", "docker.io/me/app", "me/app"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/library/x", "docker.io/library/x", "x"),
        ("localhost/x", "localhost/x", "localhost/x"),
        ("localhost:5000/x:0.0", "localhost:5000/x:0.0", "localhost:5000/x:0.0"),
        ("ghcr.io/a/b/c@sha256:" + HEX, "ghcr.io/a/b/c@sha256:" + HEX, "ghcr.io/a/b/c@sha256:" + HEX),
        ("[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
    ],
)
def test_what_people_type(typed: str, full: str, familiar: str) -> None:
    reference = Reference.parse(typed)
    assert str(reference) == full
    assert reference.familiar == familiar


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("../etc", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a@sha256:12", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("Bad", "repository name (library/Bad) must be lowercase"),
        ("BAD/Name/x", "repository name (Name/x) must be lowercase"),
        ("a:", "invalid reference format"),
        (HEX, f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_what_is_refused(typed: str, text: str) -> None:
    with pytest.raises(BadReference, match="invalid re") as caught:
        Reference.parse(typed)
    assert text in str(caught.value)


def test_latest_is_the_default_tag_unless_a_digest_says_more() -> None:
    assert Reference.parse("a").with_default_tag().tag == "latest"
    assert Reference.parse("a@sha256:" + HEX).with_default_tag().tag is None


@given(st.text(max_size=80))
def test_any_text_parses_back_or_is_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except BadReference:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + HEX + "\n", "sha512:" + HEX, "sha256:" + HEX.upper()])
def test_a_digest_is_exactly_that(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Digest(text)


def test_chain_ids_follow_the_spec() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    assert chain_ids(()) == ()
    assert chain_ids((one, two)) == (one, Digest.of(f"{one} {two}".encode()))
