"""Acts that reach registries: pull, push, copy, log in, look inside; and commit, whose form is beside theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from core.errors import EngineError, Unauthorized
from core.oci.reference import HUB
from tui import commands
from tui.jobs.model import Watch
from tui.paint import join
from tui.remote import forms
from tui.remote.accounts import Accounts
from tui.remote.registry import Registries, server_of, shown_server
from tui.safe import safe
from tui.screens.form import Form, Values
from tui.screens.forms import split_changes
from tui.state import Image
from tui.transfers import split_reference

if TYPE_CHECKING:
    from tui.screens.acts import Acts
    from tui.screens.main import MainScreen

PARTS_STAY = "parts are kept for a resume"
_BLOBS_STAY = "what was sent stays for a resume"


class Remote:
    """Opens the forms and does what they answer; long ones are jobs."""

    def __init__(self, screen: MainScreen, acts: Acts) -> None:
        self._screen = screen
        self._acts = acts
        self.accounts = Accounts()
        self.registries = Registries(screen.onggi.calls.client, self.accounts.headers)
        self.visited: list[str] = []
        """Registries that were typed, for as long as the app runs."""
        self.table: dict[str, Callable[[], None]] = {
            "image_pull": lambda: self._open(self._pull_form, self._do_pull),
            "image_push": lambda: self._open(self._push_form, self._do_push),
            "image_copy": lambda: self._open(self._copy_form, self._do_copy),
            "login": lambda: self.login(""),
            "registries": self._browse,
            "commit": self._commit,
        }

    def _image(self) -> Image | None:
        key = self._screen.lists.list_of("images").cursor_id
        return next((image for image in self._screen.world.images if image.key == key), None)

    def _open(self, make: Callable[[Mapping[str, str]], Form | None], do: Callable[[Values], None]) -> None:
        """The user's accounts are read before the form shows them."""

        async def opened() -> None:
            form = make(await self.accounts.refresh())
            if form is not None:
                self._screen.app.push_screen(form, lambda values: do(values) if values is not None else None)

        self._screen.work(opened, group="form", exclusive=True)

    # Pull, push, copy

    def _pull_form(self, users: Mapping[str, str]) -> Form:
        image = self._image()
        name = image.reference if image is not None and self._screen.place != "containers" else ""
        lookup = forms.Lookup(self.registries)
        return forms.pull(self._screen.world, users, lookup, name, self._screen.onggi.glyphs)

    def _do_pull(self, values: Values) -> None:
        self.pull(forms.pulled_name(values), values["platform"].strip(), all_tags=bool(values.get("all")))

    def pull(self, name: str, platform: str = "", *, all_tags: bool = False) -> None:
        """Pull in the background."""
        words = [*(("-a",) if all_tags else ()), *(("--platform", platform) if platform else ()), name]
        doing = partial(self._pull, name, platform, all_tags)
        command = commands.line(("pull",), words)
        self._screen.runner.start(f"pull {name}", command, doing, keeps=PARTS_STAY, again=True)

    async def _pull(self, name: str, platform: str, all_tags: bool, watch: Watch) -> str:
        return await self.registries.pull(name, platform, watch, all_tags=all_tags)

    def _push_form(self, users: Mapping[str, str]) -> Form | None:
        image = self._image()
        if image is None:
            return None
        return forms.push(self._screen.world, users, image.name, self._screen.onggi.glyphs)

    def _do_push(self, values: Values) -> None:
        image = self._image()
        if image is not None:
            target = values["target"].strip()
            command, doing = forms.push_command(image.name, target), partial(self._push, image.name, target)
            self._screen.runner.start(f"push {target}", command, doing, keeps=_BLOBS_STAY, again=True)

    async def _push(self, source: str, target: str, watch: Watch) -> str:
        if source != target:
            repository, tag = split_reference(target)
            await self._screen.onggi.calls.act("image_tag", source, repo=repository, tag=tag or None)
        return await self.registries.push(target, watch)

    def _copy_form(self, users: Mapping[str, str]) -> Form:
        image = self._image()
        name = image.reference if image is not None else ""
        return forms.copy(self._screen.world, users, name, self._screen.onggi.glyphs)

    def _do_copy(self, values: Values) -> None:
        source, target = values["source"].strip(), values["target"].strip()

        async def doing(watch: Watch) -> str:
            await self.registries.pull(source, "", watch)
            watch.next_stage()
            return await self._push(source, target, watch)

        command = forms.copy_command(source, target)
        self._screen.runner.start(f"copy to {target}", command, doing, keeps=PARTS_STAY, again=True)

    # Log in

    def login(self, server: str) -> None:
        """Ask for user and password."""
        glyphs = self._screen.onggi.glyphs
        self._open(lambda users: forms.login(users, server, glyphs), self._do_login)

    def _do_login(self, values: Values) -> None:
        self._screen.work(self._logged_in(values), group="act")

    async def _logged_in(self, values: Values) -> None:
        screen = self._screen
        server, user = values["server"].strip() or HUB, values["user"].strip()
        words = ("-u", user, "--password-stdin", *((server,) if server != HUB else ()))
        command = commands.line(("login",), words)
        screen.line.show(command, join(("working", "$restarting")))
        try:
            await self.accounts.login(screen.onggi.calls.client, server, user, values["password"])
        except Unauthorized:
            screen.say_error(f"{shown_server(server)} does not know {user} with this password")
            return
        except (EngineError, OSError) as error:
            screen.say_error(f"log in to {shown_server(server)}: {error}")
            return
        await self.accounts.refresh()
        screen.line.show(command, join(("logged in", "$running"), (" as ", "$muted"), safe(user)))

    # Look inside

    def _browse(self) -> None:
        async def opened() -> None:
            from tui.remote.browser import Browser

            users = await self.accounts.refresh()
            known = list(
                dict.fromkeys([*self._screen.onggi.config.registries, *users, *self.visited, *self._here()])
            )
            browser = Browser(self.registries, known, users, self._screen.onggi.glyphs)
            self._screen.app.push_screen(browser, self._browsed)

        self._screen.work(opened, group="form", exclusive=True)

    def _here(self) -> list[str]:
        """The registries that images have come from, or are to go to."""
        servers = {server_of(image.reference) for image in self._screen.world.images if image.reference}
        return sorted(servers - {"", HUB})

    def _browsed(self, answer: tuple[str, str] | None) -> None:
        if answer is None:
            return
        what, name = answer
        if what == "pull":
            self.pull(name)
        elif what == "login":
            self.login(name)

    # Commit

    def _commit(self) -> None:
        screen = self._screen
        one = screen.container()
        if one is None:
            return

        def do(values: Values | None) -> None:
            if values is None:
                return
            repository, tag = split_reference(values["name"].strip())
            made = screen.onggi.calls.commit(
                one.id,
                repo=repository or None,
                tag=tag or None,
                comment=values["message"].strip() or None,
                author=values["author"].strip() or None,
                changes=split_changes(values["changes"]),
                pause=values.get("pause") != "",
            )
            command = commands.line(("commit",), forms.commit_words(one.name, values))

            async def doing(_watch: Watch) -> str:
                return (await made).removeprefix("sha256:")[:12]

            screen.runner.start(f"commit {one.name}", command, doing)

        screen.app.push_screen(forms.commit(screen.world, one.name, one.alive, screen.onggi.glyphs), do)
