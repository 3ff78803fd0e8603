"""Detach keys: Docker's rule, and the release of a lone prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.shim.detach import DetachMatcher

P, Q = b"\x10", b"\x11"


@pytest.mark.parametrize(
    ("typed", "sent", "detached"),
    [
        (b"ls\n", b"ls\n", False),
        (P + Q, b"", True),
        (b"abc" + P + Q + b"never", b"abc", True),
        (P + b"a", P + b"a", False),
        (P + P, P + P, False),
        (P + P + Q, P + P + Q, False),
        (P + P + P + Q, P + P, True),
        (Q + P, Q, False),
        (b"a" + P, b"a", False),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_docker_s_rule(typed: bytes, sent: bytes, detached: bool, piecewise: bool) -> None:
    matcher = DetachMatcher()
    out, found = bytearray(), False
    for piece in [bytes((byte,)) for byte in typed] if piecewise else [typed]:
        if not found:
            data, found = matcher.feed(piece)
            out += data
    assert (bytes(out), found) == (sent, detached)


def test_other_keys_let_the_default_through() -> None:
    matcher = DetachMatcher(b"\x18x")
    assert matcher.feed(P + Q) == (P + Q, False)
    assert matcher.feed(b"\x18x") == (b"", True)


def test_no_keys_never_match() -> None:
    matcher = DetachMatcher(())
    assert matcher.feed(P + Q) == (P + Q, False)
    assert not matcher.holding


def test_one_key_is_enough() -> None:
    assert DetachMatcher(b"\x1d").feed(b"a\x1db") == (b"a", True)


def test_a_lone_prefix_is_released_and_stays_armed() -> None:
    matcher = DetachMatcher()
    assert matcher.feed(P) == (b"", False)
    assert matcher.holding
    assert matcher.release() == P
    assert not matcher.holding
    assert matcher.feed(Q) == (b"", True)


def test_after_a_release_another_byte_goes_alone() -> None:
    matcher = DetachMatcher()
    matcher.feed(P)
    matcher.release()
    assert matcher.feed(b"a") == (b"a", False)
    assert matcher.feed(Q) == (Q, False)


def test_after_a_release_the_prefix_begins_anew() -> None:
    matcher = DetachMatcher()
    matcher.feed(P)
    matcher.release()
    assert matcher.feed(P) == (b"", False)
    assert matcher.holding
    assert matcher.feed(Q) == (b"", True)


def test_a_release_in_the_middle_of_a_longer_sequence() -> None:
    matcher = DetachMatcher(b"abc")
    assert matcher.feed(b"ab") == (b"", False)
    assert matcher.release() == b"ab"
    assert matcher.feed(b"x") == (b"x", False)
    assert matcher.feed(b"ab") == (b"", False)
    matcher.release()
    assert matcher.feed(b"c") == (b"", True)


def docker(keys: bytes, data: bytes) -> tuple[bytes, bool]:
    """moby's escape proxy in the simplest words."""
    out, held = b"", b""
    for byte in data:
        if byte == keys[len(held)]:
            held += bytes((byte,))
            if held == keys:
                return out, True
        else:
            out += held + bytes((byte,))
            held = b""
    return out, False


@given(
    st.binary(min_size=1, max_size=3).map(lambda raw: bytes(byte % 3 for byte in raw)),
    st.lists(st.binary(max_size=6).map(lambda raw: bytes(byte % 3 for byte in raw)), max_size=8),
)
def test_however_the_bytes_arrive_it_is_docker_s_answer(keys: bytes, pieces: list[bytes]) -> None:
    matcher = DetachMatcher(keys)
    out, found = b"", False
    for piece in pieces:
        data, found = matcher.feed(piece)
        out += data
        if found:
            break
    assert (out, found) == docker(keys, b"".join(pieces))


@given(st.lists(st.sampled_from([P, Q, b"x", None]), max_size=20))
def test_with_releases_no_byte_is_lost_or_doubled(steps: list[bytes | None]) -> None:
    matcher = DetachMatcher()
    out = b""
    for step in steps:
        if step is None:
            out += matcher.release()
            continue
        data, found = matcher.feed(step)
        out += data
        if found:
            return
    out += matcher.release()
    assert out == b"".join(step for step in steps if step)
