"""The pane with its sessions, and what its border says."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.glyphs import Glyphs
from tui.panes.terminals import Session, TerminalPane
from tui.terminal.source import FdSource


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield TerminalPane(Glyphs())

    @property
    def pane(self) -> TerminalPane:
        return self.query_one(TerminalPane)

    def get_css_variables(self) -> dict[str, str]:
        return {
            **super().get_css_variables(),
            **dict.fromkeys(("raised", "ink", "pane", "muted", "on-accent", "focus"), "#808080"),
        }


@pytest.fixture
def peer() -> Iterator[tuple[FdSource, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield FdSource(ours.detach()), theirs
    theirs.close()


async def settle(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await pilot.pause(0.01)


async def test_what_a_screen_showed_is_drawn_at_its_own_size(peer: tuple[FdSource, socket.socket]) -> None:
    app = Host()
    async with app.run_test(size=(90, 40)):
        session = Session("attach", "id", "web", "attach")
        await app.pane.open(session, peer[0], b"\x1b[?1049h\x1b[38;85Hlow")
        assert session.view.terminal.display[37][84:87] == "low"  # and not where a default size would have cut it


@pytest.mark.parametrize(
    ("width", "says"),
    [(80, "80×22 · shift+pgup looks back"), (50, "50×22 · shift+pgup ↑"), (40, "40×22"), (30, "")],
)
async def test_the_way_out_comes_first_on_the_border(
    peer: tuple[FdSource, socket.socket], width: int, says: str
) -> None:
    app = Host()
    async with app.run_test(size=(width, 23)) as pilot:
        session = Session("attach", "id", "web", "attach")
        await app.pane.open(session, peer[0])
        assert app.pane.hint().plain == "ctrl-p ctrl-q detaches"
        assert app.pane.mode().plain == says
        peer[1].send(b"\x1b]52;c;aGVsbG8=\x07")
        await settle(pilot, lambda: session.view.gate.asking)
        assert app.pane.mode().plain == "clipboard? shift+pgup, a allows"
        assert session.note == "wants to write your clipboard"
