"""What the acts of the table do. Targets are bound at the key press; every act is shown as its command."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content

from core.errors import EngineError
from tui import commands
from tui.actions import Action
from tui.paint import EMPTY, join
from tui.panes import welcome
from tui.safe import safe, safe_plain
from tui.screens import removal
from tui.screens.confirm import KEEP, Confirm, Question
from tui.screens.files import Files
from tui.screens.general import General
from tui.screens.remote import Remote
from tui.screens.upkeep import Upkeep
from tui.state import Container
from tui.text import took

if TYPE_CHECKING:
    from tui.screens.main import MainScreen

_REMOVALS: Final = ("remove", "image_remove", "volume_remove")
_STATES: Final = {"running": "runs", "paused": "is paused", "restarting": "is restarting"}

Tail = Callable[[], Awaitable[Content]]
"""What the outcome says besides, asked for once all is done."""


async def _no_tail() -> Content:
    return EMPTY


class Acts:
    """Does acts for the main screen: those on containers itself, the others through `Files` and `General`."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.files = Files(screen, self)
        self.general = General(screen, self)
        self.upkeep = Upkeep(screen, self)
        self.remote = Remote(screen, self)
        self._table: dict[str, Callable[[], None]] = {
            "start": lambda: self._many("start"),
            "stop": lambda: self._many("stop"),
            "restart": lambda: self._many("restart"),
            "pause": lambda: self._many("pause"),
            "unpause": lambda: self._many("unpause"),
            "kill": self._kill,
            "remove": self._remove,
            "image_remove": self._remove_images,
            "volume_remove": self._remove_volumes,
            "attach": self._attach,
            "shell": self._shell,
            **self.files.table,
            **self.general.table,
            **self.upkeep.table,
            **self.remote.table,
            **screen.runner.table,
            **screen.builder.table,
        }

    def do(self, action: Action) -> None:
        """Do an act that is not the main screen's own."""
        self._table[action.id]()

    def can(self, action_id: str) -> bool:
        """Whether an act is one of these."""
        return action_id in self._table

    def welcome_choice(self) -> str:
        """The act that the first screen has preselected."""
        return welcome.CHOICES[self._screen.detail.choice][0]

    def refuse(self, one: Container | None) -> None:
        """Say why a key does nothing here, and what does something."""
        screen, keys = self._screen, self._screen.onggi.keymap
        if screen.place == "jobs":
            screen.line.say(join(("There is nothing to do about this job now.", "$muted")))
            return
        if one is None:
            screen.line.say(join(("There is no container here.", "$muted")))
            return
        instead = "stop" if one.alive else "start"
        words = f" {_STATES.get(one.status, 'does not run')}. "
        hint = join((keys.shown(instead), "bold $accent"), (f" {instead}s it.", "$muted"))
        screen.line.say(join(safe(one.name), (words, "$muted"), hint))

    def job(self, command: str, parts: Sequence[tuple[str, Awaitable[object]]], tail: Tail = _no_tail) -> None:
        """Await the parts of one command in a worker; the command line tells how it went."""
        self._screen.work(self._job(command, parts, tail), group="act")

    async def _job(self, command: str, parts: Sequence[tuple[str, Awaitable[object]]], tail: Tail) -> None:
        screen = self._screen
        began = screen.onggi.now()
        screen.line.show(command, join(("working", "$restarting")))
        results = await asyncio.gather(*(work for _, work in parts), return_exceptions=True)
        spent = took(max(screen.onggi.now() - began, 0.0))
        failed = [(part[0], e) for part, e in zip(parts, results, strict=True) if isinstance(e, BaseException)]
        for _, error in failed:
            if not isinstance(error, EngineError | OSError):
                raise error
        if not failed:
            screen.line.show(command, done(spent) + await tail())
            return
        name, first = failed[0]
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        screen.say_error(f"{safe_plain(name)}: {first}{more}")

    def each(
        self,
        verb: str,
        targets: Sequence[tuple[str, str]],
        *,
        shown: str = "",
        tail: Tail = _no_tail,
        **query: bool,
    ) -> None:
        """Do a verb to every target at once, as one command."""
        calls = self._screen.onggi.calls
        command = commands.of(shown or verb, [name for _, name in targets])
        more: dict[str, str | bool] = dict(query)
        if verb in _REMOVALS and len(targets) > 1 and self._screen.engine.own:
            more |= {"group": secrets.token_hex(8), "command": command.removeprefix("onggi ")}  # one undo for all
        self.job(command, [(name, self._try(ref, calls.act(verb, ref, **more))) for ref, name in targets], tail)

    async def _try(self, ref: str, work: Awaitable[object]) -> None:
        """Await one part; where it fails its container may be in another state, which no event tells."""
        try:
            await work
        except EngineError:
            if ref in self._screen.world.containers:
                self._screen.onggi.backend.look_again(ref)
            raise

    def ask(self, question: Question, do: Callable[[bool], None]) -> None:
        """Ask before a dangerous act; `do` is told whether force was chosen."""

        def answered(answer: str | None) -> None:
            if answer is not None:
                do(answer == "force")

        self._screen.app.push_screen(Confirm(question), answered)

    def _containers(self) -> list[Container]:
        known = self._screen.world.containers
        return [known[found] for found in self._screen.targets("containers") if found in known]

    def _many(self, act: str) -> None:
        """Start, stop and the like: for each target whose state allows it."""
        hit = self._containers()
        hit = [one for one in hit if _ready(act, one)] or hit
        if hit:
            self.each(act, [(one.id, one.name) for one in hit])

    def keys(self, action: str) -> tuple[str, ...]:
        """The keys that do a dangerous act when it asks: those that opened it, but for the ones that keep."""
        return tuple(key for key in self._screen.onggi.keymap.of(action) if key not in KEEP) or ("y",)

    def _kill(self) -> None:
        hit = [one for one in self._containers() if one.alive]
        if hit:
            question = removal.kill(hit, self.keys("kill"), self._screen.onggi.glyphs)
            self.ask(question, lambda _force: self.each("kill", [(one.id, one.name) for one in hit]))

    def _remove(self) -> None:
        hit = self._containers()
        if not hit:
            return
        screen, told = self._screen, self.upkeep.undo_told
        question = removal.containers(hit, screen.onggi.now(), self.keys("remove"), screen.onggi.glyphs, told)

        def do(force: bool) -> None:
            gone = [(one.id, one.name) for one in hit if force or not one.alive]
            shown = "remove_force" if force else "remove"
            self.each("remove", gone, shown=shown, tail=self.upkeep.until, force=force)

        self.ask(question, do)

    def _remove_images(self) -> None:
        world, wanted = self._screen.world, set(self._screen.targets("images"))
        hit = [image for image in world.images if image.key in wanted]
        if not hit:
            return
        question = removal.images(
            hit, world, self.keys("image_remove"), self._screen.onggi.glyphs, self.upkeep.undo_told
        )
        free = [(image.reference or image.id, image.name) for image in hit if not world.image_users(image.id)]
        self.ask(question, lambda _force: self.each("image_remove", free, tail=self.upkeep.until))

    def _remove_volumes(self) -> None:
        world, wanted = self._screen.world, set(self._screen.targets("volumes"))
        hit = [volume for volume in world.volumes if volume.name in wanted]
        if not hit:
            return
        screen, told = self._screen, self.upkeep.undo_told
        question = removal.volumes(hit, world, self.keys("volume_remove"), screen.onggi.glyphs, told)
        free = [(volume.name, volume.name) for volume in hit if not world.volume_users(volume.name)]
        self.ask(question, lambda _force: self.each("volume_remove", free, tail=self.upkeep.until))

    def _attach(self) -> None:
        one = self._screen.container()
        if one is not None:
            self._screen.sessions.attach(one)

    def _shell(self) -> None:
        one = self._screen.container()
        if one is not None:
            self._screen.sessions.shell(one)


def _ready(verb: str, one: Container) -> bool:
    """Whether a verb would change the state that is shown."""
    if verb == "start":
        return not one.alive
    if verb == "stop":
        return one.alive
    return one.status == {"pause": "running", "unpause": "paused"}.get(verb, one.status)


def done(spent: str) -> Content:
    """`done, 0.3 s`"""
    return join(("done", "$running"), (f", {spent}", "$muted"))
