"""Looking back, searching, selecting, copying: by keyboard and mouse."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.terminal import clipboard
from tui.terminal.history import History
from tui.terminal.paper import Paper, Place, Selection
from tui.terminal.screen import FastScreen
from tui.terminal.source import FdSource
from tui.terminal.stream import FastStream
from tui.terminal.view import TerminalView

Peer = tuple[FdSource, socket.socket]


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.copied: list[str] = []
        self.asked: list[str] = []

    def compose(self) -> ComposeResult:
        yield TerminalView()

    @property
    def view(self) -> TerminalView:
        return self.query_one(TerminalView)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    def on_terminal_view_clipboard_requested(self, event: TerminalView.ClipboardRequested) -> None:
        self.asked.append(event.text)


@pytest.fixture
def peer() -> Iterator[Peer]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    yield FdSource(ours.detach()), theirs
    theirs.close()


async def settle(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await pilot.pause(0.01)


def rows(view: TerminalView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def typed(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(4096)
    except BlockingIOError:
        return b""


async def begin(pilot: Pilot[None], peer: Peer, output: bytes, last: str) -> TerminalView:
    source, theirs = peer
    view = pilot.app.query_one(TerminalView)
    view.attach(source)
    view.focus()
    theirs.send(output)
    await settle(pilot, lambda: any(last in row for row in view.terminal.display))
    return view


LINES = b"".join(b"line %d of text\r\n" % n for n in range(60)) + b"$ "


async def test_the_keyboard_selects_and_copies_from_the_history(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(40, 10)) as pilot:
        view = await begin(pilot, peer, LINES, "$")
        await pilot.press("shift+pageup", "up", "up", "g")
        assert rows(view)[0] == "line 0 of text" and rows(view)[-1].startswith("looking back")
        await pilot.press("v", "down", "$", "y")
        assert app.copied == ["line 0 of text\nline 1 of text"]
        assert rows(view)[-1] == "$"
        assert typed(peer[1]) == b""  # nothing of it went to the program
        await pilot.press("x")
        assert typed(peer[1]) == b"x"


async def test_a_search_finds_older_lines_first_and_counts(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(60, 10)) as pilot:
        view = await begin(pilot, peer, LINES, "$")
        await pilot.press("shift+pageup", "/", *"line 1", "enter")
        assert "line 1: 11 of 11" in rows(view)[-1]
        assert "line 19 of text" in rows(view)
        await pilot.press("n", "n", "y")
        assert app.copied == ["line 1"]
        await pilot.press("shift+pageup", "/", *"nowhere", "enter")
        assert "not found" in rows(view)[-1]
        await pilot.press("escape", "escape")
        assert rows(view)[-1] == "$"


async def test_dragging_copies_and_a_line_that_wrapped_is_one(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(20, 8)) as pilot:
        view = await begin(pilot, peer, b"a long line that wraps around\r\nnext\r\n$ ", "$")
        await pilot.mouse_down(view, offset=(2, 0))
        await pilot.hover(view, offset=(3, 2))
        await pilot.mouse_up(view, offset=(3, 2))
        assert app.copied == ["long line that wraps around\nnext"]
        assert any(segment.style is not None and segment.style.reverse for segment in view.render_line(1))


async def test_the_mouse_is_the_programs_unless_shift_is_held(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(20, 8)) as pilot:
        view = await begin(pilot, peer, b"\x1b[?1000h\x1b[?1006hhello there\r\n$ ", "$")
        await pilot.mouse_down(view, offset=(2, 0))
        await pilot.mouse_up(view, offset=(2, 0))
        heard = b""
        while not heard.endswith(b"m"):
            await pilot.pause(0.01)
            heard += typed(peer[1])
        assert heard == b"\x1b[<0;3;1M\x1b[<0;3;1m" and app.copied == []
        await pilot.mouse_down(view, offset=(0, 0), shift=True)
        view.post_message(_move(4, 0))
        await pilot.mouse_up(view, offset=(4, 0), shift=True)
        assert app.copied == ["hello"] and typed(peer[1]) == b""


def _move(x: int, y: int) -> events.MouseMove:
    return events.MouseMove(None, x, y, 1, 0, 1, True, False, False, x, y)


async def test_a_double_click_takes_the_word(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(40, 8)) as pilot:
        view = await begin(pilot, peer, "see (/etc/옹기.conf) now\r\n$ ".encode(), "$")
        for _ in range(2):
            await pilot.mouse_down(view, offset=(7, 0))
            await pilot.mouse_up(view, offset=(7, 0))
        assert app.copied == ["/etc/옹기.conf"]


async def test_a_program_writes_the_clipboard_only_when_allowed_for_its_session(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(40, 8)) as pilot:
        await begin(pilot, peer, b"> ", ">")
        await pilot.press("shift+pageup", "a", "q")  # nothing was asked, so nothing is allowed
        peer[1].send(b"\x1b]52;c;aGVsbG8=\x07")
        await settle(pilot, lambda: app.asked == ["hello"])
        await pilot.press("a")
        assert app.copied == []  # typed into the program: no consent
        await pilot.press("shift+pageup", "a")
        assert app.copied == ["hello"]
        peer[1].send(b"\x1b]52;c;YWdhaW4=\x07")
        await settle(pilot, lambda: app.copied == ["hello", "again"])
        assert app.asked == ["hello"]


async def test_a_full_screen_program_is_allowed_or_refused_too_and_asks_once(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(60, 8)) as pilot:
        view = await begin(pilot, peer, b"\x1b[?1049hfull\x1b]52;c;aGVsbG8=\x07", "full")
        await settle(pilot, lambda: app.asked == ["hello"])
        assert view.gate.asking
        await pilot.press("shift+pageup")
        assert rows(view)[-1].startswith("a lets the program write your clipboard (5)")
        await pilot.press("escape")
        assert not view.gate.asking and app.copied == [] and typed(peer[1]) == b""
        peer[1].send(b"\x1b]52;c;YWdhaW4=\x07\x1b]2;told\x07")
        await settle(pilot, lambda: view.title == "told")
        assert app.asked == ["hello"] and not view.gate.asking
        await pilot.press("shift+pageup")
        await settle(pilot, lambda: typed(peer[1]) == b"\x1b[5;2~")  # the program's own again
        view.look()
        await pilot.press("a")  # who has thought better of it
        assert app.copied == ["again"]


async def test_a_full_screen_program_gets_the_key_itself(peer: Peer) -> None:
    app = Host()
    async with app.run_test(size=(40, 8)) as pilot:
        await begin(pilot, peer, b"\x1b[?1049hfull", "full")
        await pilot.press("shift+pageup")
        await settle(pilot, lambda: typed(peer[1]) == b"\x1b[5;2~")


def test_the_raw_tap_gives_the_same_key() -> None:
    view = TerminalView()
    sent: list[bytes] = []
    view.send = sent.append  # type: ignore[method-assign]
    looked: list[object] = []

    class Loop:
        def call_soon_threadsafe(self, call: object) -> None:
            looked.append(call)

    view._loop = Loop()  # type: ignore[assignment]
    view._typed(b"ab\x1b[5;2~")
    view._typed(b"\x1b[5~")
    assert sent == [b"ab", b"\x1b[5~"] and looked == [view.look]


def test_rows_keep_their_numbers_while_others_come() -> None:
    screen = FastScreen(20, 4)
    stream = FastStream(screen, strict=True)
    history = History(screen)
    paper = Paper(screen, history)
    stream.feed(b"one\r\ntwo\r\nthree\r\nfour\r\nfive")
    two = Selection(Place(1, 0), Place(1, 2))
    assert paper.text(two) == "two"
    stream.feed(b"".join(b"\r\nmore %d" % n for n in range(50)))
    assert paper.text(two) == "two"
    assert [hit.ends[0] for hit in paper.find("two")] == [(1, 0)]


def test_find_knows_wide_text_and_lines_that_wrapped() -> None:
    screen = FastScreen(10, 4)
    FastStream(screen, strict=True).feed("aaaa 옹기항아리 Tail\r\nxTAIL".encode())
    paper = Paper(screen, History(screen))
    assert [hit.ends for hit in paper.find("기항")] == [((0, 7), (1, 0))]
    assert len(paper.find("tail")) == 2 and len(paper.find("Tail")) == 1


def test_the_desktops_tool_is_taken_where_there_is_one(tmp_path: object) -> None:
    tool = tmp_path / "wl-copy"  # type: ignore[operator]
    tool.touch(0o755)
    assert clipboard.native({"WAYLAND_DISPLAY": "w", "PATH": str(tmp_path)}) == ("wl-copy",)
    assert clipboard.native({"DISPLAY": ":0", "PATH": str(tmp_path)}) is None
    assert clipboard.native({"PATH": str(tmp_path)}) is None
