from __future__ import annotations

import pytest

from tui import text


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (-5, "0 B"),
        (999, "999 B"),
        (1000, "1 K"),
        (48 * 1024, "48 K"),
        (12 << 20, "12 M"),
        (999 << 20, "999 M"),
        (1023 << 20, "1.0 G"),
        (1288490188, "1.2 G"),
        (240 << 30, "240 G"),
    ],
)
def test_sizes_in_a_column_keep_four_figures(count: int, shown: str) -> None:
    assert text.size(count) == shown
    assert len(shown) <= 6


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (64 << 20, "64 MiB"), (1331439862, "1.24 GiB"), (24 << 30, "24.0 GiB")]
)
def test_sizes_in_prose_spell_the_unit(count: int, shown: str) -> None:
    assert text.size_prose(count) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"), [(0, "0 B/s"), (2.1e6, "2.1 MB/s"), (11e6, "11 MB/s"), (400e3, "400 kB/s")]
)
def test_rates_are_decimal(per_second: float, shown: str) -> None:
    assert text.rate(per_second) == shown


@pytest.mark.parametrize(
    ("seconds", "column", "prose"),
    [
        (0, "0s", "just now"),
        (45, "45s", "45 s ago"),
        (60, "1m", "1 min ago"),
        (180, "3m", "3 min ago"),
        (7200, "2h", "2 h ago"),
        (86400 * 2 + 5, "2d", "2 d ago"),
        (-3, "0s", "just now"),
    ],
)
def test_ages(seconds: float, column: str, prose: str) -> None:
    assert text.age(seconds) == column
    assert text.ago(seconds) == prose


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0.0 %"), (18.44, "18.4 %"), (99.96, "100 %"), (1204.3, "1204 %")]
)
def test_percent_keeps_four_figures(value: float, shown: str) -> None:
    assert text.percent(value) == shown


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("not a time", 0.0),
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.123456789Z", 60.123456),
        ("1970-01-01T00:01:00.5Z", 60.5),
        ("1970-01-01T09:01:00.000000001+09:00", 60.0),
    ],
)
def test_times_of_the_engine(stamp: str, seconds: float) -> None:
    assert text.parse_time(stamp) == pytest.approx(seconds)
