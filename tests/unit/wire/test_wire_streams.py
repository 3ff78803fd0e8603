"""Docker's stream frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.streams import STDERR, STDOUT, Unframer, frame


def test_a_frame_has_the_stream_and_the_length_in_front() -> None:
    assert frame(STDOUT, b"out\n") == b"\x01\0\0\0\0\0\0\x04out\n"


@given(
    frames=st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40)), max_size=12),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
)
def test_whatever_the_cuts_the_payloads_come_out_whole(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    wire = b"".join(frame(stream, data) for stream, data in frames)
    unframer, found, at, turn = Unframer(), {STDOUT: b"", STDERR: b""}, 0, 0
    while at < len(wire):
        size = cuts[turn % len(cuts)]
        for stream, data in unframer.feed(wire[at : at + size]):
            found[stream] += data
        at, turn = at + size, turn + 1
    for stream, got in found.items():
        assert got == b"".join(data for kind, data in frames if kind == stream)
    assert unframer.whole


@pytest.mark.parametrize("bad", [b"\x09\0\0\0\0\0\0\x01x", b"\x01\0\x01\0\0\0\0\x01x", b"HTTP/1.1 "])
def test_what_is_no_header_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match="not a stream header"):
        Unframer().feed(bad)


def test_a_cut_frame_is_not_whole() -> None:
    unframer = Unframer()
    unframer.feed(frame(STDOUT, b"abc")[:-1])
    assert not unframer.whole
