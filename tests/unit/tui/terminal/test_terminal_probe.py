from __future__ import annotations

import os
import pty
import threading
from collections.abc import Callable

import pytest

from tui.terminal.probe import probe

ASK = b"\x1b[6n"


def answered(answer: Callable[[bytes], bytes]) -> tuple[bool, bytes]:
    """Probe a terminal whose other end says `answer` of what it was sent."""
    master, slave = pty.openpty()

    def other_end() -> None:
        heard = b""
        while ASK not in heard:
            heard += os.read(master, 4096)
        os.write(master, answer(heard))

    thread = threading.Thread(target=other_end)
    thread.start()
    try:
        return probe(slave, slave, seconds=5.0)
    finally:
        thread.join()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(("column", "narrow"), [(3, True), (4, False), (5, False)])
def test_the_position_after_two_marks_tells_how_wide_they_are(column: int, narrow: bool) -> None:
    assert answered(lambda _: b"\x1b[1;%dR" % column) == (narrow, b"")


def test_what_is_typed_meanwhile_is_given_back() -> None:
    assert answered(lambda _: "2항j\x1b[1;3Rq".encode()) == (True, "2항jq".encode())


def test_the_marks_themselves_are_sent() -> None:
    sent: list[bytes] = []

    def answer(heard: bytes) -> bytes:
        sent.append(heard)
        return b"\x1b[9;3R"

    answered(answer)
    assert "●│".encode() in sent[0]


def test_a_silent_terminal_counts_as_good_and_keeps_what_was_typed() -> None:
    master, slave = pty.openpty()
    try:
        os.write(master, b"jj")
        assert probe(slave, slave, seconds=0.05) == (True, b"jj")
    finally:
        os.close(master)
        os.close(slave)


def test_no_terminal_is_left_alone() -> None:
    read, write = os.pipe()
    try:
        assert probe(read, write) == (True, b"")
        os.set_blocking(read, False)
        with pytest.raises(BlockingIOError):
            os.read(read, 1)
    finally:
        os.close(read)
        os.close(write)
