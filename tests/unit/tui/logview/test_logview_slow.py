from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from core.client.limit import TooSlow, within
from tui.logview.finder import Finder
from tui.logview.store import LineStore

HANGS = "a" * 64 + "b"  # 2^64 ways to match (a+)+$ against it


def test_a_match_that_would_never_end_is_ended() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    began = time.monotonic()
    with pytest.raises(TooSlow), within(0.05):
        re.search("(a+)+$", HANGS)
    assert time.monotonic() - began < 5
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_what_is_quick_is_left_alone() -> None:
    with within(30):
        assert re.search("b$", HANGS)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_other_threads_have_no_limit_and_do_not_fail() -> None:
    done: list[bool] = []

    def work() -> None:
        with within(0.001):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_a_search_with_such_a_pattern_gives_up_and_says_so() -> None:
    store = LineStore()
    for _ in range(3):
        store.append(False, None, HANGS.encode() + b"\n")
    finder = Finder(store)
    finder.start("(a+)+$", keep=False)
    assert finder.hits is not None
    finder.hits.scan(0.004)
    assert finder.hits.complete
    assert finder.words() == "this pattern takes too long; try a simpler one"
    assert finder.hits.query.spans(HANGS) == []
    store.append(False, None, b"more\n")
    finder.hits.changed(3)
    finder.hits.scan(0.004)
    assert finder.hits.complete


def test_what_other_threads_work_does_not_count() -> None:
    """The index is made in a thread while the search goes on."""
    going = True

    def work() -> None:
        while going:
            sum(range(1000))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        begun = time.process_time()
        with within(0.1):
            while time.process_time() - begun < 0.4:
                time.sleep(0.01)
        with pytest.raises(TooSlow), within(0.05):
            while True:
                pass
    finally:
        going = False
        thread.join(10)
