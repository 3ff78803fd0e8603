"""What the terminal and the log look like."""

import asyncio
import os

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.logview import LogView
from tui.terminal.source import PtySource
from tui.terminal.view import TerminalView

SHOW = r"""
printf '\033]0;title\007'
for i in 0 1 2 3 4 5 6 7; do printf "\033[3${i}m 3$i \033[9${i}m 9$i \033[m"; done; echo
for i in 16 52 88 124 160 196 226 46 51 21 201 244; do printf "\033[48;5;${i}m  "; done; printf '\033[m\n'
printf '\033[38;2;232;173;104mtrue colour\033[m \033[1mbold\033[m \033[2mdim\033[m \033[3mitalic\033[m '
printf '\033[4munder\033[m \033[9mstrike\033[m \033[7mreverse\033[m \033[4:3mcurly\033[m\n'
printf '옹기 항아리 漢字 wide|\n'
printf '\033(0lqqqwqqqk\033(B\n\033(0x   x   x\033(B\n\033(0mqqqvqqqj\033(B\n'
printf '\033[42mbackground to the edge\033[K\033[m\n'
printf 'done\n'
read x
"""


class TerminalHost(App[None]):
    def compose(self) -> ComposeResult:
        env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        yield TerminalView(PtySource(["sh", "-c", SHOW], env=env))


class LogHost(App[None]):
    def compose(self) -> ComposeResult:
        yield LogView()


async def _drawn(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(TerminalView)
    async with asyncio.timeout(60):
        while not any(row.startswith("done") for row in view.terminal.display):
            await pilot.pause(0.02)
    await pilot.pause(0.1)


async def _searched(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(LogView)
    view.focus()
    for n in range(40):
        view.append("stdout", None, b"\x1b[32mINFO\x1b[m request %d handled in %d ms\n" % (n, n * 7 % 31))
        if n % 9 == 0:
            view.append(
                "stderr", None, b"warning: [bold]not markup[/] \x1b]52;c;aGk=\x07 \xec\x98\xb9\xea\xb8\xb0\n"
            )
    await pilot.pause(0.1)
    await pilot.press("/", *"in 2", "enter")
    await pilot.pause(0.1)


def test_terminal(snap_compare: object) -> None:
    assert snap_compare(TerminalHost(), terminal_size=(80, 24), run_before=_drawn)  # type: ignore[operator]


def test_log(snap_compare: object) -> None:
    assert snap_compare(LogHost(), terminal_size=(80, 24), run_before=_searched)  # type: ignore[operator]
