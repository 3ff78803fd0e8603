"""The widget in an app, with pilots: here keys come as events."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from tui.terminal.capture import allows_action
from tui.terminal.source import FdSource, PtySource
from tui.terminal.view import TerminalView


class Host(App[None]):
    BINDINGS: ClassVar = [
        Binding("ctrl+t", "mark", "mark", priority=True),
        Binding("x", "mark", "mark"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.marks = 0
        self.told: list[object] = []

    def compose(self) -> ComposeResult:
        yield TerminalView()
        yield Input()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return allows_action(self, action) and super().check_action(action, parameters)

    def action_mark(self) -> None:
        self.marks += 1

    @property
    def view(self) -> TerminalView:
        return self.query_one(TerminalView)

    def on_terminal_view_closed(self, event: TerminalView.Closed) -> None:
        self.told.append("closed")

    def on_terminal_view_held(self, event: TerminalView.Held) -> None:
        self.told.append(event.held)

    def on_terminal_view_resized(self, event: TerminalView.Resized) -> None:
        self.told.append((event.columns, event.lines))

    def on_terminal_view_title_changed(self, event: TerminalView.TitleChanged) -> None:
        self.told.append(event.view.title)

    def on_terminal_view_clipboard_requested(self, event: TerminalView.ClipboardRequested) -> None:
        self.told.append(("clipboard", event.text))


@pytest.fixture
def peer() -> Iterator[tuple[FdSource, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    yield FdSource(ours.detach()), theirs
    theirs.close()


Peer = tuple[FdSource, socket.socket]


async def settle(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await pilot.pause(0.01)


def rows(view: TerminalView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


ALL = [
    *"azAZ09 !:/?[]", *(f"ctrl+{c}" for c in "abcdefghijklmnopqrstuvwxyz"), "tab", "shift+tab", "enter", "escape",
    "backspace", "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete",
    *(f"f{n}" for n in range(1, 13)), "alt+x", "ctrl+left", "shift+up", "ctrl+backslash",
]  # fmt: skip


async def test_every_key_reaches_the_program_and_no_binding_runs(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test() as pilot:
        app.view.attach(source)
        app.view.focus()
        await pilot.pause()
        for key in ALL:
            await pilot.press(key)
            async with asyncio.timeout(60):
                assert await asyncio.get_running_loop().sock_recv(theirs, 100), key
        assert app.marks == 0 and app.focused is app.view and app.is_running and len(app.screen_stack) == 1


async def test_without_a_program_the_keys_are_the_apps(peer: Peer) -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.view.focus()
        await pilot.press("x", "ctrl+t")
        assert app.marks == 2
        app.view.attach(peer[0])
        await pilot.press("x", "ctrl+t")
        assert app.marks == 2
        app.query_one(Input).focus()
        await pilot.press("ctrl+t")
        assert app.marks == 3


async def test_paste_mouse_and_focus_as_the_program_asked(peer: Peer) -> None:
    source, theirs = peer
    app = Host()

    async def got() -> bytes:
        async with asyncio.timeout(60):
            return await asyncio.get_running_loop().sock_recv(theirs, 1000)

    async with app.run_test() as pilot:
        app.query_one(Input).focus()
        app.view.attach(source)
        theirs.send(b"\x1b[?2004h\x1b[?1004h\x1b[?1000h\x1b[?1006hready")
        await settle(pilot, lambda: rows(app.view)[0] == "ready")
        app.view.focus()
        await pilot.pause()
        assert await got() == b"\x1b[I"
        await pilot.click(TerminalView, offset=(4, 2))
        assert await got() == b"\x1b[<0;5;3M\x1b[<0;5;3m"
        app.query_one(Input).focus()
        await pilot.pause()
        assert await got() == b"\x1b[O"


async def test_what_the_program_says_about_itself(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test(size=(60, 20)) as pilot:
        app.view.attach(source)
        theirs.send(b"\x1b]0;a\x01[b]\x07\x1b]0;[red]title\x07\x1b]52;c;aGk=\x07")
        await settle(pilot, lambda: ("clipboard", "hi") in app.told)
        assert app.told == [(60, 17), "[red]title", "[red]title", ("clipboard", "hi")]
        await pilot.resize_terminal(50, 10)
        await settle(pilot, lambda: (50, 7) in app.told)
        app.view.focus()
        await pilot.press("ctrl+p")
        await settle(pilot, lambda: True in app.told)
        await pilot.press("ctrl+q")
        await settle(pilot, lambda: app.told[-1] is False)
        theirs.close()
        await settle(pilot, lambda: app.told[-1] == "closed")
        assert not app.view.captures_keys and source.fileno() == -1


async def test_history_is_shown_before_the_live_stream_and_can_be_scrolled(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test(size=(40, 13)) as pilot:
        view = app.view
        view.feed_history(b"".join(b"line %d\r\n" % n for n in range(3000)))
        view.attach(source)
        await settle(pilot, lambda: rows(view)[-2] == "line 2999")
        view.scroll_history(5)
        assert rows(view)[0] == "line 2986"
        theirs.send(b"more\r\nand more\r\n")
        await settle(pilot, lambda: "and more" in view.terminal.display[-2])
        assert rows(view)[0] == "line 2986"
        view.scroll_history(10**6)
        assert rows(view)[0] == "line 0"
        view.focus()
        await pilot.press("a")
        assert rows(view)[-2] == "and more"


async def test_a_program_on_a_pty_draws_colours_and_wide_characters() -> None:
    app = Host()
    script = "printf '\\033[31mred\\033[m 한글 \\033[7mrev\\033[m\\n'; read x"
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.attach(PtySource(["sh", "-c", script], env={"PATH": os.environ["PATH"], "TERM": "xterm"}))
        await settle(pilot, lambda: rows(app.view)[0] == "red 한글 rev")
        red, plain, reverse, rest = app.view.render_line(0)
        assert red.style is not None and red.style.color is not None and red.style.color.number == 1
        assert plain.cell_length == 6 and reverse.style is not None and reverse.style.reverse
        assert rest.cell_length == 40 - 12
        app.view.focus()
        await pilot.press("enter")
        await settle(pilot, lambda: "closed" in app.told)


async def test_hostile_output_does_not_reach_the_outer_terminal(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test() as pilot:
        app.view.attach(source)
        theirs.send("a\u202eb\u200bc\u2066\x1b]52;c;aGk=\x07\x9b31m\x1b[6n!".encode())
        await settle(pilot, lambda: rows(app.view)[0].endswith("!"))
        assert rows(app.view)[0] == "abc!"


def wheel(view: TerminalView, up: bool) -> None:
    kind = events.MouseScrollUp if up else events.MouseScrollDown
    view.post_message(kind(view, 4, 2, 0, -1 if up else 1, 0, False, False, False))


async def test_the_wheel_goes_where_it_means_something(peer: Peer) -> None:
    source, theirs = peer
    app = Host()

    async def got() -> bytes:
        async with asyncio.timeout(60):
            return await asyncio.get_running_loop().sock_recv(theirs, 1000)

    async with app.run_test(size=(40, 13)) as pilot:
        view = app.view
        view.attach(source)
        theirs.send(b"".join(b"line %d\r\n" % n for n in range(50)))
        await settle(pilot, lambda: rows(view)[-2] == "line 49")
        wheel(view, True)  # history, while the program is a plain one
        await settle(pilot, lambda: rows(view)[-2] == "line 46")
        wheel(view, False)
        await settle(pilot, lambda: rows(view)[-2] == "line 49")
        theirs.send(b"\x1b[?1049h\x1b[Hfull")
        await settle(pilot, lambda: rows(view)[0] == "full")
        wheel(view, True)  # cursor keys, for a full-screen one
        assert await got() == b"\x1b[A" * 3
        theirs.send(b"\x1b[?1000h\x1b[?1006h\x1b[Hasks")
        await settle(pilot, lambda: rows(view)[0] == "asks")
        wheel(view, False)  # a report, where it asked for the mouse
        assert await got() == b"\x1b[<65;5;3M"
        view.post_message(events.MouseScrollLeft(view, 4, 2, -1, 0, 0, False, False, False))
        assert await got() == b"\x1b[<66;5;3M"


async def test_all_kinds_of_underline_a_link_and_a_changed_palette_reach_the_terminal(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.attach(source)
        theirs.send(
            b"\x1b]4;1;#123456\x07\x1b[4:3;58:2::1:2:3mcurly\x1b[m \x1b[4:4mdots\x1b[m \x1b[4:5mdashes\x1b[m "
            b"\x1b[4mone\x1b[m \x1b]8;;https://x.org/a\x07link\x1b]8;;\x07\x1b]8;;file:///etc\x07no\x1b]8;;\x07"
            b"\x1b[31mred\x1b[m."
        )
        await settle(pilot, lambda: "." in app.view.terminal.display[0])
        drawn = app.view.render_line(0).render(app.console)
        for code in ("4:3;", "58:2::1:2:3", "4:4", "4:5", "\x1b]8;", "https://x.org/a"):
            assert code in drawn
        assert "file:" not in drawn
        colours = [s.style.color.triplet for s in app.view.render_line(0) if s.text == "red" and s.style]
        assert colours == [(0x12, 0x34, 0x56)]


async def test_emoji_are_drawn_and_never_break_their_row(peer: Peer) -> None:
    source, theirs = peer
    app = Host()
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.attach(source)
        theirs.send("🇰🇷|👍🏽|👩\u200d💻|❤\ufe0f|👍🏽\x1b[31m🏽|.".encode())
        await settle(pilot, lambda: rows(app.view)[0].endswith("."))
        strip = app.view.render_line(0)
        assert strip.text.rstrip() == "🇰🇷|👍  |👩💻|❤|👍    |."  # a colour of skin alone is of no agreed width
        assert sum(segment.cell_length for segment in strip) == strip.cell_length == 40
