"""The json-file format, both ends."""

from __future__ import annotations

import json
import resource
import signal
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.gzipped import Plain
from core.logs.jsonfile import RECORD_LIMIT, Line, escape, parse, read, records, seek, tail, timestamp
from core.logs.reader import LogReader
from core.logs.writer import LogWriter

NOW = 1_795_457_457_279_947_561


def entries(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def whole(path: Path, stream: str = "stdout") -> str:
    return "".join(entry["log"] for entry in entries(path) if entry["stream"] == stream)


def test_a_line_is_docker_s_byte_for_byte(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    log.write(1, b"out\n", NOW)
    log.close()
    assert (tmp_path / "log").read_bytes() == (
        b'{"log":"out\\n","stream":"stdout","time":"2026-11-23T18:10:57.279947561Z"}\n'
    )


def test_timestamp_has_nine_digits() -> None:
    assert timestamp(5) == "1970-01-01T00:00:00.000000005Z"


@given(st.binary(max_size=300))
def test_escaped_bytes_are_the_inside_of_a_json_string(data: bytes) -> None:
    assert json.loads(b'"' + escape(data).replace(b"\n", b"\\n") + b'"') == data.decode("utf-8", "replace")


@given(st.text(alphabet='ab\\n"\n\r\t\x1b\x00\x07한', max_size=80).map(str.encode))
def test_each_newline_ends_one_record(data: bytes) -> None:
    made = records("stderr", escape(data), "T").splitlines()
    texts = [json.loads(line) for line in made]
    assert "".join(entry["log"] for entry in texts) == data.decode()
    assert all("\n" not in entry["log"][:-1] for entry in texts)
    assert {entry["stream"] for entry in texts} == {"stderr"}


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_the_log_does_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    data = b"".join(chunks).replace(b"\x80", b"\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        log = LogWriter(str(path))
        for start in range(0, len(data), 7):
            log.write(1, data[start : start + 7], NOW)
        log.close()
        assert [entry["log"] for entry in entries(path)] == [
            line.decode("utf-8", "replace") for line in _lines(data)
        ]


def _lines(data: bytes) -> list[bytes]:
    pieces = [piece + b"\n" for piece in data.split(b"\n")]
    pieces[-1] = pieces[-1][:-1]
    return [piece for piece in pieces if piece]


def test_a_line_over_16_kib_becomes_partial_records(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    log.write(1, b"x" * (2 * RECORD_LIMIT + 5) + b"\nshort\n", NOW)
    log.close()
    found = [entry["log"] for entry in entries(tmp_path / "log")]
    assert [len(text) for text in found] == [RECORD_LIMIT, RECORD_LIMIT, 6, 6]
    assert [text.endswith("\n") for text in found] == [False, False, True, True]


def test_a_split_never_cuts_a_character(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    text = "한" * RECORD_LIMIT
    log.write(1, text.encode(), NOW)
    log.close()
    assert whole(tmp_path / "log") == text


def test_a_rest_without_newline_waits_for_the_end(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    log.write(1, b"prompt", NOW)
    assert (tmp_path / "log").read_bytes() == b""
    log.write(2, b"other stream\n", NOW)
    log.finish()
    assert [entry["log"] for entry in entries(tmp_path / "log")] == ["other stream\n", "prompt"]
    log.close()


def test_rotation_keeps_so_many_files(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"), max_size=400, max_file=3)
    for number in range(40):
        log.write(1, b"line %d\n" % number, NOW)
    log.close()
    last = int((tmp_path / "log").readlink().name.removeprefix("log."))
    assert last > 3 and names(tmp_path) == ["log", *(f"log.{last - ago}" for ago in (2, 1, 0))]
    assert all((tmp_path / name).stat().st_size <= 400 for name in names(tmp_path))
    with LogReader(str(tmp_path / "log")) as reader:
        assert [line.data for line in reader.lines()][-1] == b"line 39\n"


def test_rotation_with_one_file_starts_it_anew(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"), max_size=200, max_file=1)
    with LogReader(str(tmp_path / "log")) as reader:
        for number in range(9):
            log.write(1, b"line %d\n" % number, NOW)
            assert [line.data for line in reader.lines()] == [b"line %d\n" % number]
    log.close()
    assert len(names(tmp_path)) == 2


def test_a_full_disk_costs_lines_and_leaves_none_torn(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"))
    log.write(1, b"first\n", NOW)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = (tmp_path / "log").stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        log.write(1, b"lost\n", NOW)
        again = LogWriter(str(tmp_path / "log"))  # a quiet container's writer is left, and another one goes on
        again.resume(log.pending, log.lost, log.reason)
        log = again
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    log.write(1, b"third\n", NOW)
    log.close()
    assert log.lost == 0
    told = "onggi: 1 line of this log could not be written: file too large\n"
    assert [entry["log"] for entry in entries(tmp_path / "log")] == ["first\n", told, "third\n"]


def test_a_log_that_cannot_be_opened_is_no_error(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "no" / "log"))
    log.write(1, b"a\n")
    log.close()
    assert log.lost == 1


def write_lines(path: Path, count: int) -> None:
    log = LogWriter(str(path))
    for number in range(count):
        log.write(1 + number % 2, b"line %d\n" % number, NOW + number * 1_000_000_000)
    log.close()


def test_tail_finds_the_last_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_lines(path, 3000)
    with path.open("rb") as opened:
        file = Plain(opened.fileno())
        for count in (0, 1, 2, 1000, 3000, 5000):
            offset, found = tail(file, count)
            assert found == min(count, 3000)
            lines = list(read(file, offset))
            assert [line.data for line in lines] == [b"line %d\n" % n for n in range(max(0, 3000 - count), 3000)]


def test_read_filters_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_lines(path, 20)
    with path.open("rb") as opened:
        since, until = timestamp(NOW + 4_000_000_000), timestamp(NOW + 8_000_000_000)
        lines = list(read(Plain(opened.fileno()), since=since, until=until, streams=("stdout",)))
    assert [line.data for line in lines] == [b"line 4\n", b"line 6\n", b"line 8\n"]


def test_a_torn_last_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_lines(path, 2)
    good = path.read_bytes()
    path.write_bytes(good + b"garbage\n" + b'{"log":"later\\n","str')
    with LogReader(str(path)) as reader:
        assert [line.data for line in reader.lines()] == [b"line 0\n", b"line 1\n"]
        with path.open("ab") as file:
            file.write(b'eam":"stdout","time":"2027"}\n')
        assert [line.data for line in reader.lines()] == [b"later\n"]
        assert list(reader.lines()) == []


def test_a_follower_misses_nothing_over_rotations(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    log = LogWriter(path, max_size=300, max_file=4)
    with LogReader(path) as reader:
        seen = []
        for number in range(100):
            log.write(1, b"line %d\n" % number, NOW)
            if number % 5 == 0:
                seen += [line.data for line in reader.lines()]
        seen += [line.data for line in reader.lines()]
    log.close()
    assert seen == [b"line %d\n" % number for number in range(100)]


def test_the_last_lines_may_lie_in_rotated_files(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    log = LogWriter(path, max_size=300, max_file=4)
    for number in range(9):
        log.write(1, b"line %d\n" % number, NOW)
    log.close()
    with LogReader(path, count=6) as reader:
        assert [line.data for line in reader.lines()] == [b"line %d\n" % number for number in range(3, 9)]


def test_opening_reads_nothing_so_that_it_cannot_be_interrupted(tmp_path: Path) -> None:
    write_lines(tmp_path / "log", 3)
    with LogReader(str(tmp_path / "log"), count=1) as reader:
        write_lines(tmp_path / "log", 5)
        assert len(list(reader.lines())) == 1
        assert list(reader.lines()) == []


def test_no_log_is_an_empty_log_until_there_is_one(tmp_path: Path) -> None:
    with LogReader(str(tmp_path / "log"), count=5) as reader:
        assert list(reader.lines()) == []
        write_lines(tmp_path / "log", 1)
        assert [line.data for line in reader.lines()] == [b"line 0\n"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3000)), max_size=120), st.integers(0, 200))
def test_seek_lands_before_all_that_is_wanted_and_near_it(steps: list[tuple[int, int]], wanted: int) -> None:
    with tempfile.TemporaryFile() as opened:
        now, made = 0, []
        for step, length in steps:
            now += step
            made.append((now, records("stdout", b"x" * length + b"\n", timestamp(now * 10**9))))
        opened.write(b"".join(data for _, data in made))
        opened.flush()
        file, since = Plain(opened.fileno()), timestamp(wanted * 10**9)
        offset = seek(file, since)
        whole = list(read(file, 0, since=since))
        assert list(read(file, offset, since=since)) == whole
        older = sum(len(data) for at, data in made if at < wanted)
        assert offset <= older and older - offset <= 2 * 64 * 1024


@given(st.text(), st.sampled_from(["stdout", "stderr"]), st.integers(0, 2**60))
def test_the_quick_way_reads_what_json_reads(text: str, stream: str, now: int) -> None:
    data = text.encode("utf-8", "replace")
    for raw in records(stream, escape(data), timestamp(now)).splitlines():
        record = json.loads(raw)
        assert parse(raw, 0) == Line(record["stream"], record["time"], record["log"].encode(), 0)


@given(st.lists(st.text(alphabet='ab\\n"\n\r\t\x1b\x00한', max_size=20).map(str.encode), max_size=8), st.booleans())
def test_a_block_reads_as_its_records(texts: list[bytes], torn: bool) -> None:
    raw = b"".join(records("stdout", escape(text), timestamp(NOW)) for text in texts)
    with tempfile.TemporaryFile() as opened:
        opened.write(raw + (b'{"log":"half' if torn else b""))
        opened.flush()
        found = list(read(Plain(opened.fileno())))
    assert [line.data.decode() for line in found] == [json.loads(line)["log"] for line in raw.splitlines()]
    assert [line.end for line in found] == [at + 1 for at, byte in enumerate(raw) if byte == 10]


def test_damaged_records_are_not_taken_for_whole_ones() -> None:
    good = records("stdout", b"b\n", timestamp(0))[:-1]
    assert parse(b'{"log":"a' + good, 0) is None
    assert parse(good[1:], 0) is None and parse(good[:-1], 0) is None
    assert parse(good.replace(b"stdout", b"stdbad"), 0) == Line("stdbad", timestamp(0), b"b\n", 0)


def test_since_opens_a_long_log_near_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    made = [records("stdout", b"line\n", timestamp(second * 10**9)) for second in range(20_000)]
    (tmp_path / "log.1").write_bytes(b"".join(made))
    with LogReader(str(path)) as reader:
        found = reader.lines(since=timestamp(19_990 * 10**9))
        assert next(found).time == timestamp(19_990 * 10**9)
        assert reader._segments[0].offset > len(b"".join(made[:18_000]))
        assert len(list(found)) == 9
