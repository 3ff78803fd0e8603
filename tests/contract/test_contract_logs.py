"""A log read at its end and one followed while it grew have the same lines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.logs.jsonfile import Line
from core.logs.reader import LogReader
from core.logs.writer import LogWriter
from tests.integration.conftest import EngineUnderTest

Lines = list[tuple[str, str, bytes]]
Step = tuple[int, bytes]
Read = Callable[[Path, list[Step], int, int], Lines]

steps = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.text(alphabet="ab\n한", max_size=40).map(str.encode)), max_size=25
)


def plain(line: Line) -> tuple[str, str, bytes]:
    return line.stream, line.time, line.data


def written(path: Path, made: list[Step], size: int, after: Callable[[], None] = lambda: None) -> None:
    """Write the steps a second apart, with as many rotated files as it takes to lose nothing."""
    log = LogWriter(str(path), max_size=size, max_file=100)
    for number, (stream, data) in enumerate(made):
        log.write(stream, data, number * 1_000_000_000)
        after()
    log.finish()
    after()
    log.close()


def whole(path: Path) -> Lines:
    with LogReader(str(path)) as reader:
        return [plain(line) for line in reader.lines()]


def followed(path: Path, made: list[Step], size: int, tail: int) -> Lines:
    found: Lines = []
    with LogReader(str(path)) as reader:
        written(path, made, size, lambda: found.extend(plain(line) for line in reader.lines()))
    return found


def begun_in_the_middle(path: Path, made: list[Step], size: int, tail: int) -> Lines:
    """The past of a log, then what comes."""
    half = len(made) // 2
    found: Lines = []
    log = LogWriter(str(path), max_size=size, max_file=100)
    for number, (stream, data) in enumerate(made[:half]):
        log.write(stream, data, number * 1_000_000_000)
    with LogReader(str(path)) as reader:
        found += [plain(line) for line in reader.lines()]
        for number, (stream, data) in enumerate(made[half:], half):
            log.write(stream, data, number * 1_000_000_000)
        log.finish()
        found += [plain(line) for line in reader.lines()]
    log.close()
    return found


def in_two_tails(path: Path, made: list[Step], size: int, tail: int) -> Lines:
    """The last `tail` records, behind all others."""
    written(path, made, size)
    with LogReader(str(path), count=tail) as reader:
        last = [plain(line) for line in reader.lines()]
    every = whole(path)
    assert last == (every[-tail:] if tail else [])
    return every[: len(every) - len(last)] + last


@pytest.mark.parametrize("read", [followed, begun_in_the_middle, in_two_tails], ids=lambda read: read.__name__)
@given(made=steps, size=st.sampled_from([0, 100, 400]), tail=st.integers(0, 12))
def test_every_way_to_read_gives_the_same_lines(read: Read, made: list[Step], size: int, tail: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder) / "log", made, size, tail)
        assert found == whole(Path(folder) / "log")
    text = {stream: b"".join(data for number, data in made if number == stream) for stream in (1, 2)}
    for number, name in ((1, "stdout"), (2, "stderr")):
        assert b"".join(data for stream, _, data in found if stream == name) == text[number]


@pytest.mark.root
@pytest.mark.parametrize("tty", [False, True])
def test_a_client_that_follows_gets_what_one_that_comes_late_gets(engine: EngineUnderTest, tty: bool) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; echo err $i >&2; usleep 3000; done; printf half"
    ident = engine.run("sh", "-c", script, Tty=tty)
    query = {"stdout": "1", "stderr": "1", "timestamps": "1"}
    live = engine.client.open("GET", f"/containers/{ident}/logs", {**query, "follow": "1"}).read()
    engine.wait(ident)
    assert live == engine.client.open("GET", f"/containers/{ident}/logs", query).read()
    assert live.count(b"line") == live.count(b"err") == 9 and live.endswith(b"half")
    engine.client.delete(f"/containers/{ident}")
