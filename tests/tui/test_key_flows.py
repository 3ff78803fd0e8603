"""Other keys: changed in the app, they hold at once, everywhere, and are in the user's file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from keyscenes import shows, text_of
from stage import Stage, app_on, one_id, potters_shop, settled
from textual.pilot import Pilot

from tui import config, themes
from tui.app import OnggiApp
from tui.screens.confirm import Confirm
from tui.screens.keyeditor import KeyEditor


@asynccontextmanager
async def playing(stage: Stage, **settings: Any) -> AsyncIterator[tuple[OnggiApp, Pilot[None]]]:
    app = app_on(stage, **settings)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        yield app, pilot
    assert app.faults == []


async def find(pilot: Pilot[None], words: str) -> None:
    """Put the editor's cursor on the first act of that name."""
    await pilot.press("slash", *words, "enter")


def footer(app: OnggiApp) -> str:
    return text_of(app).splitlines()[-1]


async def test_a_new_key_holds_at_once_everywhere_and_is_in_the_file() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        assert "s stop" in footer(app)
        await pilot.press("comma")
        await find(pilot, "containers stop")
        await pilot.press("enter", "Q")
        await shows(app, "kept")
        await pilot.press("escape", "escape")
        assert "Q stop" in footer(app)
        assert "s stop" not in footer(app)
        await pilot.press("s")
        assert not stage.calls
        await pilot.press("Q")
        await shows(app, "$ onggi stop web")
        assert stage.calls == [("POST", f"/containers/{one_id('web')}/stop", {})]
        await pilot.press("question_mark")
        assert "Q         stop" in text_of(app)
        assert config.load().keys == {"stop": ("Q",)}


async def test_a_key_that_another_act_holds_is_taken_only_after_a_yes() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("comma")
        await find(pilot, "containers stop")
        await pilot.press("enter", "x")
        assert "x is held by: export its files" in text_of(app)
        assert app.keymap.of("stop") == ("s",)
        await pilot.press("escape")
        assert app.keymap.of("export") == ("x",)
        await pilot.press("enter", "x", "enter")
        assert app.keymap.of("stop") == ("x",)
        assert app.keymap.of("export") == ()
        await pilot.press("u")
        assert app.keymap.of("export") == ("x",)
        await shows(app, "kept")


async def test_the_other_keymap_holds_at_once() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("comma", "p")
        await shows(app, "kept")
        await pilot.press("escape")
        assert "s shell" in footer(app)
        assert config.load().keymap == "k9s"
        await pilot.press("d")
        assert app.main.detail.tab == "Config"
        await pilot.press("escape", "l")
        assert app.main.detail.tab == "Logs"


async def test_a_list_that_is_empty_names_the_keys_that_hold() -> None:
    stage = potters_shop()
    stage.containers.clear()
    async with playing(stage, keys={"run": ("Z",)}) as (app, _):
        assert "None yet. Z runs one." in text_of(app)


@pytest.mark.parametrize("key", ["ctrl+d", "delete"])
async def test_delete_of_k9s_asks_and_the_same_key_does_it(key: str) -> None:
    stage = potters_shop()
    async with playing(stage, keymap="k9s") as (app, pilot):
        await pilot.press("G", key)
        assert isinstance(app.screen, Confirm)
        assert not stage.calls
        await pilot.press("enter", key, "delete")
        await shows(app, "$ onggi rm job")
        assert stage.calls == [("DELETE", f"/containers/{one_id('job')}", {"force": False})]


async def test_no_key_of_the_editor_reaches_what_lies_below() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("comma", "s", "d", "X", "a", "E", "S", "ctrl+c", "f1")
        assert isinstance(app.screen, KeyEditor)
        await pilot.press("escape")
        assert not isinstance(app.screen, KeyEditor)
        assert not stage.calls


async def test_a_file_that_cannot_be_written_is_said_and_the_keys_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null/nowhere")
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("comma", "p")
        await shows(app, "not kept in the file: not a directory")
        assert app.keymap.name == "k9s"


async def test_what_is_wrong_with_the_settings_is_said_as_plain_text() -> None:
    own = {"fly\x1b]52;c;AAAA\x07": ("f",), "[@click=app.quit]": ("x",), "stop": ("banana",)}
    async with playing(potters_shop(), keymap="emacs", keys=own) as (app, pilot):
        await shows(app, "emacs is not known")
        assert "\x1b]52" not in text_of(app)
        await pilot.press("s")
        await shows(app, "$ onggi stop web")


async def test_every_act_can_be_reached_and_rebound_with_the_mouse() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("comma")
        rows = app.screen.query_one("#acts")
        await pilot.click(rows, offset=(10, 5), times=2)
        assert "Press the new key for" in text_of(app)
        await pilot.press("Q")
        await shows(app, "kept")
        changed = [act for act, keys in app.keymap.keys.items() if keys == ("Q",)]
        assert len(changed) == 1


async def test_the_theme_key_walks_through_all_there_are_and_each_one_is_drawn() -> None:
    folder = themes.user_folder()
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text((themes.folder() / "baekja.toml").read_text())
    seen, grounds = [], set()
    async with playing(potters_shop()) as (app, pilot):
        for _ in themes.available():
            await pilot.press("T")
            await shows(app, f"theme {app.theme}")
            seen.append(app.theme)
            grounds.add(app.screen.styles.background.hex)
        assert sorted(seen) == sorted(themes.available())
        assert {"onggi", "cheongja", "baekja", "heukja", "mine", "ansi"} == set(seen)
        assert len(grounds) == 5  # mine is baekja's


async def kept(theme: str) -> None:
    """Until the file says so."""
    async with asyncio.timeout(60):
        while config.load().theme != theme:  # noqa: ASYNC110  # a file has no event
            await asyncio.sleep(0.01)


async def test_a_theme_is_kept_in_the_file_and_the_last_of_several_wins() -> None:
    path = config.place()
    path.parent.mkdir(parents=True)
    path.write_text('# mine\nkeymap = "lazydocker" # so\ntheme = "onggi" # brown\n')
    async with playing(potters_shop(), theme="onggi") as (app, pilot):
        await pilot.press("T", "T", "T")
        await kept(app.theme)
        assert app.theme == "heukja"
        assert path.read_text() == '# mine\nkeymap = "lazydocker" # so\ntheme = "heukja" # brown\n'
    async with playing(potters_shop(), theme=config.load().theme) as (app, _):
        assert app.theme == "heukja"


@pytest.mark.parametrize("broken", [False, True], ids=["read-only", "broken"])
async def test_a_theme_that_cannot_be_kept_holds_and_that_is_said(broken: bool) -> None:
    path = config.place()
    path.parent.mkdir(parents=True)
    path.write_text("theme = [\n" if broken else 'theme = "onggi"\n')
    path.chmod(0o644 if broken else 0o444)
    before = path.read_text()
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("T")
        await shows(app, "theme cheongja not kept in the file: " + ("read" if broken else "it is read-only"))
        assert app.theme == "cheongja"
    assert path.read_text() == before


async def test_a_theme_of_ones_own_is_drawn_anew_when_its_file_is_saved() -> None:
    folder = themes.user_folder()
    folder.mkdir(parents=True)
    mine, source = folder / "mine.toml", (themes.folder() / "heukja.toml").read_text()
    mine.write_text(source)
    async with playing(potters_shop(), theme="mine") as (app, pilot):
        before = app.screen.styles.background.hex
        mine.write_text(source.replace('bg = "#0a0a0b"', 'bg = "#102030"'))
        os.utime(mine, (1, 1))
        app.main.tick()
        await shows(app, "theme mine as it is now")
        await pilot.pause(0.1)
        assert before != app.screen.styles.background.hex == "#102030"
        mine.write_text("slots = 4")
        os.utime(mine, (2, 2))
        app.main.tick()
        await shows(app, "mine.toml: slots must be a table")
        assert app.screen.styles.background.hex == "#102030"
        app.main.tick()
