"""How long a worker stays, and when the loop calls it quiet."""

from __future__ import annotations

import os

from core.shim.loop import READ, Loop
from core.shim.parking import FIRST_PAUSE, LONGEST_PAUSE, SOON, Patience


def test_output_soon_after_a_rest_doubles_the_pause() -> None:
    pause = FIRST_PAUSE
    for _ in range(20):
        patience = Patience(pause, SOON * pause / 2)
        assert patience.pause == FIRST_PAUSE
        patience.output()
        patience.output()
        assert patience.pause == min(2 * pause, LONGEST_PAUSE)
        pause = patience.pause
    assert pause == LONGEST_PAUSE


def test_a_long_rest_or_another_reason_starts_anew() -> None:
    assert Patience(8, 1).pause == FIRST_PAUSE
    late = Patience(8, SOON * 8)
    late.output()
    assert late.pause == FIRST_PAUSE
    first = Patience()
    first.output()
    assert first.pause == FIRST_PAUSE


def test_the_loop_calls_it_quiet_once_until_something_happens() -> None:
    loop, calls = Loop(), []
    reader, writer = os.pipe()

    def quiet() -> None:
        calls.append("quiet")
        if len(calls) == 1:
            loop.call_later(0.01, lambda: os.write(writer, b"x") and None)
        else:
            loop.stop()

    def read(_: int) -> None:
        calls.append("read")
        os.read(reader, 1)

    loop.watch(reader, READ, read)
    assert not loop.waits
    loop.run(lambda: 0.02, quiet)
    assert calls == ["quiet", "read", "quiet"]
    loop.close()
    os.close(reader)
    os.close(writer)


def test_a_call_that_was_cancelled_is_not_waited_for() -> None:
    loop = Loop()
    timer = loop.call_later(100, lambda: None)
    assert loop.waits
    timer.cancel()
    assert not loop.waits
    loop.close()
