"""Rows, columns, header and frames: what fits is shown, what does not is left out in the agreed order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui import header
from tui.glyphs import ASCII, UNICODE
from tui.header import Engine, Host, Work
from tui.paint import cut, ends, fit, join
from tui.panes import containers, images, inspect, isolation, listing, stats, welcome
from tui.state import Container, Image, Port, Usage, World
from tui.widgets.frame import edge

NOW = 1_000_000.0
WEB = Container(
    "1", "web", "nginx:1.27", status="running", health="healthy", ports=(Port(80, "tcp", 8080),), started=NOW - 180,
    whole=True,
)  # fmt: skip


def row(one: Container, width: int, usage: Usage | None = None) -> str:
    made = containers.rows([one], {one.id: usage} if usage else {}, UNICODE, NOW)[0].make(width)
    assert made.cell_length <= width
    return made.plain


def test_a_running_row_has_figures() -> None:
    assert row(WEB, 45, Usage(1.2, 12 << 20)) == "● web         + 8080→80     3m  1.2 %   12 M"


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (replace(WEB, status="exited", exit_code=1, finished=NOW - 7200), "exited 1 · 2 h ago"),
        (
            replace(WEB, status="exited", exit_code=137, oom_killed=True, finished=NOW - 60),
            "out of memory · 1 min ago",
        ),
        (replace(WEB, status="paused"), "paused"),
        (replace(WEB, status="paused", paused=NOW - 660), "paused 11 min"),
        (replace(WEB, status="restarting", restarts=2), "restarting, try 3"),
        (replace(WEB, status="restarting", restarts=2, again=NOW + 4.2), "restarting, try 3 in 4 s"),
        (replace(WEB, status="restarting", restarts=2, again=NOW - 1), "restarting, try 3 now"),
        (replace(WEB, status="created"), "created, never started"),
        (replace(WEB, status="created", error="port 80 is taken"), "did not start: port 80 is taken"),
        (replace(WEB, status="dead"), "dead"),
        (replace(WEB, status="something new"), "something new"),
    ],
)
def test_a_row_without_figures_says_why(one: Container, says: str) -> None:
    assert says in row(one, 77)


@given(st.integers(8, 240))
def test_a_row_never_overflows_and_keeps_state_name_and_age(width: int) -> None:
    cols = containers.columns(width - 1)
    assert cols.name >= 1
    assert containers.heading(width + 1).cell_length <= max(width + 1, 30)
    if width >= 24:
        assert cols.has("up")
        assert "web" in row(WEB, width, Usage(1.0, 5))


@pytest.mark.parametrize(
    ("width", "gone"),
    [(44, {"image", "restarts", "net"}), (36, {"ports"}), (76, {"net", "restarts"}), (120, set[str]())],
)
def test_columns_are_dropped_in_order(width: int, gone: set[str]) -> None:
    cols = containers.columns(width)
    assert not gone & set(cols.widths)
    if width == 120:
        assert set(cols.widths) == {"image", "ports", "up", "cpu", "mem", "restarts", "net"}


def test_long_names_are_cut_where_they_tell_least() -> None:
    assert "shop-i…tly-2" in row(replace(WEB, name="shop-importer-nightly-2"), 45)
    image = Image("k", "sha256:1", "ghcr.io/acme/reporting-service:1.9.3", 340 << 20)
    shown = images.rows([image], lambda _id: 0, NOW)[0].make(51).plain
    assert "reporting-service:1.9.3" in shown and shown.strip().startswith("…")
    assert "옹기" in row(replace(WEB, name="옹기-blog"), 45)


def test_an_image_tells_when_it_was_made_where_its_name_keeps_room() -> None:
    image = Image("k", "sha256:1", "busybox:latest", 2 << 20, NOW - 3 * 86400)
    assert images.rows([image], lambda _id: 2, NOW)[0].make(46).plain.split() == [
        "busybox:latest", "2", "M", "3d", "used", "by", "2"
    ]  # fmt: skip
    assert "3d" not in images.rows([image], lambda _id: 2, NOW)[0].make(40).plain


def test_what_runs_comes_first_and_the_order_is_stable() -> None:
    stopped = replace(WEB, id="2", status="exited", started=NOW)
    older = replace(WEB, id="3", started=NOW - 999)
    assert [c.id for c in containers.order([stopped, older, WEB], {}, "up")] == ["1", "3", "2"]
    assert [c.id for c in containers.order([WEB, older], {"3": Usage(9)}, "cpu")] == ["3", "1"]


HOST = Host(23, 1_288_490_188, 24 << 30, 38 << 30, 120 << 30, 2.1e6, 4e5)
WORLD = World(
    containers={str(n): replace(WEB, id=str(n), status=s) for n, s in enumerate(("running", "paused", "exited"))}
)


def test_the_header_drops_net_disk_mem_states_and_cpu_in_that_order() -> None:
    gone: list[str] = []
    for width in range(140, 20, -1):
        text = header.left(WORLD, Engine("up"), HOST, Work(), UNICODE, width).plain
        assert len(text) <= width or text.startswith("onggi")
        for word in ("net ", "disk ", "mem ", "1 paused", "cpu "):
            if word not in text and word not in gone:
                gone.append(word)
    assert gone == ["net ", "disk ", "mem ", "1 paused", "cpu "]


def test_the_header_says_what_the_engine_does() -> None:
    assert "starting local engine" in header.left(WORLD, Engine(), None, Work(), UNICODE, 120).plain
    down = header.left(WORLD, Engine("down", heard=0.0), None, Work(), UNICODE, 120).plain
    assert "engine does not answer" in down
    assert "2 jobs" in header.left(WORLD, Engine("up"), HOST, Work(2, 62), UNICODE, 120).plain


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 80))
def test_edges_have_exactly_their_width(left: str, right: str, width: int) -> None:
    made = edge(Content(left.replace("\n", "")), Content(right.replace("\n", "")), width, "─", "$line")
    assert made.cell_length <= width


@given(st.text(alphabet="ab옹 ", max_size=40), st.integers(0, 40))
def test_fit_is_exact_and_cut_never_longer(text: str, width: int) -> None:
    assert fit(Content(text), width).cell_length == width
    assert cut(Content(text), width).cell_length <= width
    assert ends(Content(text), Content("옹"), max(width, 2)).cell_length == max(width, 2)


@pytest.mark.parametrize("height", range(9, 80))
@pytest.mark.parametrize("tall", [False, True])
def test_lists_share_the_height_whole(height: int, tall: bool) -> None:
    if tall and height < 50:
        return
    wants = [30, 14, 7, 6, 4] if tall else [13, 14, 7]
    given_rows = listing.share(height, wants, tall)
    assert sum(given_rows) == height
    assert min(given_rows) >= (3 if height < 15 else 4)


def test_the_column_is_two_fifths_within_bounds() -> None:
    assert [listing.column_width(n) for n in (100, 120, 160, 400)] == [44, 48, 64, 72]


@pytest.mark.parametrize("width", [30, 60, 120])
def test_pages_fit_their_width_with_nothing_known(width: int) -> None:
    pages = [
        isolation.lines({}, UNICODE, width),
        inspect.container({}, width),
        inspect.image({}, width),
        images.history([], width, NOW),
        stats.lines([], UNICODE, width),
    ]
    assert all(pages)


def test_isolation_says_what_is_open() -> None:
    shared = {
        "namespaces": [{"type": "net", "inode": 1, "shared": True}],
        "capabilities": {"effective": ["CAP_SYS_ADMIN"]},
    }
    text = "\n".join(line.plain for line in isolation.lines(shared, UNICODE, 100))
    assert "Partly open." in text
    assert "shares net with the host" in text and "holds sys_admin" in text and "no system call is refused" in text


def test_a_chart_shows_zero_and_its_top() -> None:
    lines = stats.chart([0, 50, 100], 100, 3, "$cpu", UNICODE)
    assert [line.plain for line in lines] == ["  █", "  █", " ▄█", " ██", "▁██"]


def test_the_jar_is_twelve_lines_and_the_first_screen_fits_small_ones() -> None:
    assert len(welcome.jar()) == 12
    assert len(welcome.lines(0, ("l", "i", "b"), UNICODE, 76, 17)) <= 17
    assert any("▀" in line.plain for line in welcome.lines(0, ("l", "i", "b"), UNICODE, 76, 40))
    assert not any("▀" in line.plain for line in welcome.lines(0, ("l", "i", "b"), ASCII, 76, 40))


def test_folding_loses_nothing() -> None:
    assert inspect.fold("a bb ccc", 4) == ["a bb", "ccc"]
    assert inspect.fold("abcdefgh", 3) == ["abc", "def", "gh"]
    assert inspect.fold("옹기항아리", 5) == ["옹기", "항아", "리"]
    assert join(*inspect.fold("x", 1)).plain == "x"
