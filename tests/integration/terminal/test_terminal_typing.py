"""Typing through a whole app, in an outer terminal that is our own emulator: input methods, and looking back."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tui.terminal.grid import DECAWM, DECTCEM
from tui.terminal.modal import DECCKM
from tui.terminal.screen import FastScreen
from tui.terminal.source import FdSource, PtySource
from tui.terminal.stream import FastStream

HOST = """
import sys
from textual.app import App
from tui.terminal.driver import TerminalDriver
from tui.terminal.source import PtySource
from tui.terminal.view import TerminalView

class Host(App):
    def compose(self):
        yield TerminalView(PtySource(sys.argv[1:]))
    def on_mount(self):
        self.query_one(TerminalView).focus()
    def on_terminal_view_title_changed(self):
        self.query_one(TerminalView).zoom.begin()

host = Host(driver_class=TerminalDriver)
host.run()
sys.exit(host.return_code)
"""


class Outer:
    """The reader's terminal."""

    def __init__(self, *argv: str) -> None:
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path.cwd())}
        self.screen = FastScreen(60, 12)
        self.stream = FastStream(self.screen, strict=True)
        self.source = PtySource([sys.executable, "-c", HOST, *argv], columns=60, lines=12, env=env)
        self.taken = 0  # how often the app has taken the terminal
        switch = self.screen.switch_buffer

        def switched(alternate: bool) -> None:
            self.taken += alternate
            switch(alternate)

        self.screen.switch_buffer = switched  # type: ignore[method-assign]
        self.screen.reply = lambda text: self.type(text.encode())

    def type(self, data: bytes) -> None:
        assert self.source.write(data)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "\n".join(self.screen.display)
            if self.source.fileno() < 0:
                time.sleep(0.02)
            elif select.select([self.source.fileno()], [], [], 0.1)[0]:
                self.stream.feed(self.source.read_nonblocking(65536) or b"")

    def end(self) -> int:
        """Read until the app has ended; its exit code."""
        code: list[int] = []

        def over() -> bool:
            pid, status = os.waitpid(self.source.pid, os.WNOHANG)
            if pid:
                self.source.pid = -1
                code.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        self.until(over)
        while self.source.fileno() >= 0 and (data := self.source.read_nonblocking(65536)):
            self.stream.feed(data)
        return code[0]

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display]

    def row(self, y: int) -> str:
        return self.rows[y]


@pytest.fixture
def shell() -> Iterator[Outer]:
    outer = Outer("bash", "--norc", "--noprofile")
    outer.until(lambda: "$" in outer.row(0) or "#" in outer.row(0))
    outer.type(b"PS1='> '; clear\r")
    outer.until(lambda: outer.row(0) == ">")
    yield outer
    outer.source.close()


def test_hangul_typed_by_an_input_method(shell: Outer) -> None:
    shell.type("한".encode())
    shell.until(lambda: shell.row(0) == "> 한")
    for byte in "글".encode():  # a terminal may hand a syllable over in pieces
        shell.type(bytes([byte]))
        time.sleep(0.02)
    shell.until(lambda: shell.row(0) == "> 한글")
    # the input method opens its window at the terminal's own cursor
    shell.until(lambda: (shell.screen.cursor.x, shell.screen.cursor.y) == (6, 0))
    assert DECTCEM in shell.screen.mode
    shell.type(b"\x1b[D")
    shell.until(lambda: shell.screen.cursor.x == 4)
    shell.type("국어".encode() + b"\x7f")
    shell.until(lambda: shell.row(0) == "> 한국글")
    shell.until(lambda: shell.screen.cursor.x == 6)
    shell.type(b"\x15")  # up to the cursor
    shell.until(lambda: shell.row(0) == "> 글" and shell.screen.cursor.x == 2)


def test_composed_and_decomposed_text_take_the_same_cells(shell: Outer) -> None:
    shell.type("printf '%s|\\n' 각 \u1100\u1161\u11a8 e\u0301\r".encode())
    shell.until(lambda: shell.row(3).endswith("|"))
    assert shell.row(1) == "각|" and shell.screen.rows[1].chars[2] == "|"
    assert shell.screen.rows[2].chars[2] == "|" and shell.screen.rows[3].chars[1] == "|"


def test_shift_page_up_looks_back_and_keys_stay_with_the_reader(shell: Outer) -> None:
    shell.type(b"seq 50\r")
    shell.until(lambda: shell.row(10) == "50")
    shell.type(b"\x1b[5;2~")
    shell.until(lambda: shell.row(11).startswith("looking back"))
    shell.type(b"g")
    shell.until(lambda: shell.row(0) == "> seq 50")
    shell.type(b"q")
    shell.until(lambda: shell.row(11) == ">")
    shell.type(b"x")
    shell.until(lambda: shell.row(11) == "> x")


@pytest.mark.parametrize(("number", "zoomed"), [(signal.SIGTERM, False), (signal.SIGHUP, True)])
def test_a_signal_that_ends_the_app_leaves_the_terminal_as_it_was(
    shell: Outer, number: signal.Signals, zoomed: bool
) -> None:
    shell.type(rb"printf '\033[?1h\033=\033[?1000h\033[>5u\033[3 q\033]4;1;#123456\007%s%s\n' se t" + b"\r")
    shell.until(lambda: DECCKM in shell.screen.mode and "set" in shell.rows)
    if zoomed:
        shell.type(rb"printf '\033]2;zoom\007'; clear; echo zoom''ed" + b"\r")
        shell.until(lambda: not shell.screen.alternate and shell.row(0) == "zoomed")
        assert shell.screen.cursor_shape == 3
    os.kill(shell.source.pid, number)
    assert shell.end() == 128 + number
    screen = shell.screen
    assert screen.mode == {DECAWM, DECTCEM} and not screen.alternate and screen.kitty == []
    assert screen.cursor_shape == 0 and not screen.palette.changed


def test_the_app_ends_when_its_terminal_hangs_up(shell: Outer) -> None:
    FdSource.close(shell.source)
    assert shell.end() == 128 + signal.SIGHUP


def test_sigcont_takes_the_terminal_anew_and_the_keyboard_stays_inside(shell: Outer) -> None:
    os.kill(shell.source.pid, signal.SIGCONT)  # after SIGSTOP, which nobody can see coming
    shell.until(lambda: shell.taken == 2)
    shell.type(b"echo ag''ain\r")
    shell.until(lambda: "again" in shell.rows)
    assert shell.screen.kitty == [] and shell.screen.alternate
