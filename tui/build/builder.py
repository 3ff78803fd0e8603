"""Who builds images: opens the form, begins builds and follows them, opens their views, lists those that were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.errors import EngineError, EngineUnreachable
from tui import commands
from tui.paint import join
from tui.safe import safe_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.client.builds import Asking, Wish
    from tui.build.ask import Fields
    from tui.build.model import Build
    from tui.build.screen import BuildScreen
    from tui.jobs.model import Watch
    from tui.screens.form import Values
    from tui.screens.main import MainScreen

_KEEPS: Final = "finished steps stay in the cache"
_FOREIGN: Final = "This engine builds for docker build alone; onggi's own shows its builds here."
_TRIES: Final = 20  # seconds for which an engine that went away is waited for
_PATIENCE: Final = 5.0  # seconds until a new image must be in the list


class Builder:
    """Builds belong to the engine: what is here only looks at them."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._last: Fields | None = None
        self.here = Path.cwd()
        self.table: dict[str, Callable[[], None]] = {
            "image_build": lambda: self.ask(),
            "builds": self.list_builds,
        }

    # Begin

    def ask(self, first: Fields | None = None) -> None:
        """Open the form."""
        from tui.build import ask

        screen = self._screen
        if not self._can():
            return
        form = ask.form(screen.world, first or self._last or ask.Fields(), self.here, screen.onggi.glyphs)
        screen.app.push_screen(form, self._asked)

    def _asked(self, values: Values | None) -> None:
        from tui.build.ask import of_values

        if values is not None:
            self._last = of_values(values)
            self.begin(self._last.wish(self.here), self._last.line())

    def typed(self, argv: Sequence[str]) -> bool:
        """Begin a build typed by hand, or ask for what it lacks; False = it is none, or the command line's."""
        from tui.build import ask

        found = ask.typed(argv)
        if found is None or not self._screen.engine.own:
            return False
        if found.folder:
            self.begin(found.wish(self.here), found.line())
        else:
            found.folder = "."
            self.ask(found)
        return True

    def _can(self) -> bool:
        if self._screen.engine.own:
            return True
        self._screen.line.say(join((_FOREIGN, "$muted")))
        return False

    def begin(self, wish: Wish, command: str) -> Build:
        """Build, and show it."""
        from tui.build.model import Build

        screen = self._screen
        title = next(iter(wish.names), "") or Path(wish.folder).name or wish.folder
        build = Build(title, command, screen.onggi.now(), wish=wish)
        build.dockerfile = wish.dockerfile or "Dockerfile"
        names = {name if ":" in name.rpartition("/")[2] else f"{name}:latest" for name in wish.names}
        build.before = frozenset(row.id for row in screen.world.images if row.reference in names)

        async def doing(watch: Watch) -> str:
            return await self._build(build, wish, watch)

        job = screen.runner.start(f"build {title}", command, doing, keeps=_KEEPS)
        worker_ends = job.cancel
        job.stays, job.open = True, False
        job.cancel = build.end = lambda: self._end(build, worker_ends)
        job.show = lambda: self.show(build)
        self.show(build)
        return build

    def again(self, build: Build) -> None:
        """The same build once more."""
        if build.wish is None:
            self._say("What this build was made of is not here.")
        else:
            self._leave()
            self.begin(build.wish, build.command)

    async def _build(self, build: Build, wish: Wish, watch: Watch) -> str:
        from core.client import builds

        def sent(done: int, total: int) -> None:
            build.context = max(total, done)
            self._changed(build)

        try:
            build.id = await builds.begin(self.client, wish, sent)
            await self.follow(build, watch)
        except EngineError as error:
            build.error = build.error or str(error)
            if build.live:
                build.finish(self._screen.onggi.now(), "failed")
            self._changed(build)
            raise
        if build.outcome == "cancelled":
            raise asyncio.CancelledError
        if build.outcome != "done":
            raise EngineError(_reason(build))
        return next(iter(build.names), "") or build.image.removeprefix("sha256:")[:12]

    async def follow(self, build: Build, watch: Watch | None = None) -> None:
        """Hear of a build until it is over. Raises EngineError."""
        from core.client import builds

        now = self._screen.onggi.now
        try:
            async for told in builds.follow(self.client, build.id):
                build.take(told, now())
                if watch is not None:
                    watch.told(build.done, len(build.steps))
                self._changed(build)
                if build.failed is not None and not build.source:
                    build.recall(await builds.inspect(self.client, build.id))
        except EngineUnreachable:
            await self._come_back(build)
            return
        build.recall(await builds.inspect(self.client, build.id))
        if build.live:
            build.finish(now())
        self._changed(build)

    async def _come_back(self, build: Build) -> None:
        """The engine went away. The next one knows what became of the build."""
        from core.client import builds

        for tries in range(_TRIES):
            try:
                build.recall(await builds.inspect(self.client, build.id))
                break
            except EngineError:
                if tries == _TRIES - 1:
                    raise
                await asyncio.sleep(1)
        if build.live:
            await self.follow(build)
        self._changed(build)

    # End

    def cancel(self, build: Build) -> None:
        """End a build."""
        if build.end is not None:
            build.end()
        else:
            self._screen.work(self._cancelled(build), group="act")

    def _end(self, build: Build, worker_ends: Callable[[], None]) -> None:
        if build.id:
            self._screen.work(self._cancelled(build), group="act")
        else:  # its context is still on the way
            worker_ends()
            build.finish(self._screen.onggi.now(), "cancelled")
            self._changed(build)

    async def _cancelled(self, build: Build) -> None:
        from core.client import builds

        try:
            await builds.cancel(self.client, build.id)
        except EngineError as error:
            self._say(safe_plain(str(error)))

    # Look

    def show(self, build: Build) -> None:
        """Open the view of a build."""
        from tui.build.screen import BuildScreen

        self._screen.app.push_screen(BuildScreen(self._screen, self, build))

    def open(self, ident: str) -> None:
        """Open a build of the list, whoever began it."""
        self._screen.work(self._opened(ident), group="form")

    async def _opened(self, ident: str) -> None:
        from core.client import builds
        from tui.build.past import build_of

        try:
            record = await builds.inspect(self.client, ident)
        except EngineError as error:
            self._say(safe_plain(str(error)))
            return
        build = build_of(record, self._screen.onggi.now())
        self.show(build)
        try:
            await self.follow(build)
        except EngineError as error:
            build.error = build.error or str(error)
            self._changed(build)

    def list_builds(self) -> None:
        """Open the list of builds."""
        if self._can():
            self._screen.work(self._list, group="form", exclusive=True)

    async def _list(self) -> None:
        from core.client import builds
        from tui.build.past import PastBuilds

        try:
            found = await builds.listed(self.client)
        except EngineError as error:
            self._say(safe_plain(str(error)))
            return
        screen = self._screen
        past = PastBuilds(found, screen.onggi, self.client)
        screen.app.push_screen(past, lambda ident: self.open(ident) if ident else None)

    def layers(self, build: Build) -> None:
        """Go to the image's layers."""
        self._leave()
        self._screen.work(self._to_layers(build), group="form", exclusive=False)

    async def _to_layers(self, build: Build) -> None:
        screen = self._screen
        waited = 0.0
        while not (rows := [row for row in screen.world.images if row.id == build.image]):
            if waited >= _PATIENCE:
                screen.line.say(join(("The image is not here any more.", "$muted")))
                return
            await asyncio.sleep(0.05)
            waited += 0.05
        row = next((row for row in rows if row.reference in build.names), rows[0])
        screen.go_to("images")
        if not screen.lists.list_of("images").select(row.key):
            screen.follow.show_all("images")
            screen.lists.list_of("images").select(row.key)
        screen.follow.cursor()
        screen.detail.pick("Layers")
        screen.go_inside()

    # Odds and ends

    @property
    def client(self) -> Asking:
        """Who asks the engine."""
        return self._screen.onggi.calls.client

    def run_shell(self, image: str, shell: str, where: str) -> None:
        """Leave the view and open a shell in an image that is a step."""
        self._leave()
        words = ["run", "-it", "--rm", "--entrypoint", shell, image.removeprefix("sha256:")[:12]]
        self._screen.line.show(commands.line(words), join((where, "$muted")))
        self._screen.sessions.command(words)

    def _view(self) -> BuildScreen | None:
        from tui.build.screen import BuildScreen

        found = [one for one in self._screen.app.screen_stack if isinstance(one, BuildScreen)]
        return found[-1] if found else None

    def _changed(self, build: Build) -> None:
        view = self._view()
        if view is not None and view.build is build:
            view.changed()

    def _leave(self) -> None:
        view = self._view()
        if view is not None:
            view.leave()

    def _say(self, text: str) -> None:
        view = self._view()
        if view is not None:
            view.say(text)
        else:
            self._screen.line.say(join((text, "$muted")))


def _reason(build: Build) -> str:
    """Why it failed, in one line."""
    step = build.failed
    if step is not None and step.exit_code:
        return f"step {step.id}, line {step.told.line}, ended with {step.exit_code}: {safe_plain(step.told.text)}"
    return build.error or "the engine ended before the image was done"


def command_of(names: Sequence[str], dockerfile: str, target: str, folder: str) -> str:
    """The command of a build of which only the record is known."""
    words = [word for name in names for word in ("-t", name)]
    words += ["-f", dockerfile] if dockerfile else []
    words += ["--target", target] if target else []
    return commands.line(("build", *words), (folder or "-",))
