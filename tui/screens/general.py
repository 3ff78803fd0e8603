"""Acts on the app itself: palette, help, copy, theme, sessions, quit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tui import commands
from tui.actions import BY_ID
from tui.paint import join
from tui.safe import safe
from tui.screens.menu import Item, Leave, Menu, Notice
from tui.screens.palette import Found, Palette

if TYPE_CHECKING:
    from tui.screens.acts import Acts
    from tui.screens.main import MainScreen


class General:
    """What is not about the engine's objects."""

    def __init__(self, screen: MainScreen, acts: Acts) -> None:
        self._screen = screen
        self._acts = acts
        self._saving = asyncio.Lock()  # the file is written by one at a time
        self.table: dict[str, Callable[[], None]] = {
            "palette": self._palette,
            "help": self._help,
            "yank": self._yank,
            "theme": self._theme,
            "keys": self._keys,
            "details": self._details,
            "quit": self._quit,
            "session_new": self._session_new,
            "session_next": self._session_next,
            "session_close": self._session_close,
            "enter_terminal": self._enter_terminal,
        }

    def _palette(self) -> None:
        screen = self._screen
        palette = Palette(screen.world, screen.place, screen.situation, screen.onggi.keymap, screen.onggi.glyphs)
        screen.app.push_screen(palette, lambda found: self.picked(found) if found is not None else None)

    def picked(self, found: Found) -> None:
        """Do what was picked in the palette."""
        screen = self._screen
        if found.kind == "object":
            screen.go_to(found.of)
            if not screen.lists.list_of(found.of).select(found.value):
                screen.follow.show_all(found.of)
                screen.lists.list_of(found.of).select(found.value)
            screen.follow.cursor()
        elif found.kind == "action":
            if found.of and found.of not in ("everywhere", "list"):
                screen.lists.pick(found.of) if found.of != "terminal" else None
            screen.do(BY_ID[found.value])
        else:
            self.typed(found.value)

    def typed(self, text: str) -> None:
        """Run a command typed by hand: in a terminal if it wants one, else with its output shown."""
        screen = self._screen
        try:
            typed = commands.parse(text)
        except commands.BadCommand as error:
            screen.say_error(str(error))
            return
        screen.line.show(commands.line(typed.argv))
        if screen.builder.typed(typed.argv):
            return
        if typed.interactive:
            screen.sessions.command(typed.argv)
            return
        from tui.screens.output import Output
        from tui.screens.sessions import cli

        output = Output(typed.argv, cli(typed.argv), screen.onggi.environment())
        screen.app.push_screen(output, lambda code: self._ended(commands.line(typed.argv), code))

    def _ended(self, command: str, code: int | None) -> None:
        outcome = join(("done", "$running")) if code == 0 else join((f"exit {code}", "$failed"))
        if code is None or code < 0:
            outcome = join(("given up", "$paused"))
        self._screen.line.show(command, outcome)

    def _help(self) -> None:
        from tui.screens.help import Help

        screen = self._screen
        screen.app.push_screen(Help(screen.place, screen.onggi.keymap, screen.onggi.glyphs))

    def _yank(self) -> None:
        """Copy something about the object under the cursor."""
        screen = self._screen
        subject = screen.detail.subject
        items = [Item("n", "name", subject.name), Item("i", "id", subject.id.removeprefix("sha256:"))]
        one = screen.world.containers.get(subject.id)
        if one is not None:
            items.append(Item("m", "image", one.image))
            if one.address:
                items.append(Item("a", "address", one.address))
            published = next((port.public for port in one.ports if port.public), 0)
            if published:
                items.append(Item("u", "url", f"http://localhost:{published}/"))
        if screen.line.command:
            items.append(Item("c", "command", screen.line.command))
        if screen.onggi.last_error:
            items.append(Item("e", "last error", screen.onggi.last_error))
        items = [item for item in items if item.value]
        screen.app.push_screen(Menu("Copy", subject.name, items), self._copied)

    def _copied(self, value: str | None) -> None:
        if value:
            self._screen.app.copy_to_clipboard(value)
            self._screen.line.say(join(("copied ", "$muted"), safe(value)))

    def _theme(self) -> None:
        """The next theme, which is kept in the user's file."""
        from tui import config
        from tui.config import BadConfig
        from tui.configfile import save_theme

        screen, path = self._screen, config.place()
        name = screen.onggi.next_theme()
        screen.line.say(join(("theme ", "$muted"), name))

        async def save() -> None:
            async with self._saving:
                if screen.onggi.theme != name:
                    return  # another one since
                try:
                    await asyncio.to_thread(save_theme, path, name)
                except (BadConfig, OSError) as error:
                    reason = (getattr(error, "strerror", None) or str(error)).lower()
                    screen.line.say(
                        join(
                            ("theme ", "$muted"),
                            name,
                            " ",
                            safe(f"not kept in the file: {reason}", style="$failed"),
                        )
                    )

        screen.work(save(), group="theme")

    def _keys(self) -> None:
        """The keys' editor: what is changed there holds at once, and is kept in the user's file."""
        from tui import config
        from tui.configfile import save_keys
        from tui.rebinding import Draft
        from tui.screens.keyeditor import KeyEditor

        onggi, path = self._screen.onggi, config.place()

        async def save(draft: Draft) -> None:
            try:
                async with self._saving:
                    remark = await asyncio.to_thread(save_keys, path, draft.preset, draft.own)
            except (OSError, UnicodeEncodeError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                editor.saved(f"not kept in the file: {reason.lower()}", failed=True)
            else:
                editor.saved(remark or "kept")

        def apply(draft: Draft) -> None:
            onggi.use_keys(draft.preset, draft.own)
            self._screen.work(save(draft), group="keys")

        where = f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
        editor = KeyEditor(Draft(onggi.keymap.name, onggi.config.keys), onggi.glyphs, where, apply)
        onggi.push_screen(editor)

    def _details(self) -> None:
        """The whole of the last error, or of why the engine does not answer."""
        screen = self._screen
        text = screen.engine.reason if screen.engine.state == "down" else screen.onggi.last_error
        screen.app.push_screen(Notice("What went wrong", text or "Nothing has gone wrong."))

    def _session_new(self) -> None:
        self._acts.do(BY_ID["shell"])

    def _session_next(self) -> None:
        if self._screen.detail.pane is not None:
            self._screen.detail.pane.turn()

    def _session_close(self) -> None:
        pane = self._screen.detail.pane
        if pane is not None and pane.current is not None:
            self._screen.work(pane.close(pane.current), group="session")

    def _enter_terminal(self) -> None:
        """Type into the session that is shown; one that was left is attached to again."""
        screen = self._screen
        pane = screen.detail.pane
        if pane is not None and pane.enter():
            return
        session = pane.current if pane is not None else None
        if session is not None and session.kind == "exec" and session.waits:
            screen.sessions.back_to(session)
            return
        if session is not None and session.over:
            screen.line.say(
                join(
                    safe(session.title),
                    (": it is over. ", "$muted"),
                    (screen.onggi.key_of("shell"), "bold $accent"),
                    (" opens a shell.", "$muted"),
                )
            )
            return
        one = screen.world.containers.get(session.container) if session is not None else screen.container()
        if one is not None and one.status == "running" and (session is None or session.kind == "attach"):
            screen.sessions.attach(one)
        else:
            self._acts.refuse(one)

    def _quit(self) -> None:
        """Leave at once, unless sessions or work would be left: those are named first."""
        screen = self._screen
        pane = screen.detail.pane
        sessions = [session.title for session in pane.sessions if session.live] if pane is not None else []
        jobs = [job.title for job in screen.runner.board.live if not job.stays]
        if not sessions and not jobs:
            screen.app.exit()
            return
        screen.app.push_screen(Leave(sessions, jobs), lambda leave: screen.app.exit() if leave else None)
