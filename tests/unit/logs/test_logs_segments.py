"""Segments: what rotates, what is compressed, and that a kill between any two lines loses and tears nothing."""

from __future__ import annotations

import gzip
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import gzipped
from core.gzipped import Gzipped, Plain, readable
from core.logs import segments
from core.logs.jsonfile import records, seek, tail, timestamp
from core.logs.reader import LogReader, open_files
from core.logs.writer import LogWriter

NOW = 1_795_457_457_279_947_561
LIMIT = 20.0  # seconds that a child may take


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"line %d\n" % number for number in range(first, first + count)]


def seen(path: Path, **wanted: Any) -> list[bytes]:
    with LogReader(str(path)) as reader:
        return [line.data for line in reader.lines(**wanted)]


def fill(path: Path, count: int, *, first: int = 0, size: int = 400, keep: int = 100) -> None:
    log = LogWriter(str(path), max_size=size, max_file=keep)
    for number in range(first, first + count):
        log.write(1, b"line %d\n" % number, NOW + number * 10**9)
    log.close()


def plain_and_packed(data: bytes) -> tuple[Plain, Gzipped]:
    source, target = os.memfd_create("plain"), os.memfd_create("packed")
    os.write(source, data)
    gzipped.pack(source, target)
    packed = readable(target)
    assert isinstance(packed, Gzipped)
    return Plain(source), packed


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 130), st.integers(0, 130))
def test_a_packed_file_is_read_anywhere(data: bytes, times: int, offset: int, size: int) -> None:
    chunk, gzipped.CHUNK = gzipped.CHUNK, 16
    try:
        plain, packed = plain_and_packed(data * times)
        try:
            assert packed.size == plain.size == len(data) * times
            assert packed.pread(size, offset) == plain.pread(size, offset)
            with open(packed.fd, "rb", closefd=False) as file:
                file.seek(0)
                assert gzip.decompress(file.read()) == data * times  # any tool reads it
        finally:
            plain.close()
            packed.close()
    finally:
        gzipped.CHUNK = chunk


def test_a_damaged_member_is_one_line_and_the_others_are_there() -> None:
    data = b"".join(records("stdout", b"line %d\n" % n, timestamp(NOW)) for n in range(10_000))
    plain, packed = plain_and_packed(data)
    os.pwrite(packed.fd, b"damage", 2000)
    found = packed.pread(len(data), 0)
    assert len(found) == len(data) and found.startswith(b"onggi: 262144 bytes of this log are damaged ")
    assert found[gzipped.CHUNK - 1 :] == b"\n" + data[gzipped.CHUNK :]
    for each in (plain, packed):
        each.close()


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda data: data[:-1],
        lambda data: data[10:],
        lambda data: data[:-14] + b"\xff\xff" + data[-12:],
        lambda data: gzip.compress(b"of another"),
        lambda data: data[:3],
    ],
)
def test_a_file_that_is_not_ours_is_plain(spoilt: Callable[[bytes], bytes]) -> None:
    plain, packed = plain_and_packed(b"some text\n" * 100)
    with open(packed.fd, "rb") as file:
        file.seek(0)
        data = spoilt(file.read())
    fd = os.memfd_create("spoilt")
    os.write(fd, data)
    found = readable(fd)
    assert isinstance(found, Plain) and found.pread(1 << 20, 0) == data
    found.close()
    plain.close()


def test_a_burst_is_cut_into_segments_of_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogWriter(str(path), max_size=1000, max_file=1000)
    log.write(1, b"".join(lines(2000)), NOW)
    log.write(2, b"x" * 3000 + b"\n", NOW)  # more than a segment: it has one of its own
    log.close()
    sizes = [(tmp_path / f"log.{n}").stat().st_size for n in segments.numbers(str(path))]
    assert max(sizes[:-1]) <= 1000 and sizes[-1] > 3000
    assert seen(path) == [*lines(2000), b"x" * 3000 + b"\n"]


def test_segments_keep_their_numbers_and_the_oldest_go(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    fill(Path(path), 40, keep=3)
    found = segments.numbers(path)
    assert len(found) == 3 and found[0] > 1 and segments.newest(path) == found[-1]
    assert Path(path).readlink() == Path(f"log.{found[-1]}")
    fill(Path(path), 40, first=40, keep=3)
    assert segments.numbers(path)[0] > found[-1] and seen(Path(path))[-1] == b"line 79\n"


def test_compressed_segments_read_as_the_others(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill(path, 100)
    with LogReader(str(path), count=50) as early:  # it holds what is about to go
        segments.pack_all(str(path))
        assert [line.data for line in early.lines()] == lines(50, 50)
    assert {name.suffix for name in tmp_path.iterdir() if name.name != "log"} == {
        ".gz",
        f".{segments.newest(str(path))}",
    }
    assert not segments.unpacked(str(path))
    assert seen(path) == lines(100)
    for count in (0, 1, 7, 60, 100, 200):
        with LogReader(str(path), count=count) as reader:
            assert [line.data for line in reader.lines()] == lines(100)[100 - min(count, 100) :]
    since, until = timestamp(NOW + 33 * 10**9), timestamp(NOW + 71 * 10**9)
    assert seen(path, since=since, until=until) == lines(39, 33)
    files = {number: readable(fd) for number, fd in open_files(str(path), 3).items()}
    assert list(files) == segments.numbers(str(path))[-3:]
    for file in files.values():
        file.close()


def test_a_file_with_too_many_members_has_larger_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipped, "_MEMBERS", 3)
    data = os.urandom(8) * (7 * gzipped.CHUNK // 8) + b"the end"
    plain, packed = plain_and_packed(data)
    assert packed.size == len(data)
    for at in (0, gzipped.CHUNK - 5, 4 * gzipped.CHUNK - 5, len(data) - 9):
        assert packed.pread(9, at) == plain.pread(9, at)
    plain.close()
    packed.close()


def test_a_segment_too_large_to_be_worth_it_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    fill(path, 12)
    least = min((tmp_path / f"log.{number}").stat().st_size for number in segments.numbers(str(path)))
    monkeypatch.setattr(segments, "MOST", least - 1)
    segments.pack_all(str(path))
    assert not list(tmp_path.glob("*.gz"))
    assert seen(path) == lines(12)


def test_a_follower_loses_nothing_over_rotation_and_compression(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    log = LogWriter(path, max_size=300, max_file=50)
    with LogReader(path) as reader:
        found = []
        for number in range(100):
            log.write(1, b"line %d\n" % number, NOW)
            if number % 7 == 0:
                segments.pack_all(path)
            if number % 11 == 0:
                found += [line.data for line in reader.lines()]
        found += [line.data for line in reader.lines()]
    log.close()
    assert found == lines(100)


def test_tail_and_seek_find_their_place_in_a_packed_file() -> None:
    data = b"".join(records("stdout", b"line %d\n" % n, timestamp(n * 10**9)) for n in range(20_000))
    plain, packed = plain_and_packed(data)
    for count in (0, 1, 3000, 20_000, 30_000):
        assert tail(packed, count) == tail(plain, count)
    for second in (0, 1, 12_345, 19_999, 30_000):
        assert seek(packed, timestamp(second * 10**9)) == seek(plain, timestamp(second * 10**9))
    plain.close()
    packed.close()


def test_a_log_that_cannot_rotate_grows_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogWriter(str(path), max_size=400, max_file=9)
    log.write(1, b"".join(lines(3)), NOW)
    (tmp_path / "log.2").mkdir()
    log.write(1, b"".join(lines(20, 3)), NOW)
    (tmp_path / "log.2").rmdir()
    log.write(1, b"".join(lines(20, 23)), NOW)
    log.close()
    assert log.lost == 0 and seen(path) == lines(43)


def test_what_another_writer_left_torn_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill(path, 2, size=0)
    with (tmp_path / "log.1").open("ab") as file:
        file.write(b'{"log":"' + b"x" * 100_000)
    fill(path, 2, first=2, size=0)
    assert seen(path) == lines(4)


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Kill this process at the `step`-th line of our code that it comes to."""
    left = step

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        if "/core/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def in_child(work: Callable[[int], None]) -> tuple[bytes, bool]:
    """What `work` wrote into its pipe, and whether it came to its end."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.setitimer(signal.ITIMER_REAL, LIMIT)
            work(write_end)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write_end)
    with open(read_end, "rb") as file:
        said = file.read()
    return said, os.waitpid(pid, 0)[1] == 0


def test_a_writer_killed_between_any_two_lines_loses_and_tears_nothing() -> None:
    """Whatever `write` has returned for is there, once and in order, and the next writer goes on."""
    step = 0
    while True:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "log")

            def work(pipe: int, path: Path = path, step: int = step) -> None:
                log = LogWriter(str(path), max_size=180, max_file=50)
                log.write(1, b"".join(lines(2)), NOW)
                os.write(pipe, b"++")
                with killed_at(step):
                    for number in (2, 3):  # with a rotation
                        log.write(1, b"line %d\n" % number, NOW)
                        os.write(pipe, b"+")

            said, ended = in_child(work)
            written = len(said)
            found = seen(path)
            assert found in (lines(written), lines(written + 1))
            fill(path, 4, first=len(found), size=180)
            assert seen(path) == lines(len(found) + 4), f"killed at step {step}"
            assert path.read_bytes().endswith(b"\n")
            if ended:
                break
        step += 1
    assert step > 50


def test_compressing_killed_between_any_two_lines_loses_nothing() -> None:
    step = 0
    while True:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "log")
            fill(path, 8, size=300)

            def work(pipe: int, path: Path = path, step: int = step) -> None:
                with killed_at(step):
                    segments.pack_all(str(path))

            _, ended = in_child(work)
            assert seen(path) == lines(8), f"killed at step {step}"
            segments.pack_all(str(path))
            assert seen(path) == lines(8) and not list(Path(folder).glob("*.part"))
            if ended:
                break
        step += 1
    assert step > 50


def test_a_segment_that_rotation_drops_while_it_is_compressed_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "log")
    fill(Path(path), 12, size=300)
    real, dropped = gzipped.pack, segments.numbers(path)[0]

    def pack(source: int, target: int) -> None:
        segments.drop(path, dropped)
        real(source, target)

    monkeypatch.setattr("core.logs.segments.pack", pack)
    segments.pack_all(path)
    assert dropped not in segments.numbers(path) and len(segments.numbers(path)) > 1
