"""Quotes, variables and modifiers in the words of an instruction."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dockerfile import glob
from core.dockerfile.words import Expander
from core.errors import InvalidArgument

EXPANDER = Expander({"file": "foo.tar.gz", "empty": "", "path": "/usr/local/bin", "two": "a b"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$file", "foo.tar.gz"),
        ("x${file}y", "xfoo.tar.gzy"),
        ("$nosuch.", "."),
        ("'$file'", "$file"),
        ('"$file b"', "foo.tar.gz b"),
        (r"\$file", "$file"),
        (r'"\$file \n \" \\"', r'$file \n " ' + "\\"),
        ("$", "$"),
        ("a$", "a$"),
        ("${nosuch:-b}", "b"),
        ("${nosuch:-${file}}", "foo.tar.gz"),
        ("${empty:-b}", "b"),
        ("${empty-b}", ""),
        ("${file:+yes}", "yes"),
        ("${empty:+yes}", ""),
        ("${empty+yes}", "yes"),
        ("${file:?not here}", "foo.tar.gz"),
        ("${file#*.}", "tar.gz"),
        ("${file##*.}", "gz"),
        ("${file%.*}", "foo.tar"),
        ("${file%%.*}", "foo"),
        ("${file#x}", "foo.tar.gz"),
        (r"${path//\//_}", "_usr_local_bin"),
        ("${path/l*l/X}", "/usr/X/bin"),
    ],
)
def test_a_word(text: str, wanted: str) -> None:
    assert EXPANDER.word(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${nosuch:?tell me}", "nosuch: tell me"),
        ("${empty:?}", "empty: is not allowed to be empty"),
        ("${nosuch?}", "nosuch: is not allowed to be unset"),
        ("${file^}", "unsupported modifier"),
        ("${file", "unsupported modifier"),
        ("${file:-x", "missing '}'"),
        ("${}", "bad substitution"),
        ('"open', "matching double-quote"),
        ("'open", "matching single-quote"),
    ],
)
def test_what_is_wrong_with_a_word(text: str, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        EXPANDER.word(text)
    assert reason in caught.value.message


def test_words_are_cut_outside_of_quotes_only() -> None:
    assert EXPANDER.words('a "b c" \'\' x"y"z $two "$two" $empty') == ["a", "b c", "", "xyz", "a", "b", "a b"]


def test_the_escape_token_can_be_a_backtick() -> None:
    assert Expander({}, escape="`").word(r"C:\x`$y") == r"C:\x$y"


texts = st.text("ab.", max_size=8)
patterns = st.text("ab.*?", max_size=6)


@given(texts, patterns)
def test_cutting_is_what_trying_every_place_gives(text: str, pattern: str) -> None:
    fronts = [n for n in range(len(text) + 1) if fnmatch.fnmatchcase(text[:n], pattern)]
    backs = [n for n in range(len(text) + 1) if fnmatch.fnmatchcase(text[n:], pattern)]
    assert glob.cut_front(text, pattern, longest=True) == (text[max(fronts) :] if fronts else text)
    assert glob.cut_front(text, pattern, longest=False) == (text[min(fronts) :] if fronts else text)
    assert glob.cut_back(text, pattern, longest=True) == (text[: min(backs)] if backs else text)
    assert glob.cut_back(text, pattern, longest=False) == (text[: max(backs)] if backs else text)


def test_a_pattern_made_to_take_for_ever_does_not() -> None:
    assert glob.cut_back("a" * 20_000, "*a" * 50 + "b", longest=True) == "a" * 20_000


@given(st.text(max_size=40))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    try:
        EXPANDER.words(text)
    except InvalidArgument as error:
        assert "\n" not in error.message or "\n" in text
