import itertools
from datetime import UTC

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from textual.content import Content

from tui.logview import lines
from tui.logview.finder import Finder
from tui.logview.layout import Layout
from tui.logview.query import Hits, Query
from tui.logview.store import LineStore, LogLine
from tui.safe import cell_width


def texts(store: LineStore) -> list[tuple[bool, bytes]]:
    return [(line.error, line.data) for line in store.since(0)]


def test_chunks_become_lines_and_streams_do_not_mix() -> None:
    store = LineStore()
    assert store.append(False, 1, b"one\ntw") == 0
    assert store.append(True, 2, b"error") == 2
    assert store.append(False, 3, b"o\nthree\n") == 1
    assert store.append(True, 4, b"!\n") == 2
    assert texts(store) == [(False, b"one"), (False, b"two"), (True, b"error!"), (False, b"three")]
    assert store[1].time_ns == 1


def test_the_oldest_lines_go_and_numbers_stay() -> None:
    store = LineStore(limit=3)
    store.append(False, None, b"a\nb\nc\nd\ne\n")
    assert (store.first, store.end) == (2, 5) and store[2].data == b"c"
    with pytest.raises(IndexError):
        store[1]
    store.clear()
    assert (store.first, store.end, len(store)) == (5, 5, 0)


def test_a_stream_without_newlines_is_bounded() -> None:
    store = LineStore(limit=100, limit_bytes=1 << 20)
    for _ in range(100):
        store.append(False, None, b"x" * 60_000)
    assert sum(len(line.data) for line in store.since(0)) <= (1 << 20) + 131072
    assert max(len(line.data) for line in store.since(0)) < 131072


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=20)), max_size=20))
def test_nothing_of_a_stream_is_lost(chunks: list[tuple[bool, bytes]]) -> None:
    store = LineStore()
    for error, data in chunks:
        store.append(error, None, data)
    for stream in (False, True):
        want = b"".join(data for error, data in chunks if error is stream)
        got = b"\n".join(data for error, data in texts(store) if error is stream)
        assert got == want.removesuffix(b"\n")


@pytest.mark.parametrize(
    ("text", "data", "found"),
    [
        ("get", b"GET /", True),
        ("GET", b"get /", False),
        (r"\d+ ms", b"took 12 ms", True),
        ("[", b"a [ b", True),
        ("red", b"\x1b[31mr\x1b[1med\x1b[m", True),
        ("항아리", "옹기 항아리".encode(), True),
    ],
)
def test_queries(text: str, data: bytes, found: bool) -> None:
    assert Query(text).matches(data) is found
    assert Query(text, invert=True).matches(data) is not found


def test_hits_follow_the_store() -> None:
    store = LineStore(limit=4)
    hits = Hits(Query("x"), store)
    store.append(False, None, b"x\na\nx")
    hits.scan(1.0)
    assert list(hits.numbers) == [0, 2] and hits.complete
    hits.changed(store.append(False, None, b"y\nxx\nb\n"))
    hits.scan(1.0)
    assert list(hits.numbers) == [2, 3] and (hits.after(3), hits.before(2), hits.after(2)) == (2, 3, 3)


def test_the_words_of_a_search() -> None:
    store = LineStore()
    store.append(False, None, b"a\nb\nab\n")
    finder = Finder(store)
    assert finder.words() == "3 lines"
    finder.start("a", keep=False)
    assert finder.words() == "0 hits so far in 3 lines"
    assert finder.hits is not None
    finder.hits.scan(1.0)
    assert finder.step(True, 0) == 0 and finder.words() == "1 of 2 hits in 3 lines"
    assert finder.step(True, 0) == 2 and finder.step(True, 0) == 0 and finder.step(False, 0) == 2
    finder.start("a", keep=True, invert=True)
    finder.hits.scan(1.0)
    assert list(finder.shown()) == [1] and finder.words() == "1 of 3 lines"
    finder.start("", keep=True)
    assert list(finder.shown()) == [0, 1, 2]


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9), st.integers(0, 3)),
        min_size=1,
        max_size=15,
    ),
    st.sampled_from([0, -7]),
)
@example([(4, 2, 0, 0), (0, 2, 0, 0), (3, 0, 0, 0)], 0)  # everything dropped, then new lines
@example([(4, 0, 0, 0)], -7)  # what was there at the opening counts down to 0
@example([(0, 0, 0, 3), (2, 0, 0, 2)], 0)  # the index comes to older ones
def test_wrapped_layout_is_as_if_laid_out_anew(steps: list[tuple[int, int, int, int]], begin: int) -> None:
    heights: dict[int, int] = {}
    layout, first, end = Layout(), begin, begin
    layout.update(range(0), lambda n: heights[n], None)
    for grow, drop, back, older in steps:
        changed = max(first, end - back)
        end += grow
        for number in range(changed, end):
            heights[number] = 1 + (number * 7 + grow) % 3
        first = min(first + drop, end)
        for number in range(first - older, first):
            heights.setdefault(number, 2)
        first -= older
        layout.update(range(first, end), lambda n: heights[n], changed)
        anew = [(n, row) for n in range(first, end) for row in range(heights[n])]
        assert [layout.at(y) for y in range(layout.rows)] == anew
        assert all(anew[layout.row_of(n)] == (n, 0) for n in range(first, end))
        assert layout.at(layout.rows) is None and layout.row_of(end) == len(anew)


@given(st.text(st.sampled_from("ab옹기e\u0301 "), max_size=40), st.integers(8, 20))
def test_breaks_fill_rows_without_cutting_a_character(text: str, width: int) -> None:
    starts = [*lines.breaks(text, width), len(text)]
    rows = [text[a:b] for a, b in itertools.pairwise(starts)]
    assert "".join(rows) == text
    assert all(width - 1 <= cell_width(row) <= width for row in rows[:-1])
    assert cell_width(rows[-1]) <= width
    line = LogLine(False, None, text.encode())
    shown = lines.body(line).plain
    assert lines.height(line, width) == len(lines.breaks(shown, width))


def test_the_clock() -> None:
    moment = 1_700_000_000_123_000_000
    assert lines.clock(moment, UTC, millis=True) == "22:13:20.123 "
    assert lines.clock(moment, UTC, millis=False) == "22:13:20 "
    assert len(lines.clock(None, UTC, millis=True)) == 13


def test_hits_are_marked_in_what_is_shown() -> None:
    line = LogLine(False, None, b"\x1b[31ma\x1b[mb ab")
    marked = lines.highlighted(lines.body(line), Query("ab"), Content("x").stylize("bold").spans[0].style)  # type: ignore[arg-type]
    assert [(s.start, s.end) for s in marked.spans[-2:]] == [(0, 2), (3, 5)]
