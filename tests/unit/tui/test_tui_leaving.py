from __future__ import annotations

import os
import socket

from hypothesis import given
from hypothesis import strategies as st

from tui.leaving import KEYS, KeptSource, Matcher


def test_plain_bytes_pass_at_once() -> None:
    assert Matcher().feed(b"ls -l\r") == (b"ls -l\r", False)


def test_the_keys_leave_and_are_not_sent() -> None:
    matcher = Matcher()
    assert matcher.feed(b"a\x10") == (b"a", False)
    assert matcher.holding
    assert matcher.feed(b"\x11") == (b"", True)
    assert not matcher.holding


def test_a_mismatch_sends_the_held_byte_and_the_new_one_together() -> None:
    matcher = Matcher()
    matcher.feed(b"\x10")
    assert matcher.feed(b"x") == (b"\x10x", False)


def test_twice_the_first_key_reaches_the_shell_at_once() -> None:
    matcher = Matcher()
    assert matcher.feed(b"\x10\x10") == (b"\x10\x10", False)
    assert matcher.feed(b"\x11") == (b"\x11", False)
    assert matcher.feed(KEYS) == (b"", True)


def test_a_released_first_key_is_not_sent_again_and_still_leaves() -> None:
    matcher = Matcher()
    matcher.feed(b"\x10")
    assert matcher.release() == b"\x10"
    assert not matcher.holding
    assert matcher.feed(b"\x11") == (b"", True)
    matcher.feed(b"\x10")
    matcher.release()
    assert matcher.feed(b"z") == (b"z", False)


@given(st.lists(st.binary(max_size=4), max_size=12))
def test_without_the_keys_nothing_is_lost_whatever_the_pieces(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    if KEYS in whole:
        return
    matcher = Matcher()
    sent = b"".join(matcher.feed(piece)[0] for piece in pieces) + matcher.release()
    assert sent == whole


def test_the_stream_stays_open_when_it_is_left() -> None:
    ours, theirs = socket.socketpair()
    left: list[bool] = []
    source = KeptSource(ours.detach(), left=lambda: left.append(True))
    source.write(b"vi\r\x10\x11")
    assert left == [True]
    assert theirs.recv(100) == b"vi\r"
    source.write(b"still here")
    assert theirs.recv(100) == b"still here"
    source.close()
    assert theirs.recv(1) == b""
    theirs.close()


def test_a_lone_first_key_reaches_the_program_after_a_moment() -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    source = KeptSource(ours.detach(), left=lambda: None)
    source.write(b"\x10")
    assert theirs.recv(10) == b"\x10"
    source.close()
    os.close(theirs.detach())
