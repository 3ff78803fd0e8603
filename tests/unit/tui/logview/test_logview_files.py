"""Logs read where they lie: any split into blocks gives the lines that sorting all of them gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.logs.jsonfile import escape, records, timestamp
from tui.logview import logfile
from tui.logview.filestore import FileStore, step_back
from tui.logview.logfile import LogFile, Shrunk
from tui.logview.query import Hits, Query, needle_of
from tui.logview.records import line_of, stamp_of, text_of

Made = list[tuple[int, bytes]]  # second, text


def raw(second: int, text: bytes, stream: str = "stdout") -> bytes:
    return records(stream, escape(text + b"\n"), timestamp(second * 10**9))


class Log:
    """A log that is written while it is read."""

    def __init__(self, made: Made) -> None:
        self.fd = os.memfd_create("log")
        self.write(made)
        self.file = LogFile([os.dup(self.fd)])

    def write(self, made: Made) -> None:
        os.write(self.fd, b"".join(raw(second, text) for second, text in made))

    def close(self) -> None:
        os.close(self.fd)
        self.file.close()


@contextmanager
def logs(*made: Made) -> Iterator[tuple[list[Log], FileStore]]:
    found = [Log(each) for each in made]
    try:
        yield found, FileStore([log.file for log in found])
    finally:
        for log in found:
            log.close()


def indexed(store: FileStore) -> FileStore:
    while not store.complete:
        store.look_back(step_back(store.files, store.front))
    return store


def texts(store: FileStore) -> list[bytes]:
    return [store[number].data for number in range(store.first, store.end)]


ascending = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), max_size=60)


def steps(drawn: list[tuple[int, int]], name: bytes) -> Made:
    second, made = 0, []
    for at, (step, length) in enumerate(drawn):
        second += step
        made.append((second, b"%b %d " % (name, at) + b"x" * length))
    return made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some lines, so that few lines make many."""
    for module in ("logfile", "filestore"):
        monkeypatch.setattr(f"tui.logview.{module}.BLOCK", 700)
    assert logfile.BLOCK == 700


@given(st.lists(ascending, min_size=1, max_size=3), ascending)
def test_merged_logs_are_sorted_and_whole(drawn: list[list[tuple[int, int]]], later: list[tuple[int, int]]) -> None:
    made = [steps(each, b"abc"[n : n + 1]) for n, each in enumerate(drawn)]
    with logs(*made) as (found, store):
        indexed(store)
        assert store.end == 0 and -store.first == sum(map(len, made))
        lines = [store[number] for number in range(store.first, 0)]
        times = [line.time_ns or 0 for line in lines]
        assert times == sorted(times)
        for source, each in enumerate(made):
            assert [line.data for line in lines if line.source == source] == [text for _, text in each]
        more = [(10_000 + second, text) for second, text in steps(later, b"later")]
        found[0].write(more)
        while store.refresh() is not None:
            pass
        assert [store[number].data for number in range(store.end)] == [text for _, text in more]
        with pytest.raises(IndexError):
            store[store.end]


@given(ascending, st.sampled_from(["x", "a 1", "3", "[12]", "a [^1]", "nothing", "X"]), st.integers(0, 40))
def test_a_search_finds_what_looking_at_every_line_finds(
    drawn: list[tuple[int, int]], pattern: str, split: int
) -> None:
    made = steps(drawn, b"a")
    with logs(made[:split]) as (found, store):
        store.look_back(step_back(store.files, store.front))
        query = Query(pattern)
        hits = Hits(query, store)
        hits.scan(9)
        indexed(store)
        found[0].write(made[split:])
        while (changed := store.refresh()) is not None:
            hits.changed(changed)
            hits.scan(9)
        hits.scan(9)
        assert hits.complete
        assert list(hits.numbers) == [n for n in range(store.first, store.end) if query.matches(store[n].data)]


@given(ascending, st.integers(-1, 200))
def test_a_time_is_found_by_halving(drawn: list[tuple[int, int]], second: int) -> None:
    made = steps(drawn, b"a")
    with logs(made) as (_, store):
        indexed(store)
        older = sum(at < second for at, _ in made)
        assert store.at_time(second * 10**9) == store.first + older


def test_a_time_before_what_is_known_is_not_guessed() -> None:
    with logs([(second, b"x" * 90) for second in range(100)]) as (_, store):
        store.look_back(step_back(store.files, store.front))
        assert store.at_time(0) is None
        assert indexed(store).at_time(0) == store.first


def test_a_torn_record_waits_for_its_end() -> None:
    with logs([(1, b"one")]) as (found, store):
        whole = raw(2, b"two")
        os.write(found[0].fd, whole[:20])
        assert store.refresh() is None and store.end == 0
        os.write(found[0].fd, whole[20:])
        assert store.refresh() == 0 and store[0].data == b"two"


def test_a_log_that_was_begun_anew_is_noticed() -> None:
    with logs([(1, b"one")]) as (found, store):
        os.ftruncate(found[0].fd, 0)
        with pytest.raises(Shrunk):
            store.refresh()


def test_rotated_files_are_one_log() -> None:
    older, newer = os.memfd_create("a"), os.memfd_create("b")
    os.write(older, b"".join(raw(n, b"old %d" % n) for n in range(30)))
    os.write(newer, b"".join(raw(n, b"new %d" % n) for n in range(30, 40)))
    file = LogFile([older, newer])
    store = indexed(FileStore([file]))
    assert texts(store) == [b"old %d" % n for n in range(30)] + [b"new %d" % n for n in range(30, 40)]
    file.close()


def test_damaged_and_foreign_records() -> None:
    good = raw(1, b"text", "stderr")[:-1]
    assert line_of(good, 3) == (True, 10**9, b"text", 3)
    spaced = b'{"log": "a\\tb\\n", "stream": "stdout", "time": "1970-01-01T00:00:02Z"}'
    assert line_of(spaced) == (False, 2 * 10**9, b"a\tb", 0) and text_of(spaced) == b"a\tb"
    for bad in (b"", b"{", good[:-9], b'{"log":"' * 3, b"[1]", b'{"log":1,"stream":"stdout","time":"x"}'):
        assert line_of(bad) == (False, None, bad, 0)
        assert isinstance(stamp_of(bad), bytes)


@given(st.binary(max_size=60), st.booleans())
def test_records_are_read_as_they_were_written(text: bytes, error: bool) -> None:
    text = text.replace(b"\n", b"")
    line = line_of(raw(5, text, "stderr" if error else "stdout")[:-1])
    assert line == (error, 5 * 10**9, text.decode("utf-8", "replace").encode(), 0)


@pytest.mark.parametrize(
    ("pattern", "needle"),
    [("104[12]", b"104"), ("Error", b"error"), ("a|bc", b""), ("ab*c", b""), ("^GET /x$", b"get /x"),
     ("x.yz", b"yz"), (r"\d+", b""), ("옹기", b""), ('"a"', b""), ("a{2}bc", b"")],
)  # fmt: skip
def test_what_every_match_has_in_it(pattern: str, needle: bytes) -> None:
    assert needle_of(pattern) == needle
