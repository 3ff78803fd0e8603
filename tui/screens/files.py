"""Acts on files and names: run a container, load, import, save, export, tag. Long ones are jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import EngineError
from tui import commands, transfers
from tui.jobs.model import Watch
from tui.paint import join
from tui.safe import safe
from tui.screens import forms
from tui.screens.form import Form, Values
from tui.state import Image

if TYPE_CHECKING:
    from tui.screens.acts import Acts
    from tui.screens.main import MainScreen


class Files:
    """Opens the forms and does what they answer."""

    def __init__(self, screen: MainScreen, acts: Acts) -> None:
        self._screen = screen
        self._acts = acts
        self._runner = screen.runner
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
            if made:
                screen.onggi.backend.look_again(made)
            screen.say_error(f"{name} did not start: {error}" if made else f"{name} was not made: {error}")
            return
        screen.line.show(spec.line(), join(("running", "$running"), ", ", safe(name, style="$muted")))
        screen.follow.when_listed(made)

    # In and out

    def _load(self) -> None:
        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.of("image_load", [values["path"].strip()])
            self._runner.start(f"load {path.name}", command, lambda watch: transfers.load(client, path, watch))

        self._fill(forms.load(self._screen.onggi.glyphs, self.folder), do)

    def _import(self) -> None:
        def do(values: Values) -> None:
            path, client, name = self._path(values), self._screen.onggi.calls.client, values["name"].strip()
            changes = forms.split_changes(values["changes"])
            words = ("import", *(word for change in changes for word in ("-c", change)), values["path"].strip())
            command = commands.line(words, (name,) if name else ())

            def work(watch: Watch) -> Awaitable[str]:
                return transfers.import_(client, path, name, changes, watch)

            self._runner.start(f"import {path.name}", command, work)

        self._fill(forms.import_(self._screen.onggi.glyphs, self.folder), do)

    def _save(self) -> None:
        wanted = set(self._screen.targets("images"))
        names = [image.name for image in self._screen.world.images if image.key in wanted]
        if not names:
            return

        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.line(("save", "-o"), (values["path"].strip(), *names))
            self._runner.start(
                f"save {', '.join(names)}", command, lambda watch: transfers.save(client, names, path, watch)
            )

        self._fill(forms.save(self._screen.onggi.glyphs, self.folder, names), do)

    def _export(self) -> None:
        one = self._screen.container()
        if one is None:
            return

        def do(values: Values) -> None:
            path, client = self._path(values), self._screen.onggi.calls.client
            command = commands.line(("export", "-o"), (values["path"].strip(), one.name))
            self._runner.start(
                f"export {one.name}", command, lambda watch: transfers.export(client, one.id, path, watch)
            )

        self._fill(forms.export(self._screen.onggi.glyphs, self.folder, one.name), do)

    def _starter(self) -> None:
        client = self._screen.onggi.calls.client
        command = commands.line(("import", "--starter"))
        self._runner.start("make the starter image", command, lambda watch: transfers.starter(client, watch))

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
