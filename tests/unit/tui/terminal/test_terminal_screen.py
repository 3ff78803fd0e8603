"""What sequences do, as xterm does it (ctlseqs; ECMA-48; DEC STD 070)."""

from collections.abc import Callable

import pytest

from tui.terminal import attrs
from tui.terminal.screen import FastScreen

Fed = Callable[..., FastScreen]


def shown(screen: FastScreen) -> list[str]:
    return [row.rstrip() for row in screen.display]


@pytest.mark.parametrize(
    ("data", "rows", "at"),
    [
        (b"hello", ["hello", "", "", ""], (5, 0)),
        (b"a\r\nb\nc", ["a", "b", " c", ""], (2, 2)),
        (b"1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"], (1, 3)),
        (b"abcdefghij", ["abcdefghij", "", "", ""], (10, 0)),
        (b"abcdefghijk", ["abcdefghij", "k", "", ""], (1, 1)),
        (b"abcdefghij\r\nk", ["abcdefghij", "k", "", ""], (1, 1)),
        (b"abcdefghij\x1b[Dx", ["abcdefghxj", "", "", ""], (9, 0)),
        (b"\x1b[?7labcdefghijkl", ["abcdefghil", "", "", ""], (10, 0)),
        (b"ab\bX\tY", ["aX      Y", "", "", ""], (9, 0)),
        (b"\x1b[3;4Hx", ["", "", "   x", ""], (4, 2)),
        (b"\x1b[0000000003;0000000004Hx", ["", "", "   x", ""], (4, 2)),
        (b"\x1b[4;9H\x1b[3j\x1b[2kx", ["", "     x", "", ""], (6, 1)),
        (b"\x1b[99;99Hx\x1b[Hy", ["y", "", "", "         x"], (1, 0)),
        (b"ab\x1b[2Jc", ["  c", "", "", ""], (3, 0)),
        (b"abc\x1b[2D\x1b[K", ["a", "", "", ""], (1, 0)),
        (b"abc\x1b[2D\x1b[1K", ["  c", "", "", ""], (1, 0)),
        (b"abc\x1b[1G\x1b[2@x", ["x abc", "", "", ""], (1, 0)),
        (b"abcd\x1b[2G\x1b[2P", ["ad", "", "", ""], (1, 0)),
        (b"abcd\x1b[2G\x1b[2X", ["a  d", "", "", ""], (1, 0)),
        (b"1\r\n2\r\n3\x1b[2H\x1b[L", ["1", "", "2", "3"], (0, 1)),
        (b"1\r\n2\r\n3\x1b[2H\x1b[M", ["1", "3", "", ""], (0, 1)),
        (b"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3H\n", ["1", "3", "", "4"], (0, 2)),
        (b"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2H\x1bM", ["1", "", "2", "4"], (0, 1)),
        (b"\x1b[2;3r\x1b[4;2H\x1b[9B", ["", "", "", ""], (1, 3)),
        (b"\x1b[2;3r\x1b[1;2H\x1b[A", ["", "", "", ""], (1, 0)),
        (b"1\r\n2\x1b[S", ["2", "", "", ""], (1, 1)),
        (b"1\r\n2\x1b[T", ["", "1", "2", ""], (1, 1)),
        (b"x\x1b[3b", ["xxxx", "", "", ""], (4, 0)),
        (b"\x1b(0lqk\x1b(Bq", ["┌─┐q", "", "", ""], (4, 0)),
        (b"\x1b)0\x0eq\x0fq", ["─q", "", "", ""], (2, 0)),
        (b"ab\x1b7\x1b[3;3Hc\x1b8d", ["abd", "", "  c", ""], (3, 0)),
        (b"abc\x1b[4h\x1b[1Gxy", ["xyabc", "", "", ""], (2, 0)),
        (b"\x1b[2;4r\x1b[?6h\x1b[1;1Hx", ["", "x", "", ""], (1, 1)),
        (b"main\x1b[?1049h\x1b[Halt\x1b[?1049l!", ["main!", "", "", ""], (5, 0)),
        (b"\x1b#8", ["EEEEEEEEEE"] * 4, (0, 0)),
        (b"\x1b#8\x1b[?69h\x1b[3;5s\x1b[S", ["EEEEEEEEEE"] * 3 + ["EE   EEEEE"], (0, 0)),
        (b"\x1b[?69h\x1b[3;5s\x1b[1;3Habcdefg", ["  abc", "  def", "  g", ""], (3, 2)),
        (b"abcdef\x1b[?69h\x1b[2;4s\x1b[1;3H\x1b[@", ["ab cef", "", "", ""], (2, 0)),
        (b"abcdef\x1b[?69h\x1b[2;4s\x1b[1;3H\x1b[P", ["abd ef", "", "", ""], (2, 0)),
        (b"abc\r\ndef\x1b[1;1;2;2;1;3;5$v", ["abc", "def", "    ab", "    de"], (3, 1)),
        (b"\x1b[42;2;2;3;3$x", ["", " **", " **", ""], (0, 0)),
        (b"\x1b#8\x1b[2;2;3;3$z", ["EEEEEEEEEE", "E  EEEEEEE", "E  EEEEEEE", "EEEEEEEEEE"], (0, 0)),
        (b"abc\r\ndef\x1b[1;2H\x1b['}", ["a bc", "d ef", "", ""], (1, 0)),
        (b"abc\r\ndef\x1b[1;2H\x1b[2'~", ["a", "d", "", ""], (1, 0)),
        (b"ab\r\n\x1b[?45h\x1b[2Dx", ["ab      x", "", "", ""], (9, 0)),
        (b"a\x1bVb\x1bWc\x1b[2K", [" b", "", "", ""], (3, 0)),
        (b"\x1b[?7s\x1b[?7l\x1b[?7rabcdefghijk", ["abcdefghij", "k", "", ""], (1, 1)),
        (b"x\x1bcy", ["y", "", "", ""], (1, 0)),
        ("옹기\x1b[2Gx".encode(), [" x기", "", "", ""], (2, 0)),
        ("abcdefghi옹".encode(), ["abcdefghi", "옹", "", ""], (2, 1)),
        ("옹기\x1b[1G\x1b[P".encode(), [" 기", "", "", ""], (0, 0)),
        ("e\u0301x".encode(), ["e\u0301x", "", "", ""], (2, 0)),
        ("옹\u0301x".encode(), ["옹\u0301x", "", "", ""], (3, 0)),
        ("a👩\u200d💻b".encode(), ["a👩\u200d💻b", "", "", ""], (6, 0)),
    ],
)
def test_screen(fed: Fed, data: bytes, rows: list[str], at: tuple[int, int]) -> None:
    for pieces in ([data], [bytes([byte]) for byte in data]):
        screen = fed(*pieces)
        assert shown(screen) == rows
        assert (screen.cursor.x, screen.cursor.y) == at


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (b"a\x1b[?4mb\x1b[>4;2mc\x1b[!pd", "abcd"),  # private forms that look like others
        (b'a\x1b[64;1"pb\x1bP$q"p\x1b\\c', "abc"),
        (b"a\x1b]8;;http://x\x1b\\b\x1b]8;;\x07c", "abc"),
        (b"a\x1b_app\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        (b"a\x1b[3\b1mb", "b"),  # a control inside a sequence is executed
        (b"a\x1b[31\x18b\x1b]0;x\x1ac", "abc"),  # CAN and SUB cancel
        (b"a\x1b[3\x1b[1mb", "ab"),  # ESC begins anew
        (b"a\x1b]0;t\x1b[1mb", "ab"),
        (b"a\x1b\x1b[1mb", "ab"),
        ("a\u009b1mb\u009d0;t\u009cc".encode(), "abc"),  # C1
        (b"a\x1b[>1;2;3zb\x1b[?1;2$zc\x1b%Gd\x1b Fe", "abcde"),
        (b"a\xff\xc3b", "a\ufffd\ufffdb"),
        (b"a\x00\x7fb", "ab"),
        (b"a\x1b[38:2::1:2:3mb\x1b[4:3mc", "abc"),
    ],
)
def test_odd_sequences_print_nothing(fed: Fed, data: bytes, row: str) -> None:
    assert shown(fed(data))[0] == row
    assert shown(fed(*(bytes([byte]) for byte in data)))[0] == row


def test_over_long_sequences_are_thrown_away(fed: Fed) -> None:
    assert shown(fed(b"a\x1b]0;" + b"x" * 200_000, b"x" * 9, b"\x07b"))[0] == "ab"
    assert shown(fed(b"a\x1b[" + b"1;" * 2_000, b"1mb"))[0] == "ab"


def cell(screen: FastScreen, x: int = 0) -> attrs.Attr:
    return screen.rows[0].attrs[x]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\x1b[1;31;44mx", (1, 4, attrs.BOLD)),
        (b"\x1b[91;102mx", (9, 10, 0)),
        (b"\x1b[38;5;200;48;5;3mx", (200, 3, 0)),
        (b"\x1b[38;2;1;2;3mx", (attrs.RGB | 0x010203, -1, 0)),
        (b"\x1b[38:2::1:2:3;1mx", (attrs.RGB | 0x010203, -1, attrs.BOLD)),
        (b"\x1b[38:2:1:2:3mx", (attrs.RGB | 0x010203, -1, 0)),
        (b"\x1b[48:5:9mx", (-1, 9, 0)),
        (b"\x1b[58;5;9;3mx", (-1, -1, attrs.ITALIC)),
        (b"\x1b[4:3mx", (-1, -1, attrs.UNDERLINE | attrs.CURLY_UNDERLINE)),
        (b"\x1b[4;21;24;9mx", (-1, -1, attrs.STRIKE)),
        (b"\x1b[7;27;8mx", (-1, -1, attrs.CONCEAL)),
        (b"\x1b[1;31m\x1b[mx", (-1, -1, 0)),
        (b"\x1b[1;2m\x1b[22mx", (-1, -1, 0)),
        (b"\x1b[31;39;38;5mx", (-1, -1, 0)),
        (b"\x1b[99999999999999999mx", (-1, -1, 0)),
    ],
)
def test_colours(fed: Fed, data: bytes, key: tuple[int, int, int]) -> None:
    assert cell(fed(data)).key[:3] == key


def test_erase_keeps_the_background_only(fed: Fed) -> None:
    assert cell(fed(b"\x1b[4;31;42m\x1b[K")).key[:3] == (-1, 2, 0)


def test_selective_erase_spares_protected_cells(fed: Fed) -> None:
    assert shown(fed(b'a\x1b[1"qb\x1b[0"qc\x1b[?2K'))[0] == " b"


def test_alternate_screen_starts_blank_and_leaves_no_history(fed: Fed) -> None:
    screen = fed(b"a\r\n\x1b[?1049hx\r\n" + b"y\r\n" * 9)
    assert screen.alternate and len(screen.scrollback) == 0
    assert shown(fed(b"\x1b[?1049hx\x1b[?1049l\x1b[?1049h"))[0] == ""


def test_resize_keeps_the_cursor_line(fed: Fed) -> None:
    screen = fed(b"1\r\n2\r\n3\r\n4")
    screen.resize(2, 5)
    assert shown(screen) == ["3", "4"] and screen.cursor.y == 1 and len(screen.scrollback) == 2
    screen.resize(3, 20)
    assert shown(screen) == ["2", "3", "4"] and len(screen.rows[0].chars) == 20


def test_resize_with_the_cursor_at_the_top_cuts_below(fed: Fed) -> None:
    screen = fed(b"1\r\n2\r\n3\r\n4\x1b[H")
    screen.resize(2, 10)
    assert shown(screen) == ["1", "2"] and len(screen.scrollback) == 0


def test_resize_does_not_cut_a_wide_character(fed: Fed) -> None:
    screen = fed("abc옹".encode())
    screen.resize(4, 4)
    assert shown(screen)[0] == "abc"


def test_a_hostile_size_is_bounded() -> None:
    screen = FastScreen(10**9, 10**9)
    assert screen.columns <= 1000 and screen.lines <= 1000


def test_a_flag_takes_two_cells_as_wcwidth_counts_it(fed: Fed) -> None:
    screen = fed("🇰🇷|🈁|".encode())
    assert screen.rows[0].chars[:7] == ["🇰", "🇷", "|", "🈁", "", "|", " "]
