"""The keys' editor on the stage."""

from __future__ import annotations

import asyncio

from textual.pilot import Pilot

from tui.app import OnggiApp
from tui.screens.keyeditor import KeyEditor


def text_of(app: OnggiApp) -> str:
    """Everything on the screen, as plain text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def shows(app: OnggiApp, words: str) -> None:
    """Until the screen says so."""
    async with asyncio.timeout(60):
        while words not in text_of(app):  # noqa: ASYNC110  # the app has no event for what a picture waits for
            await asyncio.sleep(0.02)


async def _press(app: OnggiApp, *keys: str) -> KeyEditor:
    """Keys into the editor, whose file is called as a user's would be."""
    await Pilot(app).press(",", *keys)
    editor = app.screen
    assert isinstance(editor, KeyEditor)
    editor.where = "~/.config/onggi/config.toml"
    editor.box.retitle()
    return editor


async def changes(app: OnggiApp) -> None:
    """Two acts have other keys, and that is in the file."""
    await _press(app, "j", "j", "j", "j", "enter", "Z", "j", "plus", "Q")
    await shows(app, "kept")


async def asks(app: OnggiApp) -> None:
    """A key is held by another act."""
    await _press(app, "j", "j", "j", "j", "enter", "x")
    await shows(app, "is held by")


async def finds(app: OnggiApp) -> None:
    """Only what has a word in it."""
    await _press(app, "slash", *"log")
    await shows(app, "search in the log")
