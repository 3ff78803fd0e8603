"""Which key does what. A preset maps action ids to keys; the user's own keys go on top.

A key is the character it types, or Textual's name for one that types nothing (enter, tab, ctrl+d).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from textual.events import Key
from textual.keys import Keys, key_to_character

from tui.actions import ACTIONS, BY_ID, Action, scopes_of

_COMMON: Final[dict[str, tuple[str, ...]]] = {
    "open": ("enter",),
    "attach": ("a",),
    "run": ("r",),
    "back": ("escape",),
    "down": ("j", "down"),
    "up": ("k", "up"),
    "first": ("g", "home"),
    "last": ("G", "end"),
    "page_down": ("ctrl+d", "pagedown"),
    "page_up": ("ctrl+u", "pageup"),
    "next_pane": ("tab",),
    "previous_pane": ("shift+tab",),
    "list_1": ("1",),
    "list_2": ("2",),
    "list_3": ("3",),
    "list_4": ("4",),
    "list_5": ("5",),
    "mark": ("space",),
    "mark_all": ("*",),
    "filter": ("/",),
    "palette": (":",),
    "log_search": ("/",),
    "log_keep": ("&",),
    "log_next": ("n", "N"),
    "log_follow": ("f",),
    "log_wrap": ("w",),
    "log_time": ("t",),
    "log_invert": ("!",),
    "log_jump": ("@",),
    "log_run": ("{",),
    "log_mute": ("m",),
    "log_solo": ("M",),
    "log_unfold": ("x",),
    "log_select": ("v",),
    "log_save": ("S",),
    "log_wipe": ("X", "ctrl+l"),
    "enter_terminal": ("enter",),
    "help": ("?",),
    "jobs": ("J",),
    "theme": ("T",),
    "keys": (",",),
    "zoom": ("z",),
    "session_next": ("n",),
    "session_new": ("E",),
    "session_close": ("d",),
    "details": ("!",),
    "retry": ("ctrl+r",),
    "image_run": ("r",),
    "image_pull": ("p",),
    "image_push": ("P",),
    "image_prune": ("D",),
    "login": ("L",),
    "registries": ("B",),
    "commit": ("C",),
    "image_load": ("l",),
    "image_import": ("i",),
    "image_tag": ("t",),
    "image_save": ("S",),
    "image_starter": ("b",),
    "sort": ("O",),
    "job_open": ("enter",),
    "job_pause": ("p",),
    "job_resume": ("p",),
    "job_cancel": ("x",),
    "job_clear": ("c",),
    "layer_open": ("enter",),
    "layer_up_to": ("space",),
    "file_open": ("enter",),
    "file_shut": ("left", "h"),
    "file_unfold": ("right", "l"),
    "file_up_to": ("space",),
    "file_order": ("O",),
    "change_open": ("enter",),
    "change_shut": ("left", "h"),
    "change_unfold": ("right", "l"),
    "tab_left": ("[",),
    "tab_right": ("]",),
    "image_build": ("m",),
    "builds": ("H",),
    "build_layers": ("enter", "L"),
    "build_fold": ("space", "enter"),
    "build_failure": ("f",),
    "build_follow": ("f",),
    "build_edit": ("e",),
    "build_again": ("r",),
    "build_shell": ("E",),
    "build_leave": ("b",),
    "build_cancel": ("x",),
    "build_wrap": ("w",),
}

PRESETS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "lazydocker": {
        **_COMMON,
        "inspect": ("I",),
        "logs": ("m",),
        "shell": ("E",),
        "stop": ("s",),
        "start": ("S",),
        "restart": ("R",),
        "pause": ("p",),
        "unpause": ("p",),
        "undo": ("u",),
        "image_copy": ("c",),
        "kill": ("X",),
        "remove": ("d",),
        "export": ("x",),
        "hide_stopped": ("e",),
        "image_remove": ("d",),
        "volume_remove": ("d",),
        "pane_left": ("h", "left"),
        "pane_right": ("l", "right"),
        "yank": ("y",),
        "quit": ("q",),
    },
    "k9s": {
        **_COMMON,
        "inspect": ("d", "y"),
        "logs": ("l",),
        "shell": ("s",),
        "stop": ("S",),
        "start": ("u",),
        "restart": ("R",),
        "pause": ("P",),
        "unpause": ("P",),
        "undo": ("U",),
        "image_copy": ("M",),
        "kill": ("ctrl+k", "K"),
        "remove": ("ctrl+d", "delete"),
        "page_down": ("pagedown", "ctrl+f"),
        "page_up": ("pageup", "ctrl+b"),
        "export": ("x",),
        "hide_stopped": ("e",),
        "image_remove": ("ctrl+d", "delete"),
        "volume_remove": ("ctrl+d", "delete"),
        "pane_left": ("h", "left"),
        "pane_right": ("right",),
        "yank": ("c",),
        "log_follow": ("f", "s"),
        "log_save": ("S", "ctrl+s"),
        "log_wipe": ("X", "C", "ctrl+l"),
        "quit": ("q",),
    },
}

NEVER_TOGETHER: Final = frozenset(
    {
        ("pause", "unpause"),
        ("job_pause", "job_resume"),
        ("build_layers", "build_fold"),
        ("build_failure", "build_follow"),
    }
)
"""Acts of one place that may share a key: a state tells which of them is meant."""

_SHOWN: Final = {
    "escape": "esc",
    "shift+tab": "S-tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "delete": "del",
}


_SPELLED: Final = {
    **{text: key for key, text in _SHOWN.items()},
    "pgdn": "pagedown",
    "pgup": "pageup",
    "return": "enter",
    " ": "space",
}
_NAMED: Final = frozenset(key.value for key in Keys if not key.value.startswith("<"))
_CHORD: Final = re.compile(r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)+(?:[a-z0-9_]{1,40}|\S)")


@dataclass(frozen=True, slots=True)
class Keymap:
    """Keys by action id, in the order they are shown."""

    name: str
    keys: Mapping[str, tuple[str, ...]]

    def of(self, action_id: str) -> tuple[str, ...]:
        return self.keys.get(action_id, ())

    def shown(self, action_id: str) -> str:
        """The first key of an act as the footer prints it; "" where it has none."""
        keys = self.of(action_id)
        return shown(keys[0]) if keys else ""

    def all_of(self, key: str, place: str, about: str = "") -> tuple[Action, ...]:
        """Every act of the narrowest scope that has one for `key`: they may differ in when they apply."""
        for scope in scopes_of(place, about):
            found = tuple(a for a in ACTIONS if a.scope == scope and key in self.of(a.id))
            if found:
                return found
        return ()


def shown(key: str) -> str:
    """A key as the screen prints it: `esc`, `ctrl-d`, `E`."""
    return _SHOWN.get(key, key.replace("ctrl+", "ctrl-"))


def key_named(text: str) -> str:
    """The key that a user calls `text`: `x`, `esc`, `ctrl-d`, `question_mark`; "" where there is no such key."""
    name = text if len(text) == 1 else text.replace("ctrl-", "ctrl+").replace("alt-", "alt+")
    name = _SPELLED.get(name, _SPELLED.get(name.lower(), name))
    if len(name) == 1:
        return name if name.isprintable() else ""
    for one in (name, name.lower()):
        if one in _NAMED or _CHORD.fullmatch(one):
            return one
    typed = key_to_character(name) if name.isascii() else None
    return typed if typed is not None and typed.isascii() and typed.isprintable() else ""


def pressed(event: Key) -> str:
    """The name under which a key stands in a keymap."""
    if event.character and event.is_printable and event.character != " ":
        return event.character
    return event.key


def keymap(preset: str, own: Mapping[str, tuple[str, ...]]) -> tuple[Keymap, tuple[str, ...]]:
    """The preset with the user's keys on top, and one line for each thing wrong with it.

    An unknown preset falls back to lazydocker, an unknown action is left out, a clash keeps the user's key and
    takes it from the other act.
    """
    problems: list[str] = []
    if preset not in PRESETS:
        problems.append(f"keymap {preset} is not known; lazydocker is used")
        preset = "lazydocker"
    mine: dict[str, tuple[str, ...]] = {}
    for action_id, names in own.items():
        if action_id not in BY_ID:
            problems.append(f"keys.{action_id} names no action")
            continue
        wanted = tuple(key for key in map(key_named, names) if key)
        unknown = next((name for name in names if not key_named(name)), None)
        if unknown is not None:
            problems.append(f"keys.{action_id}: {unknown} is no key")
        if wanted or not names:
            mine[action_id] = wanted
    keys = {**PRESETS[preset], **mine}
    for action_id, wanted in mine.items():
        for other in rivals(keys, action_id, wanted):
            if other not in mine:
                problems.append(f"keys.{action_id} takes a key from {other}")
                keys[other] = tuple(key for key in keys[other] if key not in wanted)
            elif action_id < other:
                problems.append(f"keys.{action_id} and keys.{other} share a key")
    return Keymap(preset, keys), tuple(problems)


def rivals(keys: Mapping[str, tuple[str, ...]], action_id: str, wanted: tuple[str, ...]) -> list[str]:
    """Acts of the same place that hold one of the wanted keys, by id."""
    scope = BY_ID[action_id].scope
    return [
        other
        for other, held in keys.items()
        if other != action_id
        and BY_ID[other].scope == scope
        and not {(other, action_id), (action_id, other)} & NEVER_TOGETHER
        and set(held) & set(wanted)
    ]


def clashes(keymap: Keymap) -> tuple[tuple[str, str], ...]:
    """Pairs of acts of one scope that share a key, though a state does not tell which is meant."""
    return tuple(
        (one.id, two.id)
        for n, one in enumerate(ACTIONS)
        for two in ACTIONS[n + 1 :]
        if one.scope == two.scope
        and (one.id, two.id) not in NEVER_TOGETHER
        and set(keymap.of(one.id)) & set(keymap.of(two.id))
    )
