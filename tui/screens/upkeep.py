"""Keeping the store tidy: prune images with the plan first, and take removals back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import EngineError, NotFound
from tui import commands
from tui.paint import join
from tui.safe import safe, safe_plain
from tui.screens import removal
from tui.screens.confirm import Confirm
from tui.text import size_prose

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
        return self._screen.onggi.keymap.shown("undo") if self._screen.engine.own else ""

    def _prune(self) -> None:
        screen = self._screen
        key = screen.onggi.keymap.shown("image_prune")
        question = removal.prune(screen.world, key, screen.onggi.glyphs, self.undo_key)

        def answered(answer: str | None) -> None:
            if answer is not None:
                screen.work(self._pruned(all_of=answer == "other"), group="act")

        screen.app.push_screen(Confirm(question), answered)

    async def _pruned(self, *, all_of: bool) -> None:
        screen = self._screen
        command = commands.line(("image", "prune", "-a") if all_of else ("image", "prune"))
        screen.line.show(command, join(("working", "$restarting")))
        try:
            answer = await screen.onggi.calls.prune_images(all_of=all_of)
        except (EngineError, OSError) as error:
            screen.say_error(f"prune: {error}")
            return
        freed = f", {size_prose(int(answer.get('SpaceReclaimed') or 0))} freed"
        undo = f" · {self.undo_key} undoes" if self.undo_key else ""
        screen.line.show(command, join(("done", "$running"), (freed + undo, "$muted")))

    def _undo(self) -> None:
        self._screen.work(self._undone(), group="act")

    async def _undone(self) -> None:
        """Take the last removal back; the command that does the same names it."""
        screen, calls = self._screen, self._screen.onggi.calls
        try:
            removals = await calls.removals()
            if not removals:
                screen.line.say(join(("Nothing to undo: no removal of an image is kept.", "$muted")))
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
        names = [safe_plain(str(name)) for name in back.get("Names") or ()]
        what = ", ".join(names) or safe_plain(str(last.get("What") or "")) or "the images"
        screen.line.show(command, join(("back: ", "$running"), safe(what)))
