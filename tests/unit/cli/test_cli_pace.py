"""Rates, time left, and lines that fit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import pace, words


def test_a_rate_is_that_of_the_last_seconds() -> None:
    counted = pace.Pace()
    told = []
    for moment, current in ((0.0, 0), (0.2, 100), (1.0, 1000), (10.0, 1000), (12.0, 5000)):
        counted.hear(current, moment)
        told.append(counted.rate(moment))
    assert told[:3] == [0.0, 0.0, 1000.0]
    assert told[3] < 1000.0  # nothing has come for long
    assert told[4] == pytest.approx(4000 / 11)
    counted.hear(10, 17.0)
    assert counted.rate(17.0) == 0.0  # begun again


def test_steps_that_come_seldom_are_no_stall() -> None:
    counted = pace.Pace()
    for number in range(6):
        counted.hear(number * 1000, number * 4.0)
    assert counted.rate(20.0) == counted.rate(24.0) == pytest.approx(250.0)
    assert counted.rate(40.0) < 150.0


def test_what_was_there_before_is_no_speed() -> None:
    counted = pace.Pace()
    counted.hear(90_000_000, 0.0)
    counted.hear(90_000_100, 1.0)
    assert counted.rate(1.0) == pytest.approx(100.0)


@given(st.lists(st.integers(1, 3_000_000), min_size=30, max_size=60))
def test_the_time_left_is_never_far_from_the_rate(steps: list[int]) -> None:
    total, current, counted = sum(steps), 0, pace.Pace()
    for number, step in enumerate(steps):
        moment = number * 0.2
        counted.hear(current, moment)
        left = counted.left(total - current, moment)
        if left:
            honest = (total - current) / counted.rate(moment)
            assert honest / 2 - 1e-6 <= left <= max(honest * 2, 1.0) + 1e-6
        current += step


def test_the_time_left_does_not_jump_with_the_line() -> None:
    counted, told = pace.Pace(), []
    for number in range(200):
        moment = number * 0.1
        rate = 1_000_000 * (1.6 if number // 10 % 2 else 0.4)  # a second fast, a second slow
        counted.hear(int(rate * 0.1) + (counted._seen[-1][1] if counted._seen else 0), moment)
        told.append(counted.left(100_000_000 - counted._seen[-1][1], moment))
    steps = [after - before for before, after in itertools.pairwise(told[50:])]
    assert max(map(abs, steps)) < 3.0  # by the last second alone it is 60 seconds or 240
    assert 60 < told[-1] < 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1s"), (59.4, "59s"), (60, "1m00s"), (125, "2m05s"), (3725, "1h02m"), (1e6, "277h46m")],
)
def test_time_left(seconds: float, text: str) -> None:
    assert pace.time_left(seconds) == text


@given(
    st.text(max_size=30), st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.floats(0, 1e13), st.floats(0, 1e6),
    st.integers(1, 200),
)  # fmt: skip
def test_a_line_fits(head: str, current: int, total: int, rate: float, left: float, cells: int) -> None:
    assert words.cells(pace.line(head, current, total, rate, left, cells)) <= cells


def test_what_goes_where_there_is_less_room() -> None:
    def line(cells: int) -> str:
        return pace.line("a: Pushing", 12_300_000, 45_000_000, 8_100_000, 4, cells, short="a:").strip()

    assert line(99) == f"a: Pushing [{'=' * 7}>{' ' * 20}]  12.3MB/45MB     8.1MB/s  4s left"
    assert [line(cells) for cells in (50, 38, 30, 22, 12, 6)] == [
        "a: Pushing  12.3MB/45MB     8.1MB/s  4s left",
        "a: Pushing 12.3MB/45MB   8.1MB/s  4s",
        "a: 12.3MB/45MB   8.1MB/s  4s",
        "a: 27%   8.1MB/s  4s",
        "a: 27%  4s",
        "a: 27%",
    ]
    assert pace.line("x", 999_999, 0, 0, 0, 80).strip() == "x     1MB"
