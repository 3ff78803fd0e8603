from __future__ import annotations

import io
import threading

import pytest

from tui.glyphs import UNICODE
from tui.jobs.model import Board, Job, Watch
from tui.jobs.paint import job_figures, of, outcome, rows

NOW = 1000.0
MEGA = 1 << 20


def line(name: str, status: str, current: int = 0, total: int = 0) -> dict[str, object]:
    detail = {"current": current, "total": total} if total else {}
    return {"id": name, "status": status, "progressDetail": detail}


def pulled(*lines: dict[str, object], after: float = 1.0) -> Job:
    job = Job("pull a", "onggi pull a", NOW)
    for one in lines:
        job.heard(one, NOW + after)
    return job


def test_parts_add_up_and_what_is_here_already_does_not_count() -> None:
    job = pulled(
        line("a", "Already exists"),
        line("b", "Pulling fs layer"),
        line("b", "Downloading", 10, 40),
        line("c", "Downloading", 60, 60),
        line("c", "Download complete"),
    )
    assert (job.current, job.total, job.percent) == (70, 100, 70)
    assert [part.over for part in job.parts.values()] == [True, False, False]


def test_unpacking_neither_takes_back_what_came_nor_changes_its_size() -> None:
    job = pulled(line("b", "Downloading", 40, 40), line("b", "Extracting", 3, 900))
    assert (job.current, job.total) == (40, 40)


def test_what_has_not_begun_counts_with_its_size() -> None:
    job = pulled(line("a", "Waiting") | {"size": 60}, line("b", "Downloading", 10, 40))
    assert (job.current, job.total) == (10, 100)


def test_a_heading_is_no_part() -> None:
    job = pulled({"id": "1.27", "status": "Pulling from library/nginx"}, line("b", "Downloading", 1, 4))
    assert list(job.parts) == ["b"]


def test_the_end_of_a_stream_is_what_it_came_to() -> None:
    job = pulled({"status": "Digest: sha256:12"}, {"status": "Status: Image is up to date"})
    assert job.note == "Status: Image is up to date"
    assert job.parts == {}


def test_a_registry_cannot_fill_the_memory_with_parts() -> None:
    job = pulled(*(line(str(n), "Waiting") for n in range(5000)))
    assert len(job.parts) == 200


def test_rate_and_time_left_come_from_the_last_seconds() -> None:
    job = Job("load x", "", NOW)
    for second in range(20):
        job.moved(second * MEGA, 100 * MEGA, NOW + second)
    assert job.rate(NOW + 19) == pytest.approx(MEGA, rel=0.2)
    assert job.left(NOW + 19) == pytest.approx(81, rel=0.2)
    job.forget_rate()
    job.moved(19 * MEGA, 0, NOW + 60)
    assert job_figures(job, NOW + 60).plain.startswith("19 of 100 M")


@pytest.mark.parametrize(
    ("current", "total", "text"),
    [(81 * MEGA, 114 * MEGA, "81 of 114 M"), (900 << 10, 4 * MEGA, "900 K of 4 M"), (5 * MEGA, 0, "5 M")],
)
def test_bytes_of_bytes(current: int, total: int, text: str) -> None:
    assert of(current, total) == text


def test_what_goes_on_stands_before_what_is_over_and_the_newest_first() -> None:
    board = Board(lambda: None)
    for name in ("a", "b", "c", "d"):
        board.add(Job(name, name, NOW))
    board.end(board.jobs[3], "done", "said", NOW + 1)
    board.end(board.jobs[1], "paused", "", NOW + 1)
    board.jobs[0].heard(line("part", "Downloading", 1, 2), NOW)
    assert [row.id for row in rows(board.jobs, NOW, UNICODE)] == ["3", "2", "1", "1 part", "4"]
    assert [job.title for job in board.live] == ["a", "b", "c"]
    board.clear()
    assert [job.title for job in board.jobs] == ["a", "b", "c"]


@pytest.mark.parametrize("width", [44, 72, 200])
def test_rows_fit_every_width(width: int) -> None:
    job = pulled(line("a" * 90, "Downloading", 1, 2), line("\x1b[2J", "W\x07aiting"))
    job.title = "pull \x1b]52;c;x\x07" + "a" * 300
    for row in rows([job], NOW + 2, UNICODE):
        painted = row.make(width)
        assert painted.cell_length <= width
        assert not [c for c in painted.plain if ord(c) < 32]


def test_an_outcome_says_how_long_or_that_it_rests() -> None:
    job = Job("load x", "", NOW)
    job.moved(0, 10 * MEGA, NOW)
    job.moved(5 * MEGA, 10 * MEGA, NOW + 5)
    assert outcome(job, NOW + 5, "J").plain == "running, 5 s left"
    job.state = "paused"
    assert outcome(job, NOW + 5, "ctrl-j").plain == "paused, ctrl-j shows it"
    assert outcome(job, NOW + 5, "").plain == "paused"


def test_rate_and_time_left_stay_where_there_is_little_room() -> None:
    job = Job("push x", "", NOW)
    for second in range(6):
        job.moved(second * 10 * MEGA, 300 * MEGA, NOW + second)
    (row,) = rows([job], NOW + 5, UNICODE)
    told = {width: row.make(width).plain.split("%")[-1].strip() for width in (44, 58, 90)}
    assert told == {90: "50 of 300 M · 10 MB/s · 25 s", 58: "10 MB/s · 25 s", 44: "25 s"}


def test_a_load_counts_what_it_reads_and_then_unpacks() -> None:
    job = pulled(line("a", "Loading layer", 0, 0) | {"progressDetail": {"current": 0, "total": 40}})
    assert (job.current, job.total) == (0, 40)
    job.heard(line("a", "Loading layer", 10, 40), NOW + 1)
    assert (job.current, job.total) == (10, 40)
    job.heard(line("a", "Unpacking layer", 3, 90), NOW + 2)
    assert (job.current, job.total) == (40, 40)
    assert job_figures(job, NOW + 2).plain == "40 B there, unpacking"
    assert "40 B, unpacking" in rows([job], NOW + 2, UNICODE)[1].make(90).plain


def test_a_push_at_its_end_is_not_unpacked() -> None:
    job = pulled(line("a", "Pushing", 40, 40), line("b", "Preparing", 0, 60))
    assert rows([job], NOW + 2, UNICODE)[2].make(90).plain.rstrip().endswith("60 B waits")
    job.heard(line("b", "Pushed"), NOW + 2)
    assert job_figures(job, NOW + 2).plain == "100 B done, finishing"


def test_a_paused_job_holds_the_thread_that_reads_its_file() -> None:
    job = Job("load x", "", NOW)
    file = Watch(job, lambda: NOW, lambda: None).gated(io.BytesIO(b"data"))
    assert file.seekable()
    job.gate.clear()
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(file.read(2)))
    thread.start()
    thread.join(0.05)
    assert got == []
    job.gate.set()
    thread.join(5)
    assert got == [b"da"]
