"""`.dockerignore` as Docker reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dockerfile.ignore import parse_ignore
from core.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        ("# a comment\n*.md\n!README.md", ["a.md"], ["README.md", "docs/a.md", "amd"]),
        ("*/temp*", ["a/temp", "a/temporary.txt", "a/temp/below"], ["temp", "a/b/temp"]),
        ("*/*/temp*", ["a/b/temp.x"], ["a/temp.x"]),
        ("temp?", ["tempa", "tempb/below"], ["temp", "tempab", "a/tempa"]),
        ("**/*.go", ["a.go", "a/b/c.go"], ["a.gox"]),
        ("**/node_modules", ["node_modules/x", "a/node_modules"], ["node_modules2"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/z"], ["a/c", "b"]),
        ("build/**", ["build/x", "build/x/y"], ["build", "builder"]),
        ("/abs\n./rel/", ["abs", "rel/x"], ["x/abs"]),
        ("docs\n!docs/keep", ["docs/a"], ["docs/keep", "docs/keep/b"]),
        ("!docs/keep\ndocs", ["docs/keep"], []),
        ("*", ["a", "a/b", ".git"], []),
        (".", ["a", "a/b"], []),
        ("[a-c]x\n[^d]y", ["bx", "ey"], ["dx", "dy"]),
        (r"a\*b", ["a*b"], ["axb"]),
        ("\ufeffa", ["a"], []),
    ],
)
def test_what_stays_at_home(text: str, ignored: list[str], kept: list[str]) -> None:
    ignore = parse_ignore(text)
    assert [path for path in ignored if not ignore.ignores(path)] == []
    assert [path for path in kept if ignore.ignores(path)] == []


@pytest.mark.parametrize(
    ("text", "folder", "walked"),
    [
        ("docs\n!docs/keep/x", "docs", True),
        ("docs\n!docs/keep/x", "docs/keep", True),
        ("docs\n!docs/keep/x", "docs/other", False),
        ("*\n!**/x", "any/where", True),
        ("node_modules", "node_modules", False),
    ],
)
def test_an_ignored_folder_is_walked_only_for_what_is_taken_back(text: str, folder: str, walked: bool) -> None:
    assert parse_ignore(text).may_hold(folder) is walked


@pytest.mark.parametrize("text", ["!", "a[", "a\\", "[z-a]"])
def test_patterns_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_ignore(text)


def test_a_pattern_made_to_take_for_ever_does_not() -> None:
    assert not parse_ignore("*a" * 40 + "b").ignores("a" * 250)


paths = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)
patterns = st.lists(st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b"]), min_size=1, max_size=4).map("/".join)


@given(patterns, paths)
def test_a_folder_that_is_not_to_be_walked_holds_nothing_kept(pattern: str, path: str) -> None:
    ignore = parse_ignore(f"*\n!{pattern}")
    folders = [path[:at] for at, char in enumerate(path) if char == "/"]
    if not ignore.ignores(path):
        assert all(ignore.may_hold(folder) or not ignore.ignores(folder) for folder in folders)
