"""Shells of the app in real containers: several, left, painted again as they were, found again, and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.client.aclient import AsyncClient
from tests.integration.conftest import EngineUnderTest
from tui.app import OnggiApp
from tui.config import Config
from tui.panes.terminals import Session

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def web(engine: EngineUnderTest) -> Iterator[str]:
    made = engine.run("sleep", "1000", name="web")
    yield made
    engine.client.delete(f"/containers/{made}", {"force": "1"})


@asynccontextmanager
async def app_on(engine: EngineUnderTest) -> AsyncIterator[tuple[OnggiApp, Pilot[None]]]:
    async def ensure() -> bool:
        return False

    app = OnggiApp(AsyncClient(engine.host), engine.host, ensure, config=Config())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "web" in text_of(app) and app.main.engine.own, app)
        yield app, pilot
    assert app.faults == []


def text_of(app: OnggiApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], what: Callable[[], Any], app: OnggiApp) -> None:
    try:
        async with asyncio.timeout(60):
            while not what():
                await pilot.pause(0.02)
    except TimeoutError:
        raise AssertionError(text_of(app)) from None


def sessions(app: OnggiApp) -> list[Session]:
    return app.main.detail.pane.sessions if app.main.detail.pane is not None else []


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if c == " " else "enter" if c == "\n" else c for c in text))


async def test_shells_are_left_painted_again_found_and_over(engine: EngineUnderTest, web: str) -> None:
    async with app_on(engine) as (app, pilot):
        await pilot.press("E")
        await until(pilot, lambda: app.main.keyboard_inside and "#" in text_of(app), app)
        await typed(pilot, "X=first; echo is-$X\n")
        await until(pilot, lambda: "is-first" in text_of(app), app)
        await pilot.press("ctrl+p", "ctrl+q")
        await until(pilot, lambda: "detached, it keeps running" in text_of(app), app)
        assert not app.main.keyboard_inside
        await pilot.press("E")
        await until(pilot, lambda: app.main.keyboard_inside and len(sessions(app)) == 2, app)
        await typed(pilot, "X=second; echo is-$X\n")
        await until(pilot, lambda: "is-second" in text_of(app), app)
        await pilot.press("ctrl+p", "ctrl+q")
        await until(pilot, lambda: not app.main.keyboard_inside, app)
        assert len(engine.client.get(f"/onggi/v1/containers/{web}/execs")) == 2
    # Another app finds both, comes back to one, and sees what its screen showed before anything is typed.
    async with app_on(engine) as (app, pilot):
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: len(sessions(app)) == 2, app)
        assert "attaches to one of 2 shells" in text_of(app)
        app.main.go_inside()
        await pilot.press("enter")
        await until(pilot, lambda: "is-first" in text_of(app) and app.main.keyboard_inside, app)
        assert "is-second" not in text_of(app)
        await typed(pilot, "echo again-$X; exit 5\n")
        await until(pilot, lambda: "ended with exit code 5" in text_of(app), app)
        assert "again-first" in text_of(app)
        # The other one ends unseen, and says so no less.
        shell = next(one for one in sessions(app) if not one.over)
        await asyncio.to_thread(engine.client.post, f"/containers/{web}/kill", None, None)
        await until(pilot, lambda: shell not in sessions(app), app)
