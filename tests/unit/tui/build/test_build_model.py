"""A build made of its events, and what is written of it."""

from __future__ import annotations

import pytest

from core.client.builds import Told
from core.model.build import Built, Failed, Finished, Output, Planned, PlannedStep, Progressed, Started
from core.model.buildrecord import BuildRecord
from tui.build.model import Build, Hint, hints_of
from tui.build.output import Section, shown
from tui.build.paint import Fold, duration, excerpt, folds, notes, step_rows
from tui.glyphs import UNICODE
from tui.logview.store import LogLine

NOW = 1000.0


def planned(*texts: str, stages: tuple[str, ...] = ()) -> Planned:
    names = stages or ("stage-0",) * len(texts)
    steps = tuple(
        PlannedStep(n, stage, n, len(texts), text, n, n)
        for n, (text, stage) in enumerate(zip(texts, names, strict=True), 1)
    )
    return Planned(steps)


def build_of(*events: tuple[float, object]) -> Build:
    build = Build("jar", "onggi build .", NOW)
    for at, event in events:
        build.take(Told(at, event), NOW)  # type: ignore[arg-type]
    return build


def rows(build: Build) -> list[str]:
    return [row.make(50).plain.rstrip() for row in step_rows(build, frozenset(), NOW, UNICODE)]


def test_a_step_goes_through_its_states() -> None:
    build = build_of((0, planned("FROM a", "RUN b", "RUN c")), (1, Finished(1, False, 0.0)), (1, Started(2)))
    assert [step.state for step in build.steps.values()] == ["done", "running", "waiting"]
    assert build.began == NOW - 1  # the engine's own beginning, not the time at which the context was sent
    assert build.spent(build.steps[2], NOW + 4) == 4
    build.take(Told(3.5, Failed(2, "The command ended", 7)), NOW + 2.5)
    build.finish(NOW + 2.5)
    assert (build.outcome, build.steps[2].seconds, build.error) == ("failed", 2.5, "The command ended")
    assert rows(build)[1].split() == ["×", "2", "RUN", "b", "2.5", "s"]


def test_cached_steps_after_one_another_are_one_row() -> None:
    cached = [(0.1, Finished(n, True, 0.0)) for n in (2, 3, 5)]
    build = build_of(
        (0, planned(*["FROM", "RUN a", "RUN b", "RUN c", "RUN d"])), (0, Finished(1, False, 0.0)), *cached
    )
    one, step, last = folds(tuple(build.steps.values()))
    assert isinstance(one, Fold)
    assert [s.id for s in one.steps] == [1, 2, 3]
    assert (step.id, last.id) == (4, 5)  # type: ignore[union-attr]
    assert rows(build)[0].split() == ["▹", "3", "cached", "steps", "1-3"]
    assert build.cached == 4


def test_a_base_that_is_pulled_is_not_called_cached() -> None:
    part = Progressed(1, "l", "Downloading", 5, 10)
    build = build_of((0, planned("FROM a")), (0, Started(1)), (1, part), (2, Finished(1, False, 2)))
    assert not build.steps[1].free
    assert build.steps[1].parts["l"].total == 10


def test_a_step_says_which_step_of_another_stage_it_waits_for() -> None:
    texts = ("FROM a AS Make", "RUN b", "FROM a", "COPY --from=make /x /", "COPY --from=0 /y /")
    build = build_of((0, planned(*texts, stages=("make", "make", "stage-1", "stage-1", "stage-1"))))
    assert build.waits_for(build.steps[4]) is build.steps[2]
    build.take(Told(1, Finished(2, False, 1)), NOW)
    assert build.waits_for(build.steps[4]) is None


def test_the_cause_that_is_told_is_one_that_somebody_can_do_something_about() -> None:
    build = build_of(
        (0, planned("FROM a", "COPY b /", "RUN c", "RUN d")),
        (1, Started(2, "COPY . changed: b, d (new), +2 more")), (2, Finished(2, False, 1)),
        (2, Started(3, "a step before it changed")), (3, Finished(3, False, 1)),
        (3, Started(4, "not in the cache any more")), (4, Failed(4, "x", 1)),
    )  # fmt: skip
    assert build.why(build.steps[3]) is build.steps[2]
    assert build.why(build.steps[4]) is build.steps[2]  # a step that failed was never in the cache
    assert build.why(None) is build.steps[2]
    text = "\n".join(line.plain for line in notes(build, build.steps[4], NOW, UNICODE, 50))
    assert "Why step 2 ran\n ~ b changed\n + d new\n   and 2 more" in text


@pytest.mark.parametrize(
    ("warning", "hint"),
    [
        ("line 3: write ENV A=b", Hint(3, "an old form; write", "ENV A=b")),
        (
            "line 4-6: A would be readable in the image: use RUN --mount=type=secret,id=a",
            Hint(4, "A would be readable in the image", "RUN --mount=type=secret,id=a"),
        ),
        ("line 9: a shell gets it: use double quotes", Hint(9, "a shell gets it: use double quotes")),
        ("[Warning] unused", Hint(0, "[Warning] unused")),
    ],
)  # fmt: skip
def test_a_hint_gives_the_line_to_write(warning: str, hint: Hint) -> None:
    assert hints_of([warning]) == (hint,)


def test_output_of_steps_is_kept_apart_and_bounded() -> None:
    build = build_of((0, planned("RUN a", "RUN b")), (0, Output(1, 1, b"one\ntw")), (0, Output(2, 2, b"err\n")))
    build.take(Told(1, Output(1, 1, b"o\n")), NOW)
    first, second = build.steps[1].lines, build.steps[2].lines
    assert [first[n].data for n in range(first.end)] == [b"one", b"two"]
    assert second[0].error
    build.take(Told(2, Output(1, 1, b"x" * 100 + b"\n" * 30_000)), NOW)
    assert len(first) <= 20_000
    section = Section(build.steps[1])
    section.measure(40, True, 0)
    assert section.layout.rows >= len(first)
    section.measure(40, False, 5)
    assert section.rows == 1 + 5 + 1


def test_a_line_that_was_written_over_is_what_it_was_in_the_end() -> None:
    assert shown(LogLine(False, None, b" 10 %\r 50 %\r100 %")).data == b"100 %"
    assert shown(LogLine(False, None, b"dos line\r")).data == b"dos line"


def test_the_dockerfiles_lines_stand_around_the_one_that_failed() -> None:
    build = build_of((0, planned("FROM a", "RUN b", "RUN c")))
    build.source = "FROM a\nRUN b\nRUN c"
    assert [line.plain for line in excerpt(build, build.steps[2], UNICODE, 1)] == [
        "  1  FROM a",
        "▸ 2  RUN b",
        "  3  RUN c",
    ]
    build.source = "FROM a"  # another file than the one that was built
    assert excerpt(build, build.steps[3], UNICODE) == []


def test_a_record_says_how_it_ended() -> None:
    build = build_of((0, planned("FROM a", "RUN b")), (1, Started(2)))
    build.recall(BuildRecord("1", 900.0, outcome="running", source="FROM a"))
    assert build.live and build.source == "FROM a"
    build.recall(BuildRecord("1", 900.0, outcome="lost", seconds=5.0, error="the engine ended"))
    assert (build.outcome, build.error, build.seconds) == ("lost", "the engine ended", 5.0)
    assert build.steps[2].state == "cancelled"
    assert "× the engine ended" in "\n".join(line.plain for line in notes(build, None, NOW, UNICODE, 60))


def test_built_is_the_last_word() -> None:
    build = build_of((0, planned("FROM a")), (1, Built("sha256:" + "ab" * 32, ("jar:1",), 1.0)))
    build.finish(NOW)
    assert (build.outcome, build.names) == ("done", ("jar:1",))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (14.2, "14 s"), (74, "1 min 14 s"), (3700, "1 h 1 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
