"""A new width wraps text anew, and nothing is lost on the way."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.terminal import attrs
from tui.terminal.cells import Row
from tui.terminal.history import History
from tui.terminal.screen import FastScreen
from tui.terminal.scrollback import Scrollback, decode, encode
from tui.terminal.stream import FastStream

Fed = Callable[..., FastScreen]


def shown(screen: FastScreen) -> list[str]:
    return [row.rstrip() for row in screen.display]


def text(screen: FastScreen) -> str:
    """All there is, history and screen, each line whole."""
    history = History(screen)
    blocks = [decode(block) for block in screen.scrollback.rows()] if history.reach(10**6) else []
    out = "".join("".join(run.text for run in line) + ("" if goes_on else "\n") for line, goes_on in blocks)
    for row in screen.rows:
        cells = row.chars[: len(row.chars) - (row.wrapped == 2)]
        out += "".join(cells) if row.wrapped else "".join(cells).rstrip() + "\n"
    return out.rstrip("\n")


@pytest.mark.parametrize(
    ("data", "columns", "rows", "at"),
    [
        (b"abcdefghijklmnop", 20, ["abcdefghijklmnop", "", "", ""], (16, 0)),
        (b"abcdefghijklmnop", 8, ["abcdefgh", "ijklmnop", "", ""], (8, 1)),
        (b"abcdefgh\r\n$ ", 4, ["abcd", "efgh", "$", ""], (2, 2)),
        (b"ab\r\n\r\ncd", 4, ["ab", "", "cd", ""], (2, 2)),
        (b"abcdefghijklmno\x1b[1;4H", 5, ["abcde", "fghij", "klmno", ""], (3, 0)),
        ("옹기항아리흙".encode(), 5, ["옹기", "항아", "리흙", ""], (4, 2)),
        ("abcdefghi옹x".encode(), 20, ["abcdefghi옹x", "", "", ""], (12, 0)),
        ("abcdefgh옹x".encode(), 9, ["abcdefgh", "옹x", "", ""], (3, 1)),
        (b"\x1b[44m\x1b[K\x1b[m\r\nx", 4, ["", "x", "", ""], (1, 1)),  # a coloured bar stays one row
    ],
)
def test_width(fed: Fed, data: bytes, columns: int, rows: list[str], at: tuple[int, int]) -> None:
    screen = fed(data)
    screen.resize(4, columns)
    assert shown(screen) == rows
    assert (screen.cursor.x, screen.cursor.y) == at


def test_a_line_rejoins_with_what_had_scrolled_away(fed: Fed) -> None:
    screen = fed(b"x" * 55 + b"\r\nend")
    assert len(screen.scrollback) == 3
    screen.resize(4, 60)
    assert shown(screen)[:2] == ["x" * 55, "end"] and len(screen.scrollback) == 0


def test_the_alternate_screen_is_cut_and_the_main_one_wraps(fed: Fed) -> None:
    screen = fed(b"abcdefghijklmnop\x1b[?1049h\x1b[HABCDEFGHIJ")
    screen.resize(4, 5)
    assert shown(screen)[0] == "ABCDE"
    FastStream(screen, strict=True).feed(b"\x1b[?1049l!")
    assert shown(screen) == ["abcde", "fghij", "klmno", "p!"]
    assert text(screen) == "abcdefghijklmnop!"


def test_colours_and_links_survive_the_scrollback() -> None:
    row = Row(12, attrs.PLAIN)
    odd = attrs.intern(3, attrs.RGB | 0x102030, attrs.BOLD | attrs.CURLY_UNDERLINE, 9, "https://x/;a")
    row.put(2, "e\u0301"[:1], 1, odd)
    row.chars[2] = "e\u0301"
    row.put(4, ["옹", ""], 2, odd)
    line, goes_on = decode(encode(row))
    assert not goes_on
    assert [(run.text, run.attr, run.cells) for run in line] == [
        ("  ", attrs.PLAIN, 2), ("e\u0301", odd, 1), (" ", attrs.PLAIN, 1), ("옹", odd, 2),
    ]  # fmt: skip


TEXT = st.lists(
    st.text(st.sampled_from("abc 옹기漢"), max_size=40).map(str.rstrip).map(lambda line: line + "|"),
    min_size=1,
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(TEXT, st.lists(st.tuples(st.integers(1, 9), st.integers(2, 30)), min_size=1, max_size=6))
def test_any_sizes_one_after_the_other_lose_nothing(lines: list[str], sizes: list[tuple[int, int]]) -> None:
    screen = FastScreen(12, 5)
    stream = FastStream(screen, strict=True)
    stream.feed("\r\n".join(lines).encode())
    for height, width in sizes:
        screen.resize(height, width)
        assert text(screen) == "\n".join(lines)
    stream.feed(b"!")
    assert text(screen) == "\n".join(lines) + "!"  # the cursor has stayed with its text


def test_ten_thousand_lines_cost_about_a_byte_a_character() -> None:
    scrollback = Scrollback(10_000)
    row = Row(120, attrs.PLAIN)
    row.put(0, "x" * 80, 80, attrs.PLAIN)
    for _ in range(20_000):
        scrollback.push(row)
    assert len(scrollback) == 10_000 and scrollback.size == 810_000


def test_what_a_hostile_program_can_have_us_keep_is_bounded() -> None:
    screen = FastScreen(80, 24, history=1000)
    stream = FastStream(screen, strict=True)
    for _ in range(40):
        stream.feed((b"\x1b[m" * 2000 + b"\r\n") * 60)
    assert screen.scrollback.size < 2 * 1000 * 1000


def test_a_flood_is_laid_out_only_where_it_is_looked_at() -> None:
    screen = FastScreen(80, 24)
    FastStream(screen, strict=True).feed(b"".join(b"\x1b[3%dmline %d\r\n" % (n % 8, n) for n in range(9000)))
    history = History(screen)
    history.scroll(30)
    assert "".join(run.text for run in history.row(1)) == "line 8976"
    assert len(screen.scrollback.rows()) < 1500
    assert history.row(700)[0].text == f"line {8977 - 700}" and history.row(700)[0].attr.fg == (8977 - 700) % 8
