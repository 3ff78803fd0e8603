"""The scenes that snapshots and the README's pictures show: a stage, a size, keys, a theme."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import inside
import keyscenes
from kiln import (
    asks_for_orders,
    begins_with_this_run,
    clears,
    fired_twice,
    fires,
    goes_to_a_time,
    keeps_failures,
    kiln,
    reads_on,
    saves,
    stands_on_a_hit,
    wraps_what_does_not_match,
)
from stage import NOW, PULL, Stage, app_on, potters_shop, settled, workshop
from textual.pilot import Pilot
from yard import Yard, asks, builds, lists, looks_at_output

from tui.app import OnggiApp
from tui.jobs.model import Job
from tui.messages import EngineDown

SMALL, USUAL, LARGE = (80, 24), (120, 40), (200, 60)


async def _nothing(app: OnggiApp) -> None:
    return


async def _engine_goes(app: OnggiApp) -> None:
    app.workers.cancel_group(app, "backend")
    app.main.post_message(EngineDown("the engine closed the connection", app.now() - 4, app.now() + 3))


KNOWN = {"registries": ("localhost:5000", "registry.shop.example")}


async def _pulls(app: OnggiApp) -> None:
    """A pull under way, one that rests, and two that are over."""
    screen = app.main
    runner = screen.runner
    began = NOW - 12
    app.now = screen.onggi.now = lambda: began
    screen.acts.remote.pull("postgres:17")
    await _until(lambda: bool(runner.board.jobs) and len(runner.board.jobs[0].parts) == len(PULL))
    app.now = lambda: NOW
    screen.tick()  # what was drawn meanwhile is of that time
    saved = runner.board.add(Job("save nginx.tar", "onggi save -o nginx.tar nginx:1.27", NOW - 40))
    saved.moved(22 << 20, 64 << 20, NOW - 30)
    runner.board.end(saved, "paused", "", NOW)
    loaded = runner.board.add(Job("load redis.tar", "onggi load -i redis.tar", NOW - 62))
    loaded.moved(39 << 20, 39 << 20, NOW - 61)
    runner.board.end(loaded, "done", "redis:7", NOW - 60.9)
    failed = runner.board.add(Job("pull nosuch:1", "onggi pull nosuch:1", NOW - 90))
    runner.board.end(failed, "failed", "no such image: nosuch:1", NOW - 89)
    runner.toggle()


async def _moves(app: OnggiApp) -> None:
    """A push, a load and a save on their way."""
    screen = app.main
    board = screen.runner.board
    pushed = board.add(
        Job("push registry.shop.example/team/api:2", "onggi push registry.shop.example/team/api:2", NOW - 9)
    )
    loaded = board.add(Job("load redis.tar", "onggi load -i redis.tar", NOW - 9, open=False))
    saved = board.add(Job("save nginx.tar", "onggi save -o nginx.tar nginx:1.27", NOW - 9))
    for second in range(7):
        moment = NOW - 6 + second
        for name, status, total in (("c277dbdcb8ca", "Pushing", 114), ("e6ec01a17542", "Preparing", 31)):
            current = (8 + 9 * second) << 20 if status == "Pushing" else 0
            detail = {"current": current, "total": total << 20}
            pushed.heard({"id": name, "status": status, "progressDetail": detail}, moment)
        detail = {"current": (3 + 5 * second) << 20, "total": 39 << 20}
        loaded.heard({"id": "9b2f0a51d774", "status": "Loading layer", "progressDetail": detail}, moment)
        saved.moved((20 + 22 * second) << 20, 640 << 20, moment)
    screen.runner.toggle()


async def _until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110  # the app has no event for what a picture waits for
            await asyncio.sleep(0.02)


async def _waste(app: OnggiApp) -> None:
    """Until all is told of the image that is shown."""
    browser = app.main.browser

    def told() -> bool:
        known = browser.known
        return known is not None and known.waste is not None and bool(known.shared) and bool(known.files)

    await _until(told)


async def _into_layers(app: OnggiApp) -> None:
    """Keys into the tree count only once it is there."""
    await _waste(app)
    await Pilot(app).press("enter", *"kk")
    await _waste(app)
    await Pilot(app).press("enter", "j")
    await _waste(app)


async def _tags(app: OnggiApp) -> None:
    """Until what is typed has been asked about."""
    await _waste(app)
    await _until(lambda: any("not there" in strip.text for strip in app.screen._compositor.render_strips()))


async def _browses(app: OnggiApp) -> None:
    from textual.pilot import Pilot

    pilot: Pilot[None] = Pilot(app)
    for key in ("enter", "j", "enter", "j"):
        await pilot.press(key)
        await pilot.pause(0.1)


@dataclass(frozen=True)
class Scene:
    """Keys are Textual's names; `then` does what no key does."""

    name: str
    size: tuple[int, int]
    keys: Sequence[str] = ()
    stage: Callable[[], Stage] = potters_shop
    config: dict[str, Any] = field(default_factory=dict)
    then: Callable[[OnggiApp], Any] = _nothing

    def app(self) -> OnggiApp:
        return app_on(self.stage(), **self.config)

    async def play(self, pilot: Pilot[None]) -> None:
        """Let the app settle and press the keys."""
        await settled(pilot)
        for key in self.keys:
            await pilot.press(key)
        assert isinstance(pilot.app, OnggiApp)
        await self.then(pilot.app)
        await pilot.pause(0.15)


_RUN = ["2", "j", "j", "r", *"box1", "tab", "tab", "tab", *"8080:80"]

SCENES = (
    *(Scene(f"main-{w}x{h}", (w, h)) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"logs-{w}x{h}", (w, h), ["enter"]) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"logs-merged-{w}x{h}", (w, h), stage=kiln, then=fires) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"logs-search-{w}x{h}", (w, h), stage=kiln, then=asks_for_orders) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"logs-hit-{w}x{h}", (w, h), stage=kiln, then=stands_on_a_hit) for w, h in (SMALL, USUAL, LARGE)),
    Scene("logs-keep", USUAL, stage=kiln, then=keeps_failures),
    Scene("logs-paused", SMALL, stage=kiln, then=reads_on),
    Scene("logs-wrap", SMALL, stage=kiln, then=wraps_what_does_not_match),
    Scene("logs-jump", SMALL, stage=kiln, then=goes_to_a_time),
    *(Scene(f"logs-save-{w}x{h}", (w, h), stage=kiln, then=saves) for w, h in (SMALL, USUAL)),
    *(Scene(f"logs-clear-{w}x{h}", (w, h), stage=kiln, then=clears) for w, h in (SMALL, USUAL)),
    Scene("logs-run", SMALL, stage=fired_twice, then=begins_with_this_run),
    *(Scene(f"isolation-{w}x{h}", (w, h), ["left_square_bracket", "enter"]) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"images-{w}x{h}", (w, h), ["2", "G", "k", "k"], then=_waste) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"layers-{w}x{h}", (w, h), ["2", *"jjjjjjjjj"], then=_into_layers) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"jobs-{w}x{h}", (w, h), stage=potters_shop, then=_pulls) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"moving-{w}x{h}", (w, h), stage=potters_shop, then=_moves) for w, h in (SMALL, USUAL, LARGE)),
    *(
        Scene(f"pull-{w}x{h}", (w, h), ["2", "p", *"shop/api", "tab", "2"], then=_tags)
        for w, h in (SMALL, USUAL, LARGE)
    ),
    *(Scene(f"registries-{w}x{h}", (w, h), ["B"], then=_browses, config=KNOWN) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"prune-{w}x{h}", (w, h), ["2", "D"]) for w, h in (SMALL, USUAL, LARGE)),
    *(
        Scene(f"build-{w}x{h}", (w, h), stage=lambda: Yard("passes", until=3.9), then=builds)
        for w, h in (SMALL, USUAL, LARGE)
    ),
    *(
        Scene(f"build-failed-{w}x{h}", (w, h), stage=lambda: Yard("fails"), then=builds)
        for w, h in (SMALL, USUAL, LARGE)
    ),
    Scene("build-output-80x24", SMALL, stage=lambda: Yard("fails"), then=looks_at_output),
    Scene("build-done", USUAL, stage=lambda: Yard("passes"), then=builds),
    *(
        Scene(f"build-form-{w}x{h}", (w, h), stage=lambda: Yard("passes"), then=asks)
        for w, h in (SMALL, USUAL, LARGE)
    ),
    *(
        Scene(f"builds-{w}x{h}", (w, h), ["H"], stage=lambda: Yard("passes", "fails"), then=lists)
        for w, h in (SMALL, USUAL, LARGE)
    ),
    Scene("push", USUAL, ["2", "G", "k", "P"]),
    Scene("copy-to", USUAL, ["2", "j", "c"]),
    Scene("login", USUAL, ["2", "L", *"localhost:5000", "tab", *"potter", "tab", *"secret"]),
    Scene("commit", USUAL, ["C", *"shop/web:2"]),
    Scene("changes", USUAL, ["right_square_bracket"] * 3 + ["enter"]),
    Scene("history", USUAL, ["2", "right_square_bracket"]),
    Scene("file", USUAL, ["2", "enter", *"kk", "enter", *"jjj", "enter"]),
    *(Scene(f"welcome-{w}x{h}", (w, h), stage=Stage) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"run-{w}x{h}", (w, h), _RUN) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"help-{w}x{h}", (w, h), ["question_mark"]) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"keys-{w}x{h}", (w, h), then=keyscenes.changes) for w, h in (SMALL, USUAL, LARGE)),
    Scene("keys-held", USUAL, then=keyscenes.asks),
    Scene("keys-ansi", SMALL, then=keyscenes.asks, config={"theme": "ansi"}),
    Scene("keys-found", SMALL, then=keyscenes.finds),
    *(Scene(f"k9s-{w}x{h}", (w, h), ["j"], config={"keymap": "k9s"}) for w, h in (SMALL, USUAL, LARGE)),
    *(
        Scene(f"k9s-help-{w}x{h}", (w, h), ["question_mark"], config={"keymap": "k9s"})
        for w, h in (SMALL, USUAL, LARGE)
    ),
    Scene("k9s-delete", USUAL, ["G", "ctrl+d"], config={"keymap": "k9s"}),
    *(Scene(f"delete-{w}x{h}", (w, h), ["space", "G", "space", "d"]) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"palette-{w}x{h}", (w, h), ["colon", *"sho"]) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"engine-down-{w}x{h}", (w, h), then=_engine_goes) for w, h in (SMALL, USUAL, LARGE)),
    *(Scene(f"terminal-{w}x{h}", (w, h), ["j", "a"], stage=workshop) for w, h in (SMALL, USUAL, LARGE)),
    Scene("terminal-looks-back", USUAL, ["j", "a"], stage=workshop, then=inside.looks_back),
    Scene("terminal-asks", USUAL, ["j", "a"], stage=workshop, then=inside.asks_for_the_clipboard),
    Scene("terminal-holds", SMALL, ["j", "a"], stage=workshop, then=inside.holds_a_key),
    Scene("config", USUAL, ["right_square_bracket"] * 3),
    Scene("stopped", USUAL, ["G", "left_square_bracket"]),
    Scene("filter", USUAL, ["slash", *"shop"]),
    Scene("volumes", USUAL, ["3", "enter"]),
    Scene("copy", USUAL, ["y"]),
    Scene("save", USUAL, ["2", "S"]),
    Scene("cheongja", USUAL, config={"theme": "cheongja"}),
    Scene("baekja", USUAL, config={"theme": "baekja"}),
    Scene("heukja", USUAL, config={"theme": "heukja"}),
    Scene("ascii", USUAL, config={"glyphs": "ascii"}),
    Scene("ansi", USUAL, config={"theme": "ansi"}),
)

PICTURES = (
    "logs-search-120x40", "logs-hit-120x40",
    "main-120x40", "main-80x24", "main-200x60", "logs-80x24", "terminal-120x40", "isolation-120x40",
    "images-120x40", "layers-120x40", "build-120x40", "build-failed-120x40", "build-form-120x40", "builds-120x40",
    "jobs-120x40", "pull-120x40", "registries-120x40", "prune-120x40",
    "keys-120x40", "run-120x40", "welcome-120x40", "delete-120x40", "help-120x40",
    "palette-120x40", "engine-down-120x40", "cheongja", "baekja", "heukja",
)  # fmt: skip
"""The scenes that the README shows."""
