"""Flood skip must be invisible: same screen, same attributes, same cursor, whatever the chunks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.terminal.history import History
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

LINES = st.sampled_from(
    [
        b"plain text\r\n",
        b"\r\n",
        b"y\r\n",
        b"bare\n",
        b"\x1b[1;31mred\x1b[m and \x1b[44mblue\r\n",
        b"\x1b[0mreset\x1b[K\r\n",
        "옹기 항아리\r\n".encode(),
        "e\u0301👩\u200d💻\r\n".encode(),
        b"a long line that wraps around the margin more than once\r\n",
        b"pro\rgress\b\b!\tx\r\n",
        b"12345678901234567890",
        b"\x1b[2K\x1b[1K",
        b"\x1b[3;2Hjump",
        b"\x1b[2;4r",
        b"\x1b[r",
        b"\x1b[?7l",
        b"\x1b[?7h",
        b"\x1b[4h",
        b"\x1b[4l",
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b[20h",
        b"\x1b[20l",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b]0;title\x07",
    ]
)
# long repeats make stretches that are worth skipping, single pieces make the states around them
OUTPUT = st.lists(st.tuples(st.lists(LINES, min_size=1, max_size=6), st.sampled_from([1, 1, 90, 400])), max_size=6)


def state(screen: FastScreen) -> object:
    return (
        [[(run.text, run.attr.key) for run in row.runs()] for row in screen.rows],
        [row.wrapped for row in screen.rows],
        (screen.cursor.x, screen.cursor.y, screen.cursor.attrs.key),
        (screen.alternate, screen.margins, screen.mode),
    )


@settings(max_examples=150, deadline=None)
@given(OUTPUT, st.lists(st.integers(1, 9000), max_size=12))
def test_skip_changes_nothing(pieces: list[tuple[list[bytes], int]], cuts: list[int]) -> None:
    data = b"".join(b"".join(lines) * times for lines, times in pieces)
    plain = FastScreen(20, 5)
    FastStream(plain, strict=True, skip=False).feed(data)
    skipped = FastScreen(20, 5)
    stream = FastStream(skipped, strict=True)
    for cut in cuts:
        stream.feed(data[:cut])
        data = data[cut:]
    stream.feed(data)
    assert state(skipped) == state(plain)


def history(screen: FastScreen) -> list[str]:
    looked = History(screen)
    count = looked.reach(10**6)
    return ["".join(run.text for run in looked.row(back)).rstrip() for back in range(count, 0, -1)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(100, 20_000), min_size=1, max_size=8))
def test_what_was_skipped_can_be_looked_back_at(cuts: list[int]) -> None:
    data = b"".join(b"\x1b[3%dmline %d\x1b[m\r\n" % (n % 8, n) for n in range(6000))
    screen = FastScreen(30, 6)
    stream = FastStream(screen, strict=True)
    for cut in cuts:
        stream.feed(data[:cut])
        data = data[cut:]
    stream.feed(data)
    assert history(screen)[-5000:] == [f"line {n}" for n in range(995, 5995)]


def test_a_skip_really_skips() -> None:
    screen = FastScreen(80, 24)
    drawn: list[str] = []
    draw = screen.draw
    screen.draw = lambda text: (drawn.append(text), draw(text))[1]  # type: ignore[method-assign]
    FastStream(screen, strict=True).feed(b"some text\r\n" * 5000)
    assert 24 <= len(drawn) < 60
