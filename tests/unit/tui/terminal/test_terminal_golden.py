"""Recorded sessions of real programs: each screen as it was when tmux agreed with it."""

import pytest

from tests.support import terminal_programs as programs
from tests.support import terminal_recording as recordings
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

GOLDEN = sorted(path.name.removesuffix(".json.gz") for path in programs.GOLDEN.glob("*.json.gz"))
TAGS = [tag for name in programs.PROGRAMS for tag, *_ in programs.variants(name)]


def test_nothing_is_missing() -> None:
    assert sorted(TAGS) == GOLDEN


@pytest.mark.parametrize("tag", GOLDEN)
def test_each_screen_of_a_recorded_session(tag: str) -> None:
    recording, pictures = recordings.load(programs.GOLDEN / f"{tag}.json.gz")
    for number, (now, then) in enumerate(zip(recordings.ours(recording), pictures, strict=True)):
        assert now == then, f"rest {number}"


@pytest.mark.parametrize("tag", ["vim-80x24", "mc-ascii", "less-120x40", "tmux-80x24"])
def test_the_size_of_reads_is_of_no_matter(tag: str) -> None:
    recording, pictures = recordings.load(programs.GOLDEN / f"{tag}.json.gz")
    screen = FastScreen(recording.columns, recording.lines)
    stream = FastStream(screen, strict=True)
    for at in range(0, len(recording.data), 7):
        stream.feed(recording.data[at : at + 7])
    assert recordings.picture(screen) == pictures[-1]
