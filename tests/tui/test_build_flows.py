"""What keys do about builds: the form, the view, edit and again, cancel, the list, a shell in a step."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stage import StageClient, image_id, potters_shop
from test_flows import HOSTILE, forbidden, playing, text_of
from textual.pilot import Pilot
from yard import Yard, folder_of, recording, recording_of

from tui.app import OnggiApp
from tui.build.past import PastBuilds
from tui.build.screen import BuildScreen
from tui.screens.form import Form
from tui.screens.menu import Leave
from tui.screens.output import Output


@pytest.fixture(autouse=True)
def docker_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is logged in anywhere."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


async def until(pilot: Pilot[None], what: Callable[[], object]) -> None:
    """Wait for the screen, on a machine that may have other things to do."""
    async with asyncio.timeout(60):
        while not what():
            await pilot.pause(0.02)


def view_of(app: OnggiApp) -> BuildScreen:
    assert isinstance(app.screen, BuildScreen)
    return app.screen


async def begun(app: OnggiApp, pilot: Pilot[None], command: str = "build -t shop/api:2.5 .") -> BuildScreen:
    """A build typed by hand, as far as the yard lets it."""
    app.main.builder.here = folder_of("fails")
    app.main.acts.general.typed(command)
    await until(pilot, lambda: isinstance(app.screen, BuildScreen))
    view = view_of(app)
    await until(pilot, lambda: view.build.steps and ("pytest" in text_of(app) or not view.build.live))
    return view


def asked(yard: Yard) -> dict[str, Any]:
    """The query of the build that was sent."""
    return next(call[2] for call in yard.calls if call[:2] == ("UPLOAD", "/build"))  # type: ignore[return-value]


async def test_the_form_builds_what_its_command_says() -> None:
    yard = Yard("passes")
    async with playing(yard) as (app, pilot):
        app.main.builder.here = folder_of("fails")
        await pilot.press("2", "m")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press(*"shop/api:2.5", "tab", "tab", *"DB_PASSWORD=x", "tab", *"final", "tab", "space")
        await until(pilot, lambda: "14 steps in 2 stages" in text_of(app))
        command = "onggi build -t shop/api:2.5 --build-arg DB_PASSWORD=x --target final --no-cache ."
        assert f"$ {command}" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen) and not view_of(app).build.live)
        assert f"$ {command}" in text_of(app)
        query = asked(yard)
        assert (query["t"], query["target"], query["buildargs"]) == (
            ("shop/api:2.5",),
            "final",
            {"DB_PASSWORD": "x"},
        )
        assert query["nocache"] is True
        assert query["detach"] is True
        assert query["place"] == os.path.realpath(folder_of("fails"))


async def test_the_form_refuses_what_cannot_be_built(tmp_path: Path) -> None:
    async with playing(Yard("passes")) as (app, pilot):
        app.main.builder.here = tmp_path
        await pilot.press("2", "m")
        await until(pilot, lambda: "no Dockerfile here" in text_of(app))
        await pilot.press("enter")
        assert isinstance(app.screen, Form)
        (tmp_path / "Dockerfile").write_text("FROM a\nRUNN b\n")
        await pilot.press("x", "backspace")
        await until(pilot, lambda: "did you mean RUN" in text_of(app))
        await pilot.press("tab", "tab", "tab", *"nostage")
        (tmp_path / "Dockerfile").write_text("FROM a AS b\n")
        await until(pilot, lambda: "no such stage" in text_of(app))


async def test_a_build_that_is_typed_lacks_nothing_or_is_asked_for() -> None:
    yard = Yard("passes")
    async with playing(yard) as (app, pilot):
        app.main.builder.here = folder_of("fails")
        await pilot.press("colon", *"docker build -t jar:1", "enter")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await until(pilot, lambda: "$ onggi build -t jar:1 ." in text_of(app))
        await pilot.press("escape")
        await pilot.press("colon", *"docker build -t jar:1 .", "enter")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert asked(yard)["t"] == ("jar:1",)


async def test_what_only_the_command_line_can_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.sessions.cli", lambda argv: ["echo", *argv])
    async with playing(Yard("passes")) as (app, pilot):
        await pilot.press("colon", *"build --secret id=a .", "enter")
        await until(pilot, lambda: isinstance(app.screen, Output) and "--secret" in text_of(app))


async def test_two_stages_at_once_are_followed_and_the_reader_may_look_elsewhere() -> None:
    yard = Yard("passes", until=3.9)
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: "2 stages side by side" in text_of(app))
        text = text_of(app)
        assert text.index("collected 103 items") < text.index("Unpacking libkeyutils1")
        assert "11 waits for 7" in text
        assert "requirements.txt changed" in text
        assert "RUN --mount=type=secret,id=db_password" in text
        assert view.chosen is not None and view.chosen.id == 7
        await pilot.press("k", "k")
        await until(pilot, lambda: "Collecting gunicorn==23.0.0" in text_of(app))
        assert view.chosen.id == 5
        yard.go_on.set()
        await until(pilot, lambda: view.build.outcome == "done")
        assert view.chosen is not None and view.chosen.id == 5  # nobody pulled the reader away


async def test_follow_jumps_to_the_running_step() -> None:
    async with playing(Yard("passes", until=3.9)) as (app, pilot):
        view = await begun(app, pilot)
        await pilot.press("g")
        await until(pilot, lambda: "f follow" in text_of(app))
        assert view.chosen is not None and view.chosen.id == 1
        await pilot.press("f")
        await until(pilot, lambda: view.chosen is not None and view.chosen.id == 7)
        await until(pilot, lambda: "f follow" not in text_of(app))


async def test_cached_steps_are_one_line_that_unfolds() -> None:
    async with playing(Yard("passes")) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: "enter its layers" in text_of(app))
        assert "3 cached  steps 1-3" in text_of(app)
        assert "WORKDIR" not in text_of(app)
        await pilot.press("g", "space")  # enter is for the layers now
        await until(pilot, lambda: "WORKDIR /src" in text_of(app))
        await pilot.press("space")
        await until(pilot, lambda: "WORKDIR /src" not in text_of(app))


async def test_a_failure_shows_its_line_and_its_last_output() -> None:
    async with playing(Yard("fails")) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "failed")
        await until(pilot, lambda: "ended with exit code 1" in text_of(app) and "▸ 7  RUN" in text_of(app))
        text = text_of(app)
        assert "▸ 7  RUN python -m pytest -q" in text
        assert "┃ src/orders.py:14: AssertionError" in text
        assert "failed in step 7" in text
        await pilot.press("g")
        await until(pilot, lambda: view.chosen is not None and view.chosen.id == 1)
        await pilot.press("f")
        await until(pilot, lambda: view.chosen is not None and view.chosen.id == 7)
        await pilot.press("g", "enter")  # unfold the cached ones
        await until(pilot, lambda: "WORKDIR /src" in text_of(app))
        (job,) = app.main.runner.board.jobs
        assert job.state == "failed"
        assert "line 7" in job.note


async def test_small_screens_show_one_pane_at_a_time() -> None:
    async with playing(Yard("fails"), (80, 24)) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "failed")
        await until(pilot, lambda: "space its output" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: "ended with exit code 1" in text_of(app))
        assert "Why step" not in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: "Why step 6 ran" in text_of(app))
        await pilot.press("escape")
        assert app.screen is app.main


async def test_it_goes_on_in_the_background_as_a_job_and_outlives_the_app() -> None:
    yard = Yard("passes", until=3.9)
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await pilot.press("b")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("J")
        await until(pilot, lambda: "step 9 of 14" in text_of(app))
        assert "57 %" in text_of(app).split("\n")[0]
        assert "p pause" not in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        assert view_of(app).build is view.build
        await pilot.press("q")
        await pilot.pause(0.05)
        assert not isinstance(app.screen, Leave)  # nothing of it would be lost
    assert not [call for call in yard.calls if call[1].endswith("/cancel")]


async def test_cancel_ends_it_at_the_engine() -> None:
    yard = Yard("passes", until=3.9)
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: view.build.outcome == "cancelled")
        assert yard.calls[-1][1].endswith("/cancel")
        (job,) = app.main.runner.board.jobs
        await until(pilot, lambda: job.state == "cancelled")
        await until(pilot, lambda: "r again" in text_of(app) and "x cancel" not in text_of(app))


async def test_a_build_whose_engine_dies_is_lost_and_says_so() -> None:
    yard = Yard("passes")
    yard.breaks = True
    async with playing(yard) as (app, pilot):
        app.main.builder.here = folder_of("fails")
        app.main.acts.general.typed("build .")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen) and view_of(app).build.outcome == "lost")
        await until(pilot, lambda: "the engine ended before the build" in text_of(app))
        (job,) = app.main.runner.board.jobs
        assert job.state == "failed"
        await until(pilot, lambda: "r again" in text_of(app))


async def test_an_image_that_was_built_is_opened_at_its_layers() -> None:
    yard = Yard("passes")
    recording_of(yard)["record"]["Image"] = image_id("shop/api:2.4")
    recording_of(yard)["events"][-1]["Image"] = image_id("shop/api:2.4")
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "done")
        await until(pilot, lambda: "enter its layers" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.main.place == "layers")
        assert app.main.detail.subject.name == "shop/api:2.4"


def editor_that(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """$EDITOR is a shell script; a test's terminal cannot be suspended, so that is left out."""
    monkeypatch.setenv("VISUAL", f"sh -c '{does}' -")

    @contextmanager
    def suspend(_app: OnggiApp) -> Any:
        yield

    monkeypatch.setattr(OnggiApp, "suspend", suspend)


async def test_edit_builds_again_only_what_was_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    yard = Yard("fails", "passes")
    (tmp_path / "Dockerfile").write_text(recording("fails")["record"]["Source"])
    editor_that(monkeypatch, "true")
    async with playing(yard) as (app, pilot):
        app.main.builder.here = tmp_path
        app.main.acts.general.typed("build -t shop/api:2.5 .")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen) and not view_of(app).build.live)
        first = view_of(app)
        await until(pilot, lambda: "e edit Dockerfile" in text_of(app))
        await pilot.press("e")
        await until(pilot, lambda: "The Dockerfile is as it was" in text_of(app))
        assert app.screen is first
        editor_that(monkeypatch, "echo RUN true >> $1")
        yard.next = recording("passes")["record"]["Id"]
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen) and app.screen is not first)
        await until(pilot, lambda: view_of(app).build.outcome == "done")
        assert len([call for call in yard.calls if call[0] == "UPLOAD"]) == 2
        assert [screen for screen in app.screen_stack if isinstance(screen, BuildScreen)] == [app.screen]


async def test_a_shell_is_opened_in_a_step_that_failed_as_it_fell(monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Yard("fails")
    commands: list[tuple[str, ...]] = []
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "failed")
        failed = view.build.failed
        assert failed is not None
        yard.kept[failed.id] = {
            "Image": image_id("step"), "Step": failed.id, "Broken": True, "Shell": ["/bin/ash"], "Kept": 1800.0,
        }  # fmt: skip
        await until(pilot, lambda: "E shell in this step" in text_of(app))
        monkeypatch.setattr(app.main.sessions, "command", lambda argv: commands.append(tuple(argv)))
        await pilot.press("E")
        await until(pilot, lambda: commands)
        short = image_id("step").removeprefix("sha256:")[:12]
        assert commands == [("run", "-it", "--rm", "--entrypoint", "/bin/ash", short)]
        await until(pilot, lambda: f"step {failed.id} as it failed" in text_of(app))
        assert len([call for call in yard.calls if call[0] == "UPLOAD"]) == 1


async def test_a_shell_is_opened_in_what_the_lines_before_the_failure_made(monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Yard("fails", "passes")
    commands: list[tuple[str, ...]] = []
    async with playing(yard) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "failed")
        await until(pilot, lambda: "E shell in this step" in text_of(app))
        monkeypatch.setattr(app.main.sessions, "command", lambda argv: commands.append(tuple(argv)))
        passes = recording("passes")["record"]
        yard.next = passes["Id"]
        await pilot.press("E")
        await until(pilot, lambda: commands)
        assert commands[0][:5] == ("run", "-it", "--rm", "--entrypoint", "/bin/sh")
        assert passes["Image"].endswith(commands[0][5]) or commands[0][5] in passes["Image"]
        assert app.screen is app.main
        assert passes["Id"] not in yard.builds  # it was a means, and is not among the builds


async def test_the_list_of_builds_opens_one_and_forgets_one() -> None:
    yard = Yard("passes", "fails")
    async with playing(yard) as (app, pilot):
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, PastBuilds))
        await until(pilot, lambda: "14 steps, 2 cached" in text_of(app))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen))
        await until(pilot, lambda: "ended with exit code 1" in text_of(app))
        assert "$ onggi build -t shop/api:2.5 /home/potter/shop" in text_of(app)
        await pilot.press("escape", "H")
        await until(pilot, lambda: isinstance(app.screen, PastBuilds))
        await pilot.press("d")
        await until(pilot, lambda: "1 build kept" in text_of(app))
        assert len(yard.builds) == 1


async def test_the_palette_and_the_help_know_where_one_is() -> None:
    async with playing(Yard("fails")) as (app, pilot):
        view = await begun(app, pilot)
        await until(pilot, lambda: view.build.outcome == "failed")
        await pilot.press("question_mark")
        await until(pilot, lambda: "A build." in text_of(app))
        await pilot.press("escape", "colon", *"wrap")
        await until(pilot, lambda: "wrap long lines" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: "wrap on" in text_of(app))
        await pilot.press("colon", *"redis:7")
        await until(pilot, lambda: "▪ redis:7" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main and app.main.lists.current == "images")


async def test_an_engine_of_dockers_own_is_told_apart() -> None:
    class Docker(StageClient):
        async def get(self, path: str, **query: Any) -> Any:
            from core.errors import NotFound

            if path.startswith("/onggi/"):
                raise NotFound("page not found")
            return await super().get(path, **query)

    stage = potters_shop()
    stage.client = Docker
    async with playing(stage) as (app, pilot):
        await until(pilot, lambda: not app.main.engine.own)
        await pilot.press("H")
        await until(pilot, lambda: "onggi's own shows its builds here" in text_of(app))


def hostile_yard() -> Yard:
    """A build whose every text means harm."""
    yard = Yard("fails")
    build = recording_of(yard)
    plain = HOSTILE.replace("\udcff", "\ufffd")
    record = build["record"]
    record |= {"Source": plain, "Names": [plain], "Error": plain, "Warnings": [plain], "Place": plain}
    for event in build["events"]:
        if event["Event"] == "planned":
            event["Warnings"] = [f"line 1: {plain}", f"line 2: write ENV {plain}"]
            for step in event["Steps"]:
                step["Text"] = f"RUN {plain}"
                step["Stage"] = plain
        elif event["Event"] == "started":
            event["Cause"] = f"changed: {plain}"
        elif event["Event"] == "output":
            data = plain.encode() + b"\xff\x1b[2J\x1b]52;c;aGFjaw==\x07\x1b[?1049h\rover\n"
            event["Data"] = base64.b64encode(data).decode()
        elif event["Event"] == "failed":
            event |= {"Error": plain, "ExitCode": 0}
    for ident in range(1, 6):
        part = {
            "Event": "progress",
            "Id": ident,
            "Name": plain,
            "Status": plain,
            "Current": 1,
            "Total": 2,
            "At": 0.2,
        }
        build["events"].insert(2, part)
    return yard


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_hostile_build_changes_nothing_but_its_own_text(size: tuple[int, int]) -> None:
    yard = hostile_yard()
    async with playing(yard, size) as (app, pilot):
        app.main.builder.here = folder_of("fails")
        app.main.acts.general.typed("build .")
        await until(pilot, lambda: isinstance(app.screen, BuildScreen) and not view_of(app).build.live)
        seen: dict[str, set[str]] = {}
        for keys in (
            [],
            ["enter"],
            ["tab"],
            ["w"],
            ["g"],
            ["G"],
            ["y"],
            ["escape"],
            ["escape"],
            ["escape"],
            ["H"],
            ["enter"],
        ):
            await pilot.press(*keys)
            await pilot.pause(0.15)
            if found := forbidden(text_of(app)):
                seen[str(keys)] = found
            for strip in app.screen._compositor.render_strips():
                clicks = [segment.style.meta.get("@click", "") for segment in strip if segment.style]
                # a click does nothing but press a key of ours that stands there
                assert all(not click or click.startswith("screen.type(") for click in clicks)
        assert seen == {}
        assert app._exit is False


def test_the_recordings_hold_nothing_of_the_machine_they_were_made_on() -> None:
    for name in ("passes", "fails"):
        text = json.dumps(recording(name))
        assert recording(name)["record"]["Place"] == "/home/potter/shop"
        assert "/tmp" not in text and "/work" not in text
