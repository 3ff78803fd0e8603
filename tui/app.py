"""The application: joins theme, keys, backend and the main screen. Everything else is in its own room."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from rich.console import Console
from textual.app import App
from textual.filter import LineFilter
from textual.screen import Screen

from tui import config as settings
from tui import keymaps, themes
from tui.backend import Backend
from tui.calls import Calls, Client
from tui.config import Config
from tui.glyphs import ASCII, UNICODE, PlainMarks
from tui.header import Host
from tui.safe import safe_plain
from tui.screens.main import MainScreen
from tui.terminal.driver import TerminalDriver
from tui.terminal.probe import probe

_MOST_SAID: Final = 4  # of what is wrong with the settings; the keys' editor shows all
_HOST_EVERY: Final = 3.0  # seconds between two looks at the host's figures


class OnggiApp(App[None], inherit_bindings=False):
    """onggi on the whole screen. Parameters replace what a test or another engine brings.

    `client` speaks to the engine at `host`; `ensure` makes sure that one answers and tells whether it had to be
    started; `now` is the clock; `meter` reads the host's figures, None = do not show them; containers' figures
    are read every `stats_every` seconds. `plain` = the terminal cannot draw the marks; `few_colours` = it has
    sixteen or less; `typed` came before the app.
    """

    TITLE = "onggi"
    ENABLE_COMMAND_PALETTE = False  # its key is a priority binding, and would take Ctrl-P from the container
    ESCAPE_TO_MINIMIZE: ClassVar[bool] = False
    CSS: ClassVar[str] = """
    Toast { background: $raised; color: $ink; border-left: outer $focus; }
    LogView { background: $pane; color: $ink; }
    LogView > .log--out { color: $line; }
    LogView > .log--err { color: $stderr; }
    LogView > .log--time { color: $muted; }
    LogView > .log--hit { color: $on-accent; background: $paused; text-style: none; }
    LogView > .log--current { color: $on-accent; background: $accent; text-style: bold; }
    LogView > .log--prompt { color: $accent; background: $bg; text-style: bold; }
    LogView > .log--new { color: $on-accent; background: $accent; text-style: bold; }
    LogView > .log--cursor { background: $cursor; }
    LogView > .log--name { color: $ink; }
    LogView > .log--muted { color: $muted; text-style: strike; }
    LogView > .log--key { color: $accent2; }
    LogView > .log--error { color: $failed; text-style: bold; }
    LogView > .log--warn { color: $paused; text-style: bold; }
    LogView > .log--info { color: $restarting; }
    LogView > .log--debug { color: $muted; }
    LogView > .log--gutter-1 { color: $gutter-1; }
    LogView > .log--gutter-2 { color: $gutter-2; }
    LogView > .log--gutter-3 { color: $gutter-3; }
    LogView > .log--gutter-4 { color: $gutter-4; }
    LogView > .log--gutter-5 { color: $gutter-5; }
    LogView > .log--gutter-6 { color: $gutter-6; }
    LogView > .log--gutter-7 { color: $gutter-7; }
    LogView > .log--gutter-8 { color: $gutter-8; }
    TerminalView { background: $pane; color: $ink; }
    """

    def __init__(
        self,
        client: Client,
        host: str,
        ensure: Callable[[], Awaitable[bool]],
        *,
        config: Config | None = None,
        now: Callable[[], float] = time.time,
        meter: Callable[[], Host] | None = None,
        host_name: str = "local engine",
        stats_every: float = 2.0,
        problems: tuple[str, ...] = (),
        plain: bool = False,
        typed: bytes = b"",
        few_colours: bool = False,
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.config = config if config is not None else Config()
        self.typed_early = typed
        self.glyphs = ASCII if plain or self.config.glyphs == "ascii" else UNICODE
        self.keymap, clashes = keymaps.keymap(self.config.keymap, self.config.keys)
        self.now = now
        self.host = host
        self.host_name = host_name
        self.calls = Calls(client)
        self.main = MainScreen(self)
        self.backend = Backend(client, self.main.post_message, ensure, host, stats_every=stats_every)
        self.last_error = ""
        self.faults: list[Exception] = []  # of our own; a test looks here
        self._meter = meter
        self._few_colours = few_colours
        self._theme_file: tuple[str, float] = ("", 0.0)
        self._problems = (*problems, *clashes)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our slots, so that a built-in theme finds them too."""
        return themes.defaults()

    def get_default_screen(self) -> Screen[Any]:
        """The main screen lies at the bottom."""
        return self.main

    def on_mount(self) -> None:
        """Dress, then look for the engine: nothing before this waits for anything."""
        self.set_class(self.glyphs is ASCII, "-ascii")
        self.set_class(bool(os.environ.get("NO_COLOR")), "-plain")
        problems = list(self._problems)
        try:
            self.use_theme(self.config.theme or (themes.ANSI if self._few_colours else themes.DEFAULT))
        except themes.BadTheme as error:
            problems.append(str(error))
            self.use_theme(themes.DEFAULT)
        for problem in problems[:_MOST_SAID]:
            self.notify(safe_plain(problem), markup=False, severity="warning")
        self.run_worker(self.backend.run(), group="backend", exit_on_error=True)
        if self._meter is not None:
            self.run_worker(self._watch_host(self._meter), group="host", exit_on_error=False)

    def key_of(self, action_id: str) -> str:
        """The first key of an act as it is shown, by the keys that hold now."""
        return self.keymap.shown(action_id)

    def use_keys(self, preset: str, own: Mapping[str, tuple[str, ...]]) -> None:
        """Let other keys hold from now on."""
        self.config = replace(self.config, keymap=preset, keys=dict(own))
        self.keymap, _ = keymaps.keymap(preset, own)
        self.main.keys_changed()

    def use_theme(self, name: str) -> None:
        """Change colours. Raises BadTheme."""
        self._theme_file = (name, themes.changed(name))
        self.register_theme(themes.find(name))
        if self.theme == name:
            self.mutate_reactive(OnggiApp.theme)  # other colours under the same name
        self.theme = name
        self.set_class(bool(os.environ.get("NO_COLOR")) or name == themes.ANSI, "-plain")

    def reload_theme(self) -> bool:
        """Read a theme of the user's again when its file has changed; whether it was. Raises BadTheme."""
        name, before = self._theme_file
        if not name or themes.changed(name) == before:
            return False
        self.use_theme(name)
        return True

    def next_theme(self) -> str:
        """Change to the next theme there is; its name."""
        names = themes.available()
        at = names.index(self.theme) if self.theme in names else -1
        name = names[(at + 1) % len(names)]
        self.use_theme(name)
        self.config = replace(self.config, theme=name)
        return name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own, and one that keeps columns straight where marks are two cells wide."""
        filters = super().get_line_filters()
        return [*filters, PlainMarks()] if self.glyphs is ASCII else filters

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a terminal has the keyboard no binding runs, priority or not: every key is the container's."""
        if getattr(self.focused, "captures_keys", False):
            return False
        return super().check_action(action, parameters)

    def environment(self) -> dict[str, str]:
        """What a command of ours inherits: ours, with the engine it is to speak to."""
        return {**os.environ, "ONGGI_HOST": self.host, "TERM": "xterm-256color"}

    async def _watch_host(self, read: Callable[[], Host]) -> None:
        while True:
            try:
                self.main.set_host(await asyncio.to_thread(read))
            except OSError:
                return  # a host without /proc/net or the like: the header goes without
            await asyncio.sleep(_HOST_EVERY)


def make(host: str | None = None) -> OnggiApp:
    """The app for the engine at `host` (`ONGGI_HOST` or this machine's own by default)."""
    from core.client.aclient import AsyncClient
    from core.client.address import chosen_host, default_host
    from tui.host import HostMeter

    problems: tuple[str, ...] = ()
    try:
        config = settings.load()
    except settings.BadConfig as error:
        config, problems = Config(), (str(error),)
    narrow, typed = probe(0, 2) if config.glyphs == "auto" else (True, b"")
    console = os.environ.get("TERM") == "linux"  # its fonts have 512 signs: not our marks
    chosen = chosen_host(host)
    own = chosen == default_host()
    return OnggiApp(
        AsyncClient(chosen),
        chosen,
        _ensurer() if own else _nothing,
        config=config,
        meter=HostMeter().read,
        host_name="local engine" if own else chosen,
        problems=problems,
        plain=not narrow or (console and config.glyphs == "auto"),
        typed=typed,
        few_colours=Console(force_terminal=True).color_system in (None, "standard"),
    )


def _ensurer() -> Callable[[], Awaitable[bool]]:
    """Starts this machine's own engine where none answers. Blocking work is done in a thread."""

    def ensure() -> bool:
        from core.client.spawn import answers, ensure_engine
        from core.paths import Paths

        paths = Paths.from_environment()
        if answers(paths.socket):
            return False
        ensure_engine(paths)
        return True

    return lambda: asyncio.to_thread(ensure)


async def _nothing() -> bool:
    """Another machine's engine, or one at a place of its own, is not ours to start."""
    return False


def main(host: str | None = None) -> int:
    """Run the app until it is quit; the exit code."""
    app = make(host)
    app.run()
    return app.return_code or 0
