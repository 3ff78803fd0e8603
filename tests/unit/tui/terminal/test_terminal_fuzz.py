"""Nothing that a program can write ends the emulator or breaks its own rules."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from tui.terminal.paint import Painter
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

NUMBER = st.sampled_from(["", "0", "1", "2", "3", "5", "9", "40", "999", "99999999999999999999"])
PARAMS = st.lists(NUMBER, max_size=5).map(";".join)
CSI = st.builds(
    lambda prefix, params, between, final: f"\x1b[{prefix}{params}{between}{final}".encode(),
    st.sampled_from(["", "", "", "?", ">", "<", "="]),
    st.one_of(
        PARAMS,
        st.sampled_from(
            [
                "1049",
                "47",
                "6",
                "7",
                "69",
                "45",
                "3;9",
                "2;2;4;4;1;1;3",
                "42;1;1;3;3",
                "1000",
                "2004;2026",
                "4",
                "20",
                "38;5",
                "38:2:1",
                "::",
            ]
        ),
    ),
    st.sampled_from(["", "", "", "", "$", "!", '"', " ", "$$", "'", "*"]),
    st.characters(min_codepoint=0x40, max_codepoint=0x7E),
)
PIECE = st.one_of(
    st.binary(max_size=30),
    st.text(st.sampled_from("ab 옹기e\u0301\u200d👩\ufe0f\t"), max_size=30).map(str.encode),
    CSI,
    CSI,
    st.builds(lambda c: b"\x1b" + bytes([c]), st.integers(0x20, 0x7E)),
    st.sampled_from(
        [
            b"\r\n",
            b"\n",
            b"\x1b]0;",
            b"\x1b]52;c;aGk=\x07",
            b"\x1bP$qm\x1b\\",
            b"\x1b[",
            b"\x1b[?69h\x1b[3;9s",
            b"\x1b]4;1;#123\x07",
            b"\x18",
        ]
    ),
)


def check(screen: FastScreen) -> None:
    assert len(screen.rows) == screen.lines
    assert 0 <= screen.cursor.x <= screen.columns and 0 <= screen.cursor.y < screen.lines
    for row in screen.rows:
        assert len(row.chars) == len(row.attrs) == screen.columns
        assert row.chars[0] != "" or screen.columns == 1
    painter = Painter(Style())
    for row in screen.rows:
        strip = painter.row(row, screen.columns)
        assert sum(segment.cell_length for segment in strip) == strip.cell_length == screen.columns
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in strip.text)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECE, max_size=40), st.integers(1, 12), st.integers(1, 6), st.data())
def test_any_output(pieces: list[bytes], columns: int, lines: int, data: st.DataObject) -> None:
    screen = FastScreen(columns, lines, history=50)
    stream = FastStream(screen, strict=True)
    for number, piece in enumerate(pieces):
        stream.feed(piece)
        check(screen)
        if number % 10 == 9:
            screen.resize(data.draw(st.integers(1, 8)), data.draw(st.integers(1, 14)))
            check(screen)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECE, max_size=30))
def test_cutting_the_output_elsewhere_changes_nothing(pieces: list[bytes]) -> None:
    whole, single = FastScreen(12, 5), FastScreen(12, 5)
    FastStream(whole, strict=True).feed(b"".join(pieces))
    stream = FastStream(single, strict=True)
    for byte in b"".join(pieces):
        stream.feed(bytes([byte]))
    assert single.display == whole.display
    assert (single.cursor.x, single.cursor.y) == (whole.cursor.x, whole.cursor.y)


def test_a_handler_that_fails_does_not_end_the_stream() -> None:
    screen = FastScreen(10, 2)
    stream = FastStream(screen)

    def broken(*_: int) -> None:
        raise RuntimeError

    stream._sequences["z"] = broken
    stream.feed(b"a\x1b[zb\x1b[\bzc")
    assert screen.display[0].strip() == "ac" and stream.errors == 2


def test_time_bounds_a_feed() -> None:
    screen = FastScreen(80, 24)
    stream = FastStream(screen)
    done = stream.feed(b"\x1b[Hx" * 50_000, 0.0)
    assert not done
    while not stream.feed(b"", 0.0):
        pass
    assert screen.display[0].startswith("x ")
