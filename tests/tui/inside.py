"""What a terminal in the app can be seen doing besides showing its program."""

from __future__ import annotations

import asyncio

from textual.pilot import Pilot

from tui.app import OnggiApp
from tui.panes.terminals import Session


async def looks_back(app: OnggiApp) -> None:
    """A search through what the program has written."""
    (await _inside(app)).view.look()
    await Pilot(app).press("slash", *"class", "enter")


async def asks_for_the_clipboard(app: OnggiApp) -> None:
    """The program wants to write the clipboard, and its reader looks at the question."""
    session = await _inside(app)
    stage = app.calls.client.stage  # type: ignore[attr-defined]
    stage.ends[-1].send(b"\x1b[?1049h\x1b[2J\x1b[H full screen \x1b]52;c;aGVsbG8=\x07")
    async with asyncio.timeout(60):
        while not session.note:  # noqa: ASYNC110  # the app has no event for what a picture waits for
            await asyncio.sleep(0.02)


async def holds_a_key(app: OnggiApp) -> None:
    """Ctrl-P, which may be the first of two; for a picture it is held for ever."""
    session = await _inside(app)
    session.view.keys_held(True)


async def _inside(app: OnggiApp) -> Session:
    pane = app.main.detail.pane
    assert pane is not None and pane.current is not None
    async with asyncio.timeout(60):
        while not (pane.typing and "/srv # " in "\n".join(pane.current.view.terminal.display)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return pane.current
