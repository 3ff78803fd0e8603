from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import packets

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Pair]:
    one, two = packets.pair()
    with one, two:
        yield one, two


def test_a_message_arrives_with_its_descriptors(ends: Pair) -> None:
    read, write = os.pipe()
    packets.send(ends[0], {"job": "shim"}, [write])
    os.close(write)
    received = packets.receive(ends[1])
    assert received is not None
    message, (fd,) = received
    os.write(fd, b"hello")
    assert message == {"job": "shim"}
    assert os.read(read, 9) == b"hello"
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.close(read)


def test_a_large_message_travels_as_a_memfd(ends: Pair) -> None:
    message = {"text": "x" * 300_000}
    packets.send(ends[0], message, [0])
    received = packets.receive(ends[1])
    assert received is not None
    assert received[0] == message
    assert len(received[1]) == 1
    os.close(received[1][0])


def test_the_end_is_none(ends: Pair) -> None:
    ends[0].close()
    assert packets.receive(ends[1]) is None


@pytest.mark.parametrize("body", [b"[]", b"no", b'{"memfd":5}', b'{"memfd":-1}', b"x" * 70_000])
def test_what_is_not_ours_is_refused(ends: Pair, body: bytes) -> None:
    ends[0].send(body)
    with pytest.raises(ValueError):
        packets.receive(ends[1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text().filter(lambda key: key != "memfd"), JSON, max_size=5))
def test_any_message_arrives_as_it_was(message: packets.Message) -> None:
    one, two = packets.pair()
    with one, two:
        packets.send(one, message)
        assert packets.receive(two) == (message, [])
