"""Progress of pulls and pushes: bars with rate and time left on a terminal, Docker's lines elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pyte
import pytest

from core.cli import progress

PULL = [
    {"status": "Pulling from library/x", "id": "latest"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "a"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "b"},
    {"status": "Waiting", "progressDetail": {}, "id": "b"},
    {"status": "Downloading", "progressDetail": {"current": 500, "total": 1000}, "id": "a"},
    {"status": "Downloading", "progressDetail": {"current": 1000, "total": 1000}, "id": "a"},
    {"status": "Download complete", "progressDetail": {}, "id": "a"},
    {"status": "Extracting", "progressDetail": {"current": 1, "total": 1000}, "id": "a"},
    {"status": "Pull complete", "progressDetail": {}, "id": "a"},
    {"status": "Already exists", "progressDetail": {}, "id": "b"},
    {"status": "Digest: sha256:00"},
    {"status": "Status: Downloaded newer image for x:latest"},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(text: str, rows: int = 24, columns: int = 80) -> list[str]:
    """What a terminal shows of `text`."""
    shown = pyte.Screen(columns, rows)
    pyte.Stream(shown).feed(text.replace("\n", "\r\n"))
    return [line.rstrip() for line in shown.display if line.strip()]


Draw = Callable[..., str]


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Follow a stream on a terminal of so many rows: everything that was written there."""

    def follow(values: Iterable[dict[str, object]], rows: int = 24) -> str:
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", terminal)
            patch.setattr("core.cli.terminal.size", lambda: (rows, 80))
            progress.follow(values, plain=True)
        return terminal.getvalue()

    return follow


def test_in_a_pipe_each_step_is_a_line_and_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    progress.follow(PULL, plain=True)
    assert capsys.readouterr().out.splitlines() == [
        "latest: Pulling from library/x",
        "a: Pulling fs layer",
        "b: Pulling fs layer",
        "b: Waiting",
        "a: Download complete",
        "a: Pull complete",
        "b: Already exists",
        "Digest: sha256:00",
        "Status: Downloaded newer image for x:latest",
    ]


def test_the_lines_of_a_run_go_beside_the_output_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    progress.follow(PULL, plain=True, to_stderr=True)
    done = capsys.readouterr()
    assert done.out == "" and done.err.startswith("latest: Pulling from library/x\n")


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    progress.follow(PULL, quiet=True, plain=True)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_every_layer_has_one_line(draw: Draw) -> None:
    assert screen(draw(PULL)) == [
        "latest: Pulling from library/x",
        "a: Pull complete",
        "b: Already exists",
        "Digest: sha256:00",
        "Status: Downloaded newer image for x:latest",
    ]


def test_the_next_image_of_a_push_has_lines_of_its_own(draw: Draw) -> None:
    one = [{"status": "Pushed", "id": "a"}, {"status": "1: digest: sha256:00 size: 2"}]
    assert screen(draw([*one, {"status": "Layer already exists", "id": "a"}, {"status": "end"}])) == [
        "a: Pushed", "1: digest: sha256:00 size: 2", "a: Layer already exists", "end",
    ]  # fmt: skip


def test_more_layers_than_a_screen_has_rows(draw: Draw) -> None:
    layers = [{"status": "Waiting", "id": str(number)} for number in range(9)]
    text = draw([*layers, {"status": "late", "id": "0"}, {"status": "seen", "id": "8"}, {"status": "end"}], 5)
    assert screen(text, rows=5) == ["6: Waiting", "7: Waiting", "8: seen", "end"]


def test_a_hostile_status_writes_nothing_but_itself(draw: Draw) -> None:
    text = draw([{"status": "\x1b[2J\x1b]0;x\x07", "id": "a\r"}, {"status": "end\x1b[1A"}])
    assert screen(text) == ["a␍: ␛[2J␛]0;x␇", "end␛[1A"]


def test_a_rate_is_that_of_the_last_seconds() -> None:
    now = [0.0]
    rates = progress.Rates(lambda: now[0])
    told = []
    for moment, current in ((0.0, 0), (0.2, 100), (1.0, 1000), (10.0, 1000), (12.0, 5000), (16.0, 5000)):
        now[0] = moment
        told.append(rates.of("a", "Downloading", current))
    assert told[:3] == [0.0, 0.0, 1000.0]
    assert told[4] == pytest.approx(4000 / 11)  # the last that is older than the window, and all since
    assert told[5] == pytest.approx(4000 / 6)
    assert rates.of("a", "Extracting", 10) == 0.0  # another step is another rate
    now[0] = 17.0
    assert rates.of("a", "Downloading", 10) == 0.0  # begun again


def test_rate_and_time_left_stand_beside_the_bar(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 2.0, 4.0])
    monkeypatch.setattr(progress.Rates.__init__, "__defaults__", (lambda: next(moments),))
    steps = [(1, 9_000_000), (2_000_001, 9_000_000), (4_000_001, 4_000_001)]
    texts = draw(
        {"status": "Downloading", "id": "a", "progressDetail": {"current": current, "total": total}}
        for current, total in steps
    )
    assert "2MB/9MB  1MB/s  7s" in texts
    assert screen(texts)[-1].endswith("4MB/4MB  1MB/s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1s"), (59.4, "59s"), (60, "1m00s"), (125, "2m05s"), (3725, "1h02m"), (1e6, "277h46m")],
)
def test_time_left(seconds: float, text: str) -> None:
    assert progress.time_left(seconds) == text
