"""Acts that make things: run a container, load, import, save, export, tag. Long ones are jobs with progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import Worker

from core.errors import EngineError
from tui import commands, transfers
from tui.calls import Told
from tui.jobs import Job, JobBoard
from tui.paint import join
from tui.safe import safe
from tui.screens import forms
from tui.screens.form import Form, Values
from tui.screens.progress import Progress
from tui.state import Image

if TYPE_CHECKING:
    from tui.screens.acts import Acts
    from tui.screens.main import MainScreen


class Files:
    """Opens the forms and does what they answer."""

    def __init__(self, screen: MainScreen, acts: Acts) -> None:
        self._screen = screen
        self._acts = acts
        self.board = JobBoard(screen.update_header)
        self.folder = Path.cwd()
        self.table: dict[str, Callable[[], None]] = {
            "run": lambda: self._run(None),
            "image_run": lambda: self._run(self._image()),
            "image_load": self._load,
            "image_import": self._import,
            "image_save": self._save,
            "image_tag": self._tag,
            "image_starter": self._starter,
            "export": self._export,
            "jobs": self._jobs,
        }

    def _image(self) -> Image | None:
        key = self._screen.lists.list_of("images").cursor_id
        return next((image for image in self._screen.world.images if image.key == key), None)

    def _fill(self, form: Form, do: Callable[[Values], None]) -> None:
        self._screen.app.push_screen(form, lambda values: do(values) if values is not None else None)

    def _path(self, values: Values) -> Path:
        return (self.folder / Path(values["path"].strip()).expanduser()).resolve()

    # Run

    def _run(self, image: Image | None) -> None:
        chosen = image or self._image()
        self._screen.work(partial(self._open_run, chosen), group="form", exclusive=True)

    async def _open_run(self, image: Image | None) -> None:
        """The form begins with what the image itself says it runs."""
        screen = self._screen
        command: tuple[str, ...] = ()
        if image is not None:
            try:
                entry = await screen.onggi.calls.document("images", image.name)
            except (EngineError, OSError) as error:
                screen.say_error(f"read {image.name}: {error}")
                return
            config = entry.get("Config") or {}
            command = tuple(map(str, [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]))
        name = image.name if image is not None else ""
        form = forms.run(screen.world, name, command, self.folder, screen.onggi.glyphs)
        self._fill(form, self._do_run)

    def _do_run(self, values: Values) -> None:
        self._screen.work(self._create_and_start(values), group="run")

    async def _create_and_start(self, values: Values) -> None:
        screen, spec = self._screen, forms.spec_of(values)
        calls = screen.onggi.calls
        screen.line.show(spec.line(), join(("working", "$restarting")))
        made, name = "", spec.name or spec.image
        try:
            made = await calls.create(spec.body(self.folder), spec.name, (commands.PROGRAM, *spec.argv()))
            name = spec.name or await calls.name_of(made)
            if spec.screen and not spec.background:
                await screen.sessions.run(made, name)
            await calls.act("start", made)
        except (EngineError, OSError) as error:
            screen.say_error(f"{name} did not start: {error}" if made else f"{name} was not made: {error}")
            return
        screen.line.show(spec.line(), join(("running", "$running"), ", ", safe(name, style="$muted")))
        screen.follow.when_listed(made)

    # In and out

    def _load(self) -> None:
        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.of("image_load", [values["path"].strip()])
            self.long(f"load {path.name}", command, lambda told: transfers.load(client, path, told))

        self._fill(forms.load(self._screen.onggi.glyphs, self.folder), do)

    def _import(self) -> None:
        def do(values: Values) -> None:
            path, client, name = self._path(values), self._screen.onggi.calls.client, values["name"].strip()
            changes = forms.split_changes(values["changes"])
            words = ("import", *(word for change in changes for word in ("-c", change)), values["path"].strip())
            command = commands.line(words, (name,) if name else ())

            def work(told: Told) -> Awaitable[str]:
                return transfers.import_(client, path, name, changes, told)

            self.long(f"import {path.name}", command, work)

        self._fill(forms.import_(self._screen.onggi.glyphs, self.folder), do)

    def _save(self) -> None:
        wanted = set(self._screen.targets("images"))
        names = [image.name for image in self._screen.world.images if image.key in wanted]
        if not names:
            return

        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.line(("save", "-o"), (values["path"].strip(), *names))
            self.long(f"save {', '.join(names)}", command, lambda told: transfers.save(client, names, path, told))

        self._fill(forms.save(self._screen.onggi.glyphs, self.folder, names), do)

    def _export(self) -> None:
        one = self._screen.container()
        if one is None:
            return

        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.line(("export", "-o"), (values["path"].strip(), one.name))
            self.long(f"export {one.name}", command, lambda told: transfers.export(client, one.id, path, told))

        self._fill(forms.export(self._screen.onggi.glyphs, self.folder, one.name), do)

    def _starter(self) -> None:
        client = self._screen.onggi.calls.client
        command = commands.line(("import", "--starter"))
        self.long("make the starter image", command, lambda told: transfers.starter(client, told))

    def _tag(self) -> None:
        image = self._image()
        if image is None:
            return

        def do(values: Values) -> None:
            name = values["name"].strip()
            repository, tag = transfers.split_reference(name)
            work = self._screen.onggi.calls.act("image_tag", image.name, repo=repository, tag=tag or None)
            self._acts.job(commands.of("image_tag", [image.name, name]), [(name, work)])

        self._fill(forms.tag(self._screen.onggi.glyphs, self._screen.world, image.name), do)

    # Long work

    def long(self, title: str, command: str, work: Callable[[Told], Awaitable[str]]) -> None:
        """Do long work in the background, with its progress on the screen until it is left to itself."""
        screen = self._screen
        job = self.board.add(Job(title, command, screen.onggi.now(), keeps="nothing of it stays"))
        worker: Worker[None] = screen.work(self._long(job, work), group="long")
        job.cancel = worker.cancel
        dialog = Progress(title, lambda: (job,), screen.onggi.now, screen.onggi.glyphs, goes=True)
        screen.app.push_screen(dialog)
        screen.line.show(command, join(("working", "$restarting")))

    async def _long(self, job: Job, work: Callable[[Told], Awaitable[str]]) -> None:
        screen, board = self._screen, self.board
        try:
            said = await work(lambda current, total: board.move(job, current, total))
        except asyncio.CancelledError:
            board.end(job, "cancelled", "cancelled; nothing of it stays", screen.onggi.now())
            screen.line.say(join(safe(job.title), (": cancelled", "$paused")))
            raise
        except (EngineError, OSError) as error:
            board.end(job, "failed", str(error), screen.onggi.now())
            screen.say_error(f"{job.title}: {error}")
        else:
            board.end(job, "done", said, screen.onggi.now())
            screen.line.show(job.command, join(("done", "$running"), ", ", safe(said, style="$muted")))
        self._close(job)

    def _close(self, job: Job) -> None:
        """A dialog about a finished job goes by itself; a failure stays to be read."""
        top = self._screen.app.screen
        if isinstance(top, Progress) and top.is_mounted:
            if job.state == "done" and top.only(job):
                top.dismiss(None)
            else:
                top.redraw()

    def _jobs(self) -> None:
        screen = self._screen
        screen.app.push_screen(Progress("Jobs", lambda: self.board.jobs, screen.onggi.now, screen.onggi.glyphs))
