"""Progress of pulls and pushes: bars with rate and time left on a terminal, Docker's lines elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator

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


_STOP = "<here>"
Draw = Callable[..., str]


def squeezed(text: str) -> str:
    """Without what only keeps figures below each other."""
    return " ".join(text.replace("\x1b[K", "").split())


Step = dict[str, object]


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Follow a stream on a terminal of so many rows: everything that was written there."""

    def follow(values: Iterable[Step], rows: int = 24, columns: int = 80) -> str:
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", terminal)
            patch.setattr("core.cli.terminal.size", lambda: (rows, columns))
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


def test_more_layers_than_a_screen_has_rows(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    layers: list[Step] = [{"status": "Waiting", "id": str(number)} for number in range(9)]
    at_work: Step = {"status": "Pushing", "id": "7", "progressDetail": {"current": 1, "total": 2}}
    assert screen(draw([*layers, at_work]), 40)[-1] == "8: Waiting"  # in the end they are all there
    picture = draw(at(monkeypatch, ((1.0, step) for step in [*layers, at_work])), 7).split(_STOP)[0]
    assert [line[:12] for line in screen(picture, 7)] == [
        "0: Waiting",
        "1: Waiting",
        "2: Waiting",
        "7: Pushing [",
        "... and 5 mo",
    ]
    done: Step = {"status": "Pushed", "id": "7"}
    picture = draw(at(monkeypatch, ((1.0, step) for step in [*layers, at_work, done])), 7).split(_STOP)[0]
    assert screen(picture, 7)[:2] == ["7: Pushed", "0: Waiting"]


def test_a_hostile_status_writes_nothing_but_itself(draw: Draw) -> None:
    text = draw([{"status": "\x1b[2J\x1b]0;x\x07", "id": "a\r"}, {"status": "end\x1b[1A"}])
    assert screen(text) == ["a␍: ␛[2J␛]0;x␇", "end␛[1A"]


def detail(name: str, status: str, current: int, total: int) -> Step:
    return {"status": status, "id": name, "progressDetail": {"current": current, "total": total}}


def at(monkeypatch: pytest.MonkeyPatch, steps: Iterable[tuple[float, Step]]) -> Iterator[Step]:
    """The steps, each at its moment; then the picture is to be looked at, before all lines are put in order."""
    now = [0.0]
    monkeypatch.setattr(progress.Board.__init__, "__defaults__", (None, lambda: now[0]))

    def each() -> Iterator[Step]:
        for moment, step in steps:
            now[0] = moment
            yield step
        print(_STOP, end="")

    return each()


def test_rate_and_time_left_stand_beside_the_bar(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [(0.0, 0), (2.0, 2_000_000), (4.0, 4_000_000)]
    text = draw(
        at(monkeypatch, [(moment, detail("a", "Downloading", current, 9_000_000)) for moment, current in steps])
    )
    assert "2MB/9MB 1MB/s 7s left" in squeezed(text)
    assert squeezed(screen(text)[-1]).endswith("] 4MB/9MB 1MB/s 5s left")


def test_what_all_of_it_comes_to_is_told_below(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[float, Step]] = [
        (0.0, detail("a", "Pulling fs layer", 0, 4_000_000)),
        (0.0, {"status": "Pulling fs layer", "id": "b", "progressDetail": {}, "size": 4_000_000}),
        (0.0, {"status": "Already exists", "id": "c"}),
        (0.0, detail("a", "Downloading", 0, 4_000_000)),
        (1.0, detail("a", "Downloading", 1_000_000, 4_000_000)),
        (2.0, detail("a", "Downloading", 2_000_000, 4_000_000)),
    ]
    text = draw(at(monkeypatch, steps))
    whole = screen(text.split(_STOP)[0])[-1]
    assert whole.startswith("1 of 3 done: [===") and squeezed(whole).endswith("] 2MB/8MB 1MB/s 6s left")
    assert not any("done:" in line for line in screen(text))  # it is gone in the end


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_lines_fit_whatever_the_width(draw: Draw, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    steps = [
        (float(number), detail(f"{name:0>12}", "Downloading", number * 999_999, 45_000_000))
        for number in range(9) for name in "abc"
    ]  # fmt: skip
    text = draw(at(monkeypatch, steps), columns=columns)
    lines = screen(text.split(_STOP)[0], columns=columns)
    assert len(lines) == 4  # so none was wrapped
    wanted = {
        20: "00000000000a: 17%",
        40: "00000000000a: 8MB/45MB 1MB/s 37s",
        80: "8MB/45MB 1MB/s 37s left",
        120: "8MB/45MB 1MB/s 37s left",
    }
    assert squeezed(lines[0]).endswith(wanted[columns])
    assert ("[" in lines[0]) == (columns >= 80)


def test_the_keyboards_interrupt_leaves_a_clean_line(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("core.cli.terminal.size", lambda: (24, 80))

    def steps() -> Iterable[Step]:
        yield detail("a", "Downloading", 1, 9)
        yield detail("b", "Downloading", 1, 9)
        terminal.write("^C")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        progress.follow(steps())
    lines = screen(terminal.getvalue() + "$ ")
    assert [line[:2] for line in lines] == ["a:", "b:", "$"] and "^C" not in terminal.getvalue().rpartition("^C")[2]


def test_a_meter_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress.meter("Saving", 10) as told:
        told(5)
        assert screen(terminal.getvalue())[0].startswith("Saving [")
    assert screen(terminal.getvalue()) == []
