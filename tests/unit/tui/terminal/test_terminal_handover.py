"""A screen shown on another terminal, and taken back from it. The other terminal is our own emulator."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.terminal_recording import picture
from tui.terminal import handover
from tui.terminal.grid import DECAWM, DECOM, DECTCEM
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

COLUMNS, LINES = 20, 6
PIECES = (
    "plain text", "항아리 漢字", "e\u0301x", "\r\n", "\n", "\x1b[1;31mred", "\x1b[38:2::1:2:3mtrue",
    "\x1b[4:3;58:5:9mcurly", "\x1b[0m", "\x1b[3;4H", "\x1b[2;5r", "\x1b[r", "\x1b[?6h", "\x1b[?1049h",
    "\x1b[?1049l", "\x1b7", "\x1b8", "\x1b[?1h", "\x1b=", "\x1b[?1000h\x1b[?1006h", "\x1b[?2004h",
    "\x1b[?1004h", "\x1b[4h", "\x1b[4l", "\x1b[?7l", "\x1b[?25l", "\x1b(0qx", "\x1b(B", "\x0e", "\x1b[3 q",
    "\x1b[>5u", "\x1b[>4;2m", "\x1b]4;3;#102030\x07", "\x1b]11;#000080\x07", "\x1b]2;name\x07",
    "\x1b[?69h\x1b[3;12s", "\x1b[?69l", "\x1b[?5h", "\x1b[20h", "\x1b[3g", "\x1b[1;6H\x1bH",
    "\x1b]8;;http://a/\x07link\x1b]8;;\x07", "wraps at the end of its row and goes on", "\x1b[44m\x1b[2J",
    "x" * COLUMNS,
)  # fmt: skip


def fed(*pieces: str) -> FastScreen:
    screen = FastScreen(COLUMNS, LINES)
    FastStream(screen, strict=True).feed("".join(pieces).encode())
    return screen


def state(screen: FastScreen) -> dict[str, object]:
    """Everything that a program could tell apart."""
    cursor = screen.cursor
    return {
        "rows": picture(screen), "cursor": (cursor.x, cursor.y, cursor.attrs.key), "mode": screen.mode,
        "alternate": screen.alternate, "margins": (screen.margins, screen.sides), "graphics": screen.graphics,
        "shift": screen.shift, "tabs": screen.tabstops, "shape": screen.cursor_shape, "kitty": screen.kitty,
        "modify": screen.modify_other_keys, "colours": screen.palette.spelled(), "title": screen.title,
    }  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_the_other_terminal_goes_on_as_this_one_would(pieces: list[str]) -> None:
    ours = fed(*pieces)
    top, bottom = ours.region
    within = top <= ours.cursor.y <= bottom and ours.between_sides
    assume(DECOM not in ours.mode or within)  # in origin mode nothing leads out of the margins
    theirs = fed("what was there", handover.showing(ours))
    assert state(theirs) == state(ours)
    for screen in (ours, theirs):  # the other buffer, too, and where the cursor returns to
        FastStream(screen, strict=True).feed(b"\x1b[?1049l")
    assert picture(theirs) == picture(ours)


@given(
    st.lists(st.sampled_from(PIECES), max_size=25),
    st.sampled_from(["", "\x1b[12", "\x1b]0;cut", "\x1bP1$", "\x1b"]),
)
def test_nothing_of_a_program_is_left(pieces: list[str], cut: str) -> None:
    screen = fed(*pieces)
    stream = FastStream(screen, strict=True)
    stream.feed(cut.encode())
    known = fed(*pieces)
    stream.feed(handover.undoing(known).encode())
    assert screen.mode == {DECAWM, DECTCEM}
    assert (screen.alternate, screen.margins, screen.sides, screen.shift) == (False, None, None, 0)
    assert (screen.graphics, screen.kitty, screen.modify_other_keys) == ([False] * 4, [], 0)
    assert (screen.cursor_shape, screen.cursor.attrs.key, screen.palette.changed) == (0, (-1, -1, 0, -1, ""), False)
    stream.feed(b"\rclean")
    assert screen.display[LINES - 1].startswith("clean")


@pytest.mark.parametrize("title", ["", "mine"])
def test_a_hint_is_the_title_of_a_program_that_has_none(title: str) -> None:
    screen = fed(f"\x1b]2;{title}\x07")
    assert fed(handover.showing(screen, "a hint")).title == (title or "a hint")
