"""The short way to JSON says what the long way says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.client import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_written_is_what_json_would_write(value: object) -> None:
    text = jsontext.dumps(value)
    assert text == json.dumps(value, ensure_ascii=False)


@given(VALUES, st.sampled_from(["", " ", "\n\t\r "]))
def test_what_is_read_is_what_json_would_read(value: object, space: str) -> None:
    text = space + json.dumps(value) + space
    assert jsontext.loads(text.encode()) == value


def test_the_first_of_several_values_says_where_it_ends() -> None:
    assert jsontext.first('{"a": [1]}{"b": 2}') == ({"a": [1]}, 10)


@pytest.mark.parametrize("data", [b"", b" ", b"{", b'{"a"}', b"1 2", b"nul", b'"\xff"', b'"a\nb"', b"[1,]"])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        jsontext.loads(data)


def test_a_thing_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="set is not a thing of JSON"):
        jsontext.dumps({"a": {1}})
