"""Every act as the command that does the same from a shell, and commands typed by hand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PROGRAM: Final = "onggi"

VERBS: Final = {
    "start": ("start",),
    "stop": ("stop",),
    "restart": ("restart",),
    "kill": ("kill",),
    "pause": ("pause",),
    "unpause": ("unpause",),
    "remove": ("rm",),
    "remove_force": ("rm", "-f"),
    "image_remove": ("rmi",),
    "image_remove_force": ("rmi", "-f"),
    "volume_remove": ("volume", "rm"),
    "image_tag": ("tag",),
    "image_load": ("load", "-i"),
    "image_starter": ("import", "--starter"),
    "attach": ("attach",),
    "logs": ("logs", "-f"),
    "inspect": ("inspect",),
    "history": ("history",),
}
"""Act -> the words of our command line."""

_COMMANDS: Final = """
attach build builder commit container create diff engine events exec export history image images import info
inspect kill load login logout logs manifest network pause port ps pull push rename restart rm rmi run save search
start stats stop system tag top undo unpause verify version volume wait
"""
KNOWN: Final = frozenset(_COMMANDS.split())


class BadCommand(ValueError):
    """A typed command cannot be run; the text says why."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command typed by hand: the arguments after the program's name."""

    argv: tuple[str, ...]

    @property
    def interactive(self) -> bool:
        """It wants a terminal of its own: run or exec with -t, attach, start -a."""
        if not self.argv:
            return False
        verb, flags = self.argv[0], _flags(self.argv[1:])
        if verb == "attach":
            return True
        return (verb in ("run", "exec") and "t" in flags and "d" not in flags) or (verb == "start" and "a" in flags)


def line(words: Sequence[str], arguments: Sequence[str] = ()) -> str:
    """A command as it would be typed: `onggi rm job 'a name'`."""
    return shlex.join((PROGRAM, *words, *arguments))


def of(act: str, arguments: Sequence[str]) -> str:
    """The command of an act of the table."""
    return line(VERBS[act], arguments)


_TABS: Final = {
    "Logs": ("logs", "-f"),
    "Stats": ("stats",),
    "Layers": ("history",),
    "History": ("history", "--no-trunc"),
    "Changes": ("diff",),
    "Config": ("inspect",),
}


_USED_BY: Final = {"images": "ancestor", "volumes": "volume", "networks": "network"}
"""What `ps` is asked for, to list the containers that use one of a kind."""


def of_tab(kind: str, tab: str, name: str) -> str:
    """The command that shows what a tab shows, "" where there is none."""
    words = _TABS.get(tab)
    if tab == "Used by" and name:
        return line(("ps", "-a", "--filter"), (f"{_USED_BY.get(kind, kind)}={name}",))
    if words is None or not name:
        return ""
    if tab == "Config" and kind in ("volumes", "networks"):
        words = (kind[:-1], *words)
    return line(words, (name,))


def parse(text: str) -> Typed:
    """A typed command, with or without `onggi` or `docker` in front. Raises BadCommand."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadCommand(f"read command: {str(error).lower()}") from error
    if words and words[0] in (PROGRAM, "docker", "podman"):
        words = words[1:]
    if not words:
        raise BadCommand("type a command, as in: run -it busybox")
    if words[0] not in KNOWN and not words[0].startswith("-"):
        raise BadCommand(f"{words[0]!r} is not a command; {_nearest(words[0])}")
    return Typed(tuple(words))


def is_command(text: str) -> bool:
    """Whether what was typed begins like a command rather than naming an object or an action."""
    first, _, rest = text.strip().partition(" ")
    return first in (PROGRAM, "docker", "podman") or (first in KNOWN and bool(rest))


def hint(text: str) -> str:
    """What to say about the usual slips, "" for none."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    if "-name" in words:
        return "-name is read as -n -a -m -e; the flag is --name"
    if "-i" in words and words[words.index("-i") + 1 : words.index("-i") + 2] == ["it"]:
        return '"-i it" names an image "it"; the flags are -it'
    ends_in_shell = words[-1:] and words[-1].rpartition("/")[2] in ("sh", "bash", "ash")
    if ends_in_shell and "run" in words and "-d" in words and not {"-t", "-it", "-dit", "-itd"} & set(words):
        return "a shell without a terminal ends at once: add -it"
    return ""


def _flags(words: Sequence[str]) -> set[str]:
    """The letters of the short flags before the first argument, and of the long ones' first letters."""
    found: set[str] = set()
    for word in words:
        if not word.startswith("-"):
            break
        found |= {word[2:3]} if word.startswith("--") else set(word[1:])
    return found


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, KNOWN, 1)
    return f"did you mean {near[0]}?" if near else "? lists them"
