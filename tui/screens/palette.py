"""The palette: find an object, an action, or type a command. Objects come first, commands last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui import commands
from tui.actions import ACTIONS, LISTS, Situation, applies, scopes_of
from tui.glyphs import Glyphs
from tui.keymaps import Keymap
from tui.paint import ends, join
from tui.panes.containers import mark
from tui.safe import crop_end, crop_front, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.state import World
from tui.widgets.fields import Entry, Rule, Text
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList, Row

_MOST: Final = 200
_ROWS: Final = 14


@dataclass(frozen=True, slots=True)
class Found:
    """One thing the palette offers: an object (`of` = its list), an action, or a command."""

    kind: Literal["object", "action", "command"]
    value: str
    text: str
    note: str = ""
    of: str = ""
    mark: tuple[str, str] = (" ", "")


class Choices(ObjectList):
    """The list below the entry, without a frame."""

    DEFAULT_CSS = """
    Choices, Choices:focus { border: none !important; background: $raised; height: 14; }
    """

    def _current_style(self, focused: bool) -> str:
        return super()._current_style(True)


class Palette(Dialog[Found]):
    """Answers with what was picked."""

    WIDTH = 84

    def __init__(
        self, world: World, place: str, now: Situation, keymap: Keymap, glyphs: Glyphs, text: str = ""
    ) -> None:
        super().__init__()
        self._all = [*objects(world, glyphs), *actions(place, now, keymap)]
        self._text = text
        self._glyphs = glyphs
        self._shown: dict[str, Found] = {}

    def box_titles(self) -> Titles:
        return Titles(
            join(("Go to, do, or type a command", "bold $focus")),
            join(("enter does it · esc closes", "$muted")),
        )

    def parts(self) -> list[Widget]:
        return [
            Entry(self._text, id="wanted", placeholder="web · stop · run -it busybox", select_on_focus=False),
            Rule(),
            Choices(id="choices", glyphs=self._glyphs),
            Text(id="hint"),
        ]

    def on_mount(self) -> None:
        self.query_one(Entry).focus()
        self._fill(self._text)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        picked = self._shown.get(self.query_one(Choices).cursor_id)
        if picked is not None:
            self.dismiss(picked)

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self.dismiss(self._shown[event.row_id])

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()

    def pressed(self, event: events.Key) -> None:
        moves = {"down": "down", "up": "up", "pagedown": "page_down", "pageup": "page_up"}
        if event.key in moves:
            event.stop()
            self.query_one(Choices).move(moves[event.key])
        else:
            super().pressed(event)

    def _fill(self, text: str) -> None:
        found = search(self._all, text)
        typed = Found("command", text.strip(), command_line(text), "run it")
        if commands.is_command(text):
            found = [typed, *found]
        elif text.strip() and not found:
            found = [typed]
        self._shown = {f"{n} {one.kind} {one.value}": one for n, one in enumerate(found[:_MOST])}
        words = text.lower().split()
        choices = self.query_one(Choices)
        choices.set_rows([Row(key, (one, text), _painter(one, words)) for key, one in self._shown.items()])
        choices.move("first")
        self.query_one("#hint", Text).show(join((commands.hint(text), "$paused")))


def _painter(one: Found, words: Sequence[str]) -> Callable[[int], Content]:
    def paint(width: int) -> Content:
        note = join((f"{crop_front(safe_plain(one.note), width // 2)} ", "$muted"))
        text = crop_end(safe_plain(one.text), max(width - note.cell_length - 4, 8))
        sign = (
            join((one.mark[0], one.mark[1]))
            if one.kind == "object"
            else join(("$" if one.kind == "command" else " ", "$muted"))
        )
        return ends(join(sign, " ", highlighted(text, words)), note, width)

    return paint


def highlighted(text: str, words: Sequence[str]) -> Content:
    """`text` with the matched letters bold and underlined."""
    content = safe(text)
    lower = text.lower()
    for word in words:
        at = lower.find(word)
        if at >= 0:
            content = content.stylize("bold underline $accent", at, at + len(word))
    return content


def command_line(text: str) -> str:
    """What was typed as the command that would run."""
    try:
        return commands.line(commands.parse(text).argv)
    except commands.BadCommand as error:
        return str(error)


def objects(world: World, glyphs: Glyphs) -> list[Found]:
    """Everything that has a row."""
    found = [
        Found("object", c.id, c.name, c.image, "containers", mark(c, glyphs))
        for c in sorted(world.containers.values(), key=lambda c: (not c.alive, c.name))
    ]
    found += [Found("object", i.key, i.name, "image", "images", ("▪", "$muted")) for i in world.images]
    found += [Found("object", v.name, v.name, "volume", "volumes", ("▪", "$muted")) for v in world.volumes]
    found += [Found("object", n.id, n.name, "network", "networks", ("▪", "$muted")) for n in world.networks]
    return found


def actions(place: str, now: Situation, keymap: Keymap) -> list[Found]:
    """The acts that make sense now, with their keys; those of the place first."""
    near = scopes_of(place)
    far = [scope for scope in LISTS if scope not in near]
    made = []
    for scope in (*near, *far):
        for action in ACTIONS:
            if action.scope != scope or action.own or not applies(action, now):
                continue
            where = f"{scope}: " if scope in far else ""
            made.append(Found("action", action.id, f"{where}{action.help}", keymap.shown(action.id), scope))
    return made


def search(entries: Sequence[Found], text: str) -> list[Found]:
    """The entries that hold every word of `text`; those that begin with it first."""
    words = text.lower().split()
    if not words:
        return list(entries)
    hits = [one for one in entries if all(word in f"{one.text} {one.note}".lower() for word in words)]
    return sorted(hits, key=lambda one: not one.text.lower().startswith(words[0]))
