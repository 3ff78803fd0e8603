"""Into registries: registry, repository, tag, side by side; what a tag is, and a pull from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from core.errors import EngineError, Unauthorized
from core.oci.reference import HUB
from tui import commands, keymaps
from tui.glyphs import Glyphs
from tui.paint import EMPTY, fit, join
from tui.remote.registry import Registries, TagFacts, shown_server
from tui.safe import crop_front, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.text import count, size
from tui.widgets.fields import Entry, Text
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList, Row

_NAMES: Final = ("registries", "repositories", "tags")
_MOVES: Final = {
    "down": "down",
    "j": "down",
    "up": "up",
    "k": "up",
    "g": "first",
    "G": "last",
    "ctrl+d": "page_down",
    "pagedown": "page_down",
    "ctrl+u": "page_up",
    "pageup": "page_up",
}
_HEIGHT: Final = 30
_FIGURES: Final = 21  # cells of a tag's platforms and size


class Column(ObjectList):
    """One of the three lists."""

    DEFAULT_CSS = """
    Column { width: 1fr; height: 1fr; background: $raised; }
    """

    def __init__(self, number: int, glyphs: Glyphs) -> None:
        super().__init__(id=_NAMES[number], glyphs=glyphs)
        self.number = number
        self.about = ""

    def titles(self, focused: bool) -> Titles:
        left = join((_NAMES[self.number], "bold $focus" if focused else "$ink"))
        if self.about:
            left = join(left, (f" of {safe_plain(self.about)}", "$muted"))
        right = join((str(len(self.row_ids)), "$muted")) if self.row_ids else EMPTY
        return Titles(left, right)


class Columns(Horizontal):
    """The three lists side by side."""

    DEFAULT_CSS = "Columns { height: 1fr; width: 1fr; background: $raised; }"

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        for number in range(len(_NAMES)):
            yield Column(number, self._glyphs)


class Browser(Dialog[tuple[str, str]]):
    """Answers with ("pull", reference) or ("login", registry)."""

    WIDTH = 160
    DEFAULT_CSS = """
    Browser #typed { display: none; }
    Browser.-typing #typed { display: block; }
    Browser.-narrow Column { display: none; }
    Browser.-narrow Column.-here { display: block; }
    """

    def __init__(
        self, registries: Registries, known: Sequence[str], users: Mapping[str, str], glyphs: Glyphs
    ) -> None:
        super().__init__()
        self._registries = registries
        self._known = list(known)
        self._users = users
        self._glyphs = glyphs
        self._here = 0
        self._facts: dict[str, TagFacts] = {}
        self._wants_login = False
        self._told = EMPTY  # what came of going in, for a narrow screen, where only one list is seen

    def box_titles(self) -> Titles:
        return Titles(
            join(("Registries", "bold $focus")),
            join(("enter goes in · esc goes back", "$muted")),
        )

    def parts(self) -> list[Widget]:
        typed = Entry("", id="typed", placeholder="localhost:5000", select_on_focus=False)
        return [Columns(self._glyphs), typed, Text(id="facts"), Text(id="command"), Text(id="keys")]

    def column(self, number: int) -> Column:
        """One of the three lists."""
        return self.query_one(f"#{_NAMES[number]}", Column)

    def on_mount(self) -> None:
        self.box.styles.height = "100%" if self.app.size.height < _HEIGHT else _HEIGHT
        self._list_registries()
        self._go(0)
        if not self._known:
            self._type()

    def on_resize(self, event: events.Resize) -> None:
        self.box.styles.height = "100%" if event.size.height < _HEIGHT else _HEIGHT

    def _list_registries(self) -> None:
        column = self.column(0)
        column.set_empty(join("None yet; ", ("a", "bold $accent"), " types one."))
        column.set_rows([Row(name, name, partial(self._registry, name)) for name in self._known])
        self.column(1).set_empty(join(("enter lists what it has.", "$muted")))
        self.column(2).set_empty(join(("enter lists its tags.", "$muted")))

    def _registry(self, name: str, width: int) -> Content:
        user = self._users.get(name)
        as_whom = join((f"  as {safe_plain(user)}", "$muted")) if user else EMPTY
        return fit(join(" ", safe(shown_server(name)), as_whom), width)

    def _go(self, number: int) -> None:
        """Give the keyboard to a list."""
        self._here = max(0, min(number, len(_NAMES) - 1))
        self._told = EMPTY
        for at in range(len(_NAMES)):
            self.column(at).set_class(at == self._here, "-here")
        self.call_after_refresh(self._take_keyboard)  # on a narrow screen the list is not there before
        self._say()

    def _take_keyboard(self) -> None:
        if not self.has_class("-typing"):
            self.column(self._here).focus()

    @property
    def server(self) -> str:
        return self.column(0).cursor_id

    @property
    def repository(self) -> str:
        """The repository under the cursor with its registry."""
        name = self.column(1).cursor_id
        return f"{self.server}/{name}" if name else ""

    @property
    def reference(self) -> str:
        """The tag under the cursor as a whole reference."""
        tag = self.column(2).cursor_id
        return f"{self.repository}:{tag}" if tag and self.repository else ""

    def _enter(self) -> None:
        if self._here == 0 and self.server:
            self.only_work(self._open_registry, "browse")
        elif self._here == 1 and self.repository:
            self.only_work(self._open_repository, "browse")
        elif self._here == 2:
            self._pull()

    def _tell(self, column: Column, text: Content) -> None:
        column.set_empty(text)
        self._told = text
        self._say()

    async def _open_registry(self) -> None:
        server, column = self.server, self.column(1)
        column.about = shown_server(server)
        column.set_rows([])
        self.column(2).set_rows([])
        if server == HUB:
            self._tell(column, join(("Docker Hub has too many to list; pull by name.", "$muted")))
            return
        self._wants_login = False
        self._tell(column, join((f"Asking {safe_plain(server)}.", "$muted")))
        try:
            names = await self._registries.catalog(server)
        except (EngineError, OSError) as error:
            self._wants_login = isinstance(error, Unauthorized)
            wants = join("It wants a login: ", ("L", "bold $accent"), " logs in.")
            self._tell(column, wants if self._wants_login else join(safe(str(error), style="$failed")))
            return
        column.set_empty(join(("It has nothing yet.", "$muted")))
        column.set_rows([Row(name, name, partial(_plain, name)) for name in sorted(names)])
        self._go(1)

    async def _open_repository(self) -> None:
        repository, column = self.repository, self.column(2)
        column.about = repository.partition("/")[2]
        column.set_rows([])
        column.set_empty(join(("Asking for its tags.", "$muted")))
        try:
            tags = await self._registries.tags(repository)
        except (EngineError, OSError) as error:
            self._tell(column, join(safe(str(error), style="$failed")))
            return
        column.set_empty(join(("It has no tag any more.", "$muted")))
        self._list_tags(repository, tags)
        self._go(2)
        for tag in tags:
            await self._look(repository, tag)
            self._list_tags(repository, tags)

    async def _look(self, repository: str, tag: str) -> None:
        name = f"{repository}:{tag}"
        if name not in self._facts:
            try:
                self._facts[name] = await self._registries.facts(name)
            except (EngineError, OSError):
                self._facts[name] = TagFacts()
        if name == self.reference:
            self._say()

    def _list_tags(self, repository: str, tags: Sequence[str]) -> None:
        rows = []
        for tag in sorted(tags):
            facts = self._facts.get(f"{repository}:{tag}")
            rows.append(Row(tag, (tag, facts), partial(_tag, tag, facts)))
        self.column(2).set_rows(rows)

    def _say(self) -> None:
        """What the tag under the cursor is, the command that pulls it, and the keys."""
        facts = self._facts.get(self.reference) if self._here == 2 else None
        told = self._told if self.has_class("-narrow") else EMPTY
        if facts is not None:
            parts = [size(facts.size) if facts.size else "", facts.digest[:19], ", ".join(facts.platforms)]
            told = join((safe_plain(" · ".join(part for part in parts if part)), "$muted"))
        self.query_one("#facts", Text).show(told)
        name = self.reference if self._here == 2 else ""
        line = join(("$ ", "$muted"), safe(commands.line(("pull",), (name,)))) if name else EMPTY
        self.query_one("#command", Text).show(line)
        keys = [("enter", "pull" if self._here == 2 else "go in"), ("esc", "back"), ("a", "type a registry")]
        if self._here == 2:
            keys.insert(1, ("y", "copy the name"))
        if self._here == 0 or self._wants_login:
            keys.append(("L", "log in"))
        pairs = [join((key, "bold $accent"), (f" {verb}", "$muted")) for key, verb in keys]
        self.query_one("#keys", Text).show(join("  ").join(pairs))

    def _pull(self) -> None:
        if self.reference:
            self.dismiss(("pull", self.reference.removeprefix(f"{HUB}/")))

    def _type(self) -> None:
        self.add_class("-typing")
        self.column(0).set_empty(join(("None yet; type one below.", "$muted")))
        self.query_one("#typed", Entry).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip().removeprefix("https://").removeprefix("http://").rstrip("/")
        self.remove_class("-typing")
        if name and name not in self._known:
            self._known.append(name)
            self._list_registries()
        self._go(0)
        if name:
            self.column(0).select(name)
            self._enter()

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        self._told = EMPTY
        self._say()

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self._enter()

    def on_click(self, event: events.Click) -> None:
        column = event.widget
        if isinstance(column, Column) and column.number != self._here:
            self._go(column.number)

    def pressed(self, event: events.Key) -> None:
        typing = self.has_class("-typing")
        if typing and event.key != "escape":
            return
        event.stop()
        key = keymaps.pressed(event)
        if typing:
            self.remove_class("-typing")
            self._list_registries()
            self._go(0)
        elif key in _MOVES:
            self.column(self._here).move(_MOVES[key])
        elif key in ("enter", "l", "right", "p"):
            self._pull() if key == "p" else self._enter() if self._here < 2 or key == "enter" else None
        elif key in ("escape", "h", "left"):
            self._go(self._here - 1) if self._here else self.leave() if key == "escape" else None
        elif key == "tab":
            self._go((self._here + 1) % len(_NAMES))
        elif key == "q":
            self.leave()
        elif key == "a":
            self._type()
        elif key == "L" and self.server:
            self.dismiss(("login", self.server))
        elif key == "y" and self.reference:
            self.app.copy_to_clipboard(self.reference)


def _plain(name: str, width: int) -> Content:
    return fit(join(" ", safe(crop_front(safe_plain(name), width - 2))), width)


def _tag(tag: str, facts: TagFacts | None, width: int) -> Content:
    figure = join((size(facts.size) if facts is not None and facts.size else "", "$muted"))
    many = len(facts.platforms) if facts is not None else 0
    platforms = join((count(many, "platform") if many > 1 else "", "$muted"))
    room = max(width - 1 - _FIGURES, 8)
    name = fit(safe(crop_front(safe_plain(tag), room)), room)
    return join(" ", name, fit(platforms, 13), fit(figure, _FIGURES - 14, right=True), " ")
