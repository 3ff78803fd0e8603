"""Keeping the store tidy: prune images with the plan first, and take removals back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.content import Content

from core.errors import EngineError, NotFound
from tui import commands
from tui.paint import EMPTY, join
from tui.safe import safe, safe_plain
from tui.screens import removal
from tui.screens.confirm import Confirm
from tui.state import Json
from tui.text import clock, parse_time, size_prose

if TYPE_CHECKING:
    from tui.screens.acts import Acts
    from tui.screens.main import MainScreen


class Upkeep:
    """Prune, and undo."""

    def __init__(self, screen: MainScreen, acts: Acts) -> None:
        self._screen = screen
        self._acts = acts
        self.table: dict[str, Callable[[], None]] = {"image_prune": self._prune, "undo": self._undo}

    @property
    def undo_key(self) -> str:
        """The key that undoes; "" where the engine keeps nothing to take back."""
        engine = self._screen.engine
        return self._screen.onggi.keymap.shown("undo") if engine.own and engine.undo else ""

    @property
    def undo_told(self) -> str:
        """`u undoes this until 17:42`; "" where it cannot be undone."""
        until = clock(self._screen.onggi.now() + self._screen.engine.undo)[:5]
        return f"{self.undo_key} undoes this until {until}" if self.undo_key else ""

    def _prune(self) -> None:
        self._screen.work(self._ask_prune, group="form", exclusive=True)

    async def _ask_prune(self) -> None:
        """The engine's own plans first: what is agreed to is what is done."""
        screen, calls = self._screen, self._screen.onggi.calls
        try:
            few, every = await calls.prune_plan(all_of=False), await calls.prune_plan(all_of=True)
        except NotFound:
            few, every = (removal.plan_of(screen.world, all_of=all_of) for all_of in (False, True))
        except (EngineError, OSError) as error:
            screen.say_error(f"plan a prune: {error}")
            return
        keys = self._acts.keys("image_prune")
        question = removal.prune(few, every, screen.world, keys, screen.onggi.glyphs, self.undo_told)

        def answered(answer: str | None) -> None:
            if answer is not None:
                plan = every if answer == "other" else few
                screen.work(self._pruned(plan, all_of=answer == "other"), group="act")

        screen.app.push_screen(Confirm(question), answered)

    async def _pruned(self, plan: Json, *, all_of: bool) -> None:
        screen, calls = self._screen, self._screen.onggi.calls
        command = removal.prune_command(all_of=all_of)
        screen.line.show(command, join(("working", "$restarting")))
        own = screen.engine.own
        try:
            answer = await calls.prune(plan, command) if own else await calls.prune_images(all_of=all_of)
        except (EngineError, OSError) as error:
            screen.say_error(f"prune: {error}")
            return
        freed = f", {size_prose(int(answer.get('SpaceReclaimed') or 0))} freed"
        screen.line.show(command, join(("done", "$running"), (freed, "$muted"), await self.until()))

    async def until(self) -> Content:
        """` · u undoes until 17:42`, as the engine says."""
        if not self.undo_key:
            return EMPTY
        try:
            removals = await self._screen.onggi.calls.removals()
        except (EngineError, OSError):
            return EMPTY
        expires = parse_time(str(removals[0].get("Expires", ""))) if removals else 0.0
        told = f" until {clock(expires)[:5]}" if expires else ""
        return join((f" · {self.undo_key} undoes{told}", "$muted")) if removals else EMPTY

    def _undo(self) -> None:
        self._screen.work(self._undone(), group="act")

    async def _undone(self) -> None:
        """Take the last removal back; the command that does the same names it."""
        screen, calls = self._screen, self._screen.onggi.calls
        try:
            removals = await calls.removals()
            if not removals:
                screen.line.say(join(("Nothing to undo: no removal is kept.", "$muted")))
                return
            last = removals[0]
            command = commands.line(("undo",), (str(last.get("Id", "")),))
            screen.line.show(command, join(("working", "$restarting")))
            back = await calls.undo(int(last.get("Id") or 0))
        except NotFound:
            screen.line.say(join(("This engine cannot undo; onggi's own can.", "$muted")))
            return
        except (EngineError, OSError) as error:
            screen.say_error(f"undo: {error}")
            return
        names = [*(back.get("Names") or ()), *(one.get("Name") for one in back.get("Containers") or ())]
        what = ", ".join(str(name) for name in names) or str(last.get("What") or "") or "what was removed"
        notes = "; ".join(str(note) for note in back.get("Notes") or ())
        screen.line.show(command, join(("back: ", "$running"), safe(safe_plain(notes or what))))
