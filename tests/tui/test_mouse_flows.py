"""All that a key does on the screen, a click does too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from keyscenes import shows, text_of
from stage import Stage, app_on, one_id, potters_shop, settled
from textual.pilot import Pilot

from tui.app import OnggiApp
from tui.safe import cell_width
from tui.screens.confirm import Confirm
from tui.screens.form import Form
from tui.screens.help import Help
from tui.screens.menu import Menu
from tui.screens.palette import Palette


@asynccontextmanager
async def playing(stage: Stage, size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[OnggiApp, Pilot[None]]]:
    app = app_on(stage)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield app, pilot
    assert app.faults == []


async def click(app: OnggiApp, pilot: Pilot[None], words: str, *, times: int = 1) -> None:
    """Click where the screen says so: the last such place."""
    lines = text_of(app).splitlines()
    y = max(n for n, line in enumerate(lines) if words in line)
    x = cell_width(lines[y][: lines[y].rindex(words)]) + 1
    await pilot.click(offset=(x, y), times=times)
    await pilot.pause(0.05)


async def test_deleting_by_the_mouse_alone() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await click(app, pilot, "× job")
        await click(app, pilot, "d delete")
        assert isinstance(app.screen, Confirm)
        await click(app, pilot, "Keep")
        assert not isinstance(app.screen, Confirm)
        assert not stage.calls
        await click(app, pilot, "d delete")
        await click(app, pilot, "  Remove  ")
        await shows(app, "$ onggi rm job")
        assert stage.calls == [("DELETE", f"/containers/{one_id('job')}", {"force": False})]


async def test_lists_tabs_menus_and_forms_by_the_mouse() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await click(app, pilot, "Config")
        assert app.main.detail.tab == "Config"
        await click(app, pilot, "y copy") if "y copy" in text_of(app) else await pilot.press("y")
        assert isinstance(app.screen, Menu)
        await click(app, pilot, "name        web")
        await shows(app, "copied web")
        await click(app, pilot, "nginx:1.27  ")
        assert app.main.lists.current == "images"
        await click(app, pilot, "r run")
        assert isinstance(app.screen, Form)
        await click(app, pilot, "Cancel")
        assert app.screen is app.main


async def test_the_header_and_the_rest_of_the_keys_by_the_mouse() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await click(app, pilot, ": command")
        assert isinstance(app.screen, Palette)
        await pilot.press("escape")
        await click(app, pilot, "? help")
        assert isinstance(app.screen, Help)
    async with playing(potters_shop(), (80, 24)) as (app, pilot):
        await click(app, pilot, "? more")
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        await click(app, pilot, "2 Images")
        assert app.main.lists.current == "images"
