"""Sizes, numbers, durations and moments as Docker's flags take and its output words them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import units, values, words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("10", 10), ("10b", 10), ("64m", 64 << 20), ("64M", 64 << 20), ("1g", 1 << 30), ("1.5k", 1536),
        ("10MiB", 10 << 20), ("10 mb", 10 << 20), ("2t", 2 << 40), ("1p", 1 << 50),
    ],
)  # fmt: skip
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1x", "1.2.3m", "m", "1mm", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size: "):
        values.size(text)


def test_unlimited_is_minus_one_where_it_is_allowed() -> None:
    assert values.size_or_unlimited("-1") == -1
    assert values.size_or_unlimited("1k") == 1024


@pytest.mark.parametrize(
    ("text", "nano"), [("1", 10**9), ("0.5", 5 * 10**8), (".25", 25 * 10**7), ("3/2", 15 * 10**8)]
)
def test_cpus(text: str, nano: int) -> None:
    assert values.cpus(text) == nano


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "failed to parse abc as a rational number"),
        ("0.0000000001", "value is too precise"),
        ("1/0", "failed"),
    ],
)
def test_what_is_no_number_of_cpus(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        values.cpus(text)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1s", 10**9), ("1h30m", 5400 * 10**9), ("1.5s", 15 * 10**8), ("300ms", 3 * 10**8), ("-2m", -120 * 10**9),
        ("0", 0), ("1us", 1000), ("10ns", 10),
    ],
)  # fmt: skip
def test_durations(text: str, nano: int) -> None:
    assert values.duration(text) == nano


@pytest.mark.parametrize("text", ["", "5", "1x", "s", "1s2", "--1s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="time: invalid duration"):
        values.duration(text)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", ""),
        ("1700000000", "1700000000"),
        ("1700000000.5", "1700000000.5"),
        ("10m", "999400.000000000"),
        ("1.5s", "999998.500000000"),
        ("1970-01-02", "86400"),
        ("1970-01-02T01:00", "90000"),
        ("1970-01-02T01:00:01", "90001"),
        ("1970-01-02T01:00:00Z", "90000"),
        ("1970-01-02T01:00:00+01:00", "86400"),
        ("1970-01-02T01:00:00-01:30", "95400"),
        ("1970-01-01T00:00:01.25Z", "1.250000000"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    assert values.moment(text, now=1_000_000) == moment


def test_what_is_no_moment() -> None:
    with pytest.raises(ValueError, match='failed to parse value as time or duration: "zzz"'):
        values.moment("zzz")


def test_filters_collect_by_name() -> None:
    assert values.filters(["name=a", "Name=b", "label=x=y"]) == {"name": ["a", "b"], "label": ["x=y"]}


@pytest.mark.parametrize(
    ("size", "three", "four"),
    [
        (0, "0B", "0B"), (999, "999B", "999B"), (1000, "1kB", "1kB"), (1984804, "1.98MB", "1.985MB"),
        (123456789, "123MB", "123.5MB"), (10**12, "1TB", "1TB"),
    ],
)  # fmt: skip
def test_sizes_in_words(size: int, three: str, four: str) -> None:
    assert units.human_size(size, 3) == three
    assert units.human_size(size) == four


def test_memory_is_worded_in_powers_of_1024() -> None:
    assert units.binary_size(832 * 1024) == "832KiB"
    assert units.binary_size(25275949056) == "23.54GiB"


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 20, "short"), ("sh -c 'echo out; echo err'", 20, "sh -c 'echo out; ec…"),
        ("한글한글", 8, "한글한글"), ("한글한글한", 8, "한글한…"), ("a한글한글", 8, "a한글한…"),
    ],
)  # fmt: skip
def test_cutting_counts_cells(text: str, width: int, cut: str) -> None:
    assert words.ellipsis(text, width) == cut


@given(st.text(), st.integers(2, 40))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert words.cells(words.ellipsis(text, width)) <= max(width, 1)


def test_v2_comes_before_v10() -> None:
    assert sorted(["v10", "v2", "a"], key=words.natural) == ["a", "v2", "v10"]


def test_commands_are_quoted_as_go_quotes() -> None:
    assert words.quoted("sleep 1000") == '"sleep 1000"'
    assert words.quoted('a "b" \\ \x1b\n') == '"a \\"b\\" \\\\ \\x1b\\n"'
