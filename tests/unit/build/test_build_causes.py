"""What of a step has changed, in a few words."""

from __future__ import annotations

import pytest

from core.build.causes import difference, words_between


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("install curl", "install curl git", '"git" is new'),
        ("install curl git", "install git", '"curl" is gone'),
        ("install curl", "install wget", '"curl" is now "wget"'),
        ("a  b", "a b", "only its spaces"),
        ("x 1 2 3 4 5 6 y", "x y", '"1 2 3 4 5 …" is gone'),
        ("", "a" * 50, f'"{"a" * 39}…" is new'),
        ("a a", "a a a", '"a" is new'),
    ],
)
def test_the_words_between_what_two_texts_have_in_common(before: str, after: str, told: str) -> None:
    assert words_between(before, after) == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, "COPY src changed: a"),
        ({"a": "1"}, {"b": "1"}, "COPY src changed: a (gone), b (new)"),
        ({}, {"lib": "d", "lib/x": "1", "lib/y": "2"}, "COPY src changed: lib (new)"),
        ({}, dict.fromkeys("abcde", "1"), "COPY src changed: a (new), b (new), c (new), +2 more"),
    ],
)
def test_files_are_named_and_those_of_a_new_folder_are_not(
    before: dict[str, str], after: dict[str, str], told: str
) -> None:
    assert difference({"files": before}, {"files": after}, "COPY src") == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"env": ["A=1", "B=1"]}, {"env": ["A=2", "B=1", "C=1"]}, "a variable changed: A, C"),
        ({"user": ""}, {"user": "1000"}, "the user changed"),
        ({"parent": "x"}, {"parent": "y"}, "a step before it changed"),
        ({"parent": "x", "base": "the base image a"}, {"parent": "y", "base": "the base image a"},
         "the base image a changed"),
        ({"parent": "x"}, {"parent": "x"}, "not in the cache any more"),
    ],
)  # fmt: skip
def test_everything_else_is_a_sentence(before: dict[str, object], after: dict[str, object], told: str) -> None:
    assert difference(before, after) == told
