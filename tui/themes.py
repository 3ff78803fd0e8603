"""Themes: TOML files of colour slots, and what Textual makes of them.

Slots are named by meaning (running, failed, stderr), so a widget never names a colour. In styles a slot is a
variable: `$ink` is the text, `$pane` the panes' ground; Textual computes `$text` and `$surface` itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

from tui import config

DEFAULT: Final = "onggi"
ANSI: Final = "ansi"
GUTTERS: Final = 8
NAMES: Final = ("onggi", "cheongja", "baekja", "heukja")

VARIABLES: Final = {
    "bg": "bg",
    "surface": "pane",
    "raised": "raised",
    "cursor": "cursor",
    "cursor_idle": "cursor-idle",
    "line": "line",
    "focus": "focus",
    "text": "ink",
    "muted": "muted",
    "accent": "accent",
    "accent2": "accent2",
    "on_accent": "on-accent",
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "exited": "exited",
    "failed": "failed",
    "created": "created",
    "dead": "dead",
    "stderr": "stderr",
    "cpu": "cpu",
}
"""Slot in the file -> variable in styles."""

_ANSI_SLOTS: Final = {
    "bg": "ansi_default",
    "surface": "ansi_default",
    "raised": "ansi_default",
    "cursor": "ansi_default",
    "cursor_idle": "ansi_default",
    "line": "ansi_bright_black",
    "focus": "ansi_yellow",
    "text": "ansi_default",
    "muted": "ansi_default",
    "accent": "ansi_yellow",
    "accent2": "ansi_cyan",
    "on_accent": "ansi_black",
    "running": "ansi_green",
    "paused": "ansi_yellow",
    "restarting": "ansi_blue",
    "exited": "ansi_default",
    "failed": "ansi_red",
    "created": "ansi_default",
    "dead": "ansi_magenta",
    "stderr": "ansi_red",
    "cpu": "ansi_yellow",
}
_ANSI_GUTTERS: Final = ("ansi_red", "ansi_blue", "ansi_green", "ansi_cyan", "ansi_yellow", "ansi_magenta")


class BadTheme(ValueError):
    """A theme file lacks a slot or holds something else than a colour."""


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme file: `slots` by the names of `VARIABLES`, `#rrggbb` each, and the eight gutters."""

    name: str
    dark: bool
    slots: Mapping[str, str]
    gutters: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        """What styles may name, without the `$`."""
        named = {variable: self.slots[slot] for slot, variable in VARIABLES.items()}
        gutters = {f"gutter-{n}": colour for n, colour in enumerate(self.gutters, 1)}
        return named | gutters | _textual_variables(self.slots)


def folder() -> Path:
    """Where the theme files lie: inside an installed package, or beside `tui` in a checkout."""
    installed = Path(__file__).with_name("_themes")
    return installed if installed.is_dir() else Path(__file__).parent.parent / "themes"


def load(path: Path) -> Palette:
    """Read one theme file. Raises BadTheme with the file's name and what is wrong."""
    try:
        document = config.document_of(config.read(path) or "", path.name)
    except config.BadConfig as error:
        raise BadTheme(f"theme {path.stem}: {error}") from error
    slots = document.get("slots", {})
    if not isinstance(slots, dict) or not isinstance(document.get("gutters", []), list):
        raise BadTheme(f"read theme {path.name}: slots must be a table, gutters a list")
    missing = [slot for slot in VARIABLES if not _is_colour(slots.get(slot))]
    gutters = document.get("gutters", [])
    if missing:
        raise BadTheme(f"read theme {path.name}: no colour for {', '.join(missing)}")
    if len(gutters) != GUTTERS or not all(map(_is_colour, gutters)):
        raise BadTheme(f"read theme {path.name}: gutters must be {GUTTERS} colours")
    return Palette(path.stem, bool(document.get("dark", True)), slots, tuple(gutters))


def _is_colour(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None


def theme_of(palette: Palette) -> Theme:
    """The Textual theme of a palette."""
    slot = palette.slots
    return Theme(
        name=palette.name,
        primary=slot["accent"],
        secondary=slot["accent2"],
        accent=slot["accent"],
        warning=slot["paused"],
        error=slot["failed"],
        success=slot["running"],
        foreground=slot["text"],
        background=slot["bg"],
        surface=slot["surface"],
        panel=slot["raised"],
        dark=palette.dark,
        variables=palette.variables(),
    )


def ansi_theme() -> Theme:
    """The terminal's own sixteen colours. It starts from Textual's, which alone knows how to leave them alone."""
    base = BUILTIN_THEMES["ansi-dark"]
    named = {variable: _ANSI_SLOTS[slot] for slot, variable in VARIABLES.items()}
    gutters = {f"gutter-{n + 1}": _ANSI_GUTTERS[n % len(_ANSI_GUTTERS)] for n in range(GUTTERS)}
    return Theme(
        name=ANSI,
        primary="ansi_yellow",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        dark=True,
        ansi=True,
        variables={**base.variables, **named, **gutters},
    )


def _textual_variables(slot: Mapping[str, str]) -> dict[str, str]:
    """Textual's own widgets (scroll bars, inputs) in our colours."""
    return {
        "scrollbar": slot["line"],
        "scrollbar-hover": slot["muted"],
        "scrollbar-active": slot["focus"],
        "scrollbar-background": slot["surface"],
        "scrollbar-background-hover": slot["surface"],
        "scrollbar-background-active": slot["surface"],
        "scrollbar-corner-color": slot["surface"],
        "input-cursor-background": slot["accent"],
        "input-cursor-foreground": slot["on_accent"],
        "input-selection-background": slot["cursor"],
        "block-cursor-background": slot["cursor"],
        "block-cursor-foreground": slot["text"],
    }


def defaults() -> dict[str, str]:
    """Every variable, so that a built-in theme of Textual finds them all."""
    return load(folder() / f"{DEFAULT}.toml").variables()


def user_folder() -> Path:
    """Where a user's own themes lie."""
    return config.folder() / "themes"


def available() -> tuple[str, ...]:
    """The names that can be chosen: ours in their order, then the user's, then the terminal's own colours."""
    own = sorted(path.stem for path in user_folder().glob("*.toml") if path.stem not in NAMES)
    return (*NAMES, *own, ANSI)


def changed(name: str) -> float:
    """When the user's own theme of that name was written last, in seconds since the epoch; 0 = there is none."""
    if Path(name).name != name:
        return 0.0
    try:
        return (user_folder() / f"{name}.toml").stat().st_mtime
    except OSError:
        return 0.0


def find(name: str) -> Theme:
    """The theme of that name. Raises BadTheme where there is none."""
    if name == ANSI:
        return ansi_theme()
    for place in (user_folder(), folder()):
        path = place / f"{name}.toml"
        if Path(name).name == name and path.is_file():
            return theme_of(load(path))
    raise BadTheme(f"find theme {name}: no such theme")
