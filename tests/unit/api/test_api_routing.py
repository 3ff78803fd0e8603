"""Paths, versions and queries."""

from __future__ import annotations

import re

import pytest

from core.api.routing import Route, Table, split_target
from core.errors import InvalidArgument, NotFound


async def nothing(engine: object, request: object) -> None:
    raise AssertionError("not called")


TABLE = Table(
    (
        Route("GET", "/images/get", nothing),  # type: ignore[arg-type]
        Route("GET", "/images/{name:path}/json", nothing),  # type: ignore[arg-type]
        Route("POST", "/containers/{id}/start", nothing),  # type: ignore[arg-type]
    )
)


@pytest.mark.parametrize(
    ("method", "path", "pattern", "arguments"),
    [
        ("GET", "/images/get", "/images/get", {}),
        ("HEAD", "/images/get", "/images/get", {}),
        ("GET", "/images/localhost:5000/a/b:1/json", "/images/{name:path}/json", {"name": "localhost:5000/a/b:1"}),
        ("GET", "/images/a%2Fb/json", "/images/{name:path}/json", {"name": "a/b"}),
        ("POST", "/containers/web/start", "/containers/{id}/start", {"id": "web"}),
    ],
)
def test_a_request_finds_its_route(method: str, path: str, pattern: str, arguments: dict[str, str]) -> None:
    route, found = TABLE.find(method, path)
    assert (route.pattern, found) == (pattern, arguments)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/nope"), ("POST", "/images/get"), ("POST", "/containers/a/b/start")]
)
def test_an_unknown_page_is_not_found(method: str, path: str) -> None:
    with pytest.raises(NotFound, match=r"^page not found$"):
        TABLE.find(method, path)


def test_the_version_is_taken_off_the_path() -> None:
    assert split_target("/v1.41/containers/json?all=1&a=&b=x%20y&b=z") == (
        "/containers/json",
        (1, 41),
        {"all": ["1"], "a": [""], "b": ["x y", "z"]},
    )
    assert split_target("/version")[:2] == ("/version", (1, 47))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/v1.99/version", "client version 1.99 is too new. Maximum supported API version is 1.47"),
        ("/v1.12/version", "client version 1.12 is too old. Minimum supported API version is 1.24"),
    ],
)
def test_versions_that_are_not_spoken(target: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(words)):
        split_target(target)
