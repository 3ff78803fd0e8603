"""WWW-Authenticate, as registries write it and as nobody should."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.registry.challenge import Challenge, parse, pick


def test_bearer_with_its_parameters() -> None:
    header = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
    )
    assert parse([header]) == (
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:a/b:pull,push",
            },
        ),
    )


def test_several_in_one_header_and_in_several() -> None:
    found = parse(['Negotiate, Basic realm="a \\"b\\"", Bearer realm=x', "Digest nonce=1"])
    assert [one.scheme for one in found] == ["negotiate", "basic", "bearer", "digest"]
    assert found[1].parameters == {"realm": 'a "b"'}
    assert pick(found) == found[2]
    assert pick(found[:2]) == found[1]
    assert pick(found[3:]) is None


@given(st.text(max_size=300))
def test_anything_parses(text: str) -> None:
    for challenge in parse([text]):
        assert challenge.scheme == challenge.scheme.lower()
