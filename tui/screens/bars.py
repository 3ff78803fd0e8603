"""What stands in the bars of the main screen: banner, list tabs, footer; and what the detail is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from tui import header
from tui.actions import ACTIONS, BY_ID, LISTS, applies, scopes_of
from tui.keymaps import shown
from tui.paint import EMPTY, join, strip_of
from tui.panes.detail import Subject
from tui.panes.listing import NAMES
from tui.safe import safe
from tui.state import World
from tui.text import clock, span
from tui.widgets.bars import Bar, Hint, Hints

if TYPE_CHECKING:
    from tui.screens.main import MainScreen

_OUT: Final = (Hint("ctrl-p ctrl-q", "detach, it keeps running"), Hint("click outside", "leave"))
_ROOMY: Final = 90  # columns from which the banner says everything
_INSIDE: Final = (
    "every other key, Esc, Tab and Ctrl-C too, goes to the container",
    "every other key goes to the container",
)
_MOST: Final = 12
_UNDONE: Final = frozenset(("containers", "images", "volumes"))
"""Lists whose removals can be taken back."""


class RightColumn(Vertical):
    """What stands beside the lists: the detail, and frames that come and go below it."""

    class Resized(Message):
        """It has another height to share out."""

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())


class Head(Bar):
    """The header line; a click on one of the acts at its right end does it."""

    def __init__(self, key_of: Callable[[str], str]) -> None:
        super().__init__(id="header")
        self._key_of = key_of

    def on_click(self, event: events.Click) -> None:
        ways = header.ways(self._key_of)
        if self._right.plain != join("  ").join([way for _, way in ways]).plain:
            return  # the keyboard is in a container, and that is what stands there
        at = self.size.width - 1 - self._right.cell_length
        for act, way in ways:
            if at <= event.x < at + way.cell_length:
                self.post_message(Hints.Pressed(act))
            at += way.cell_length + 2


class ListTabs(Bar):
    """Narrow screens: the lists as a row of tabs, by number, with their counts."""

    class Picked(Message):
        """A list was clicked."""

        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

    def __init__(self) -> None:
        super().__init__(id="listtabs")
        self._pieces: list[tuple[str, Content]] = []
        self._shown: tuple[tuple[tuple[str, int], ...], str] = ((), "")

    def show_counts(self, world: World, current: str) -> None:
        """Counts of this world, with the current list in front of the reader."""
        counts = (
            len(world.containers),
            len(world.images),
            len(world.volumes),
            len(world.networks),
            len(world.projects()),
        )
        self._shown = (tuple(zip(LISTS, counts, strict=True)), current)
        self._fill()

    def _fill(self) -> None:
        """Whole names with their counts, or as much of them as there is room for."""
        counted, current = self._shown
        for names, told in ((0, True), (0, False), (3, False)):
            self._pieces = [
                (kind, self._piece(number, kind, count if told else -1, kind == current, names))
                for number, (kind, count) in enumerate(counted, 1)
            ]
            if sum(piece.cell_length + 2 for _, piece in self._pieces) <= self.size.width:
                break
        self.refresh()

    def _piece(self, number: int, kind: str, count: int, current: bool, letters: int) -> Content:
        name, told = NAMES[kind], join((f" {count}", "$muted")) if count >= 0 else EMPTY
        if current:
            return join((f" {number} ", "bold $on-accent on $focus"), " ", (name, "bold $focus"), told)
        return join((f"{number} {name[: letters or None]}", "$muted"), told)

    def on_resize(self, event: events.Resize) -> None:
        self._fill()

    def render_line(self, y: int) -> Strip:
        line = join(" ", join("  ").join([piece for _, piece in self._pieces]))
        return strip_of(line, self.size.width, self.visual_style, self.app)

    def on_click(self, event: events.Click) -> None:
        at = 1
        for kind, piece in self._pieces:
            if at <= event.x < at + piece.cell_length:
                self.post_message(self.Picked(kind))
            at += piece.cell_length + 2


def moment(seconds: float) -> str:
    """A time of day, "" for never."""
    return clock(seconds) if seconds else ""


def subject(world: World, kind: str, found: str) -> Subject:
    """What the detail shows for the row `found` of a list."""
    if kind == "containers" and found in world.containers:
        one = world.containers[found]
        return Subject(kind, found, one.name, one.image)
    if kind == "images":
        image = next((i for i in world.images if i.key == found), None)
        if image is not None:
            return Subject(kind, image.id, image.name, image.short_id)
    if kind == "volumes" and found:
        return Subject(kind, found, found, "volume")
    if kind == "networks":
        network = next((n for n in world.networks if found in (n.id, n.name)), None)
        if network is not None:
            return Subject(kind, found, network.name, f"{network.driver} network")
    if kind == "projects" and found:
        return Subject(kind, found, found, "project")
    return Subject()


def show_banner(screen: MainScreen) -> None:
    """Engine down: what still runs, when the next try is, what to press."""
    engine = screen.engine
    if engine.state != "down":
        return
    now = screen.onggi.now()
    gone = max(now - engine.since, 0.0)
    roomy = screen.size.width >= _ROOMY
    more = "; only this view has stopped" if roomy else ""
    keep = f" Your containers keep running{more}." if engine.heard else ""
    head = f"The engine went away {span(gone)} ago." if engine.heard else "No engine answers."
    reason = EMPTY if engine.heard else join(" ", safe(engine.reason))
    screen.query_one("#banner1", Bar).show(join((head, "bold $failed"), keep, reason))
    wait = max(engine.next_try - now, 0.0)
    keys = screen.onggi.keymap
    second = join(
        (f"Next try in {span(wait)}.  " if wait >= 1 else "Trying now.  ", "$muted"),
        ("enter", "bold $accent"),
        (" try now; that starts a new engine" + (", which adopts them" if roomy else ""), "$muted"),
    )
    tail = join((keys.shown("details"), "bold $accent"), (" details", "$muted"))
    screen.query_one("#banner2", Bar).show(second, tail)


def show_footer(screen: MainScreen, footer: Hints) -> None:
    """Key and verb of what matters here; never a key that does nothing now."""
    footer.help_key = lambda: screen.onggi.key_of("help") or "?"
    if screen.keyboard_inside:
        footer.show_hints(_OUT, [join((words, "$muted")) for words in _INSIDE])
        return
    if screen.engine.state == "down":
        footer.show_hints(
            [Hint("enter", "try now", "retry"), *_hints(screen, ("details", "yank", "filter", "quit"))]
        )
        return
    keymap, place, now = screen.onggi.keymap, screen.place, screen.situation
    found = [
        action
        for scope in scopes_of(place, screen.about)
        for action in ACTIONS
        if action.scope == scope and action.rank and keymap.shown(action.id) and applies(action, now)
    ]
    if place in LISTS and not screen.lists.list_of(place).row_ids and not screen.detail.welcoming:
        found = [a for a in found if a.id in _WITHOUT_ROWS]
    undoes = place in _UNDONE or (screen.about == "images" and place != "jobs")
    if not (undoes and screen.engine.own and screen.engine.undo):
        found = [a for a in found if a.id != "undo"]
    if screen.detail.welcoming and place != "jobs":
        found = [a for a in found if a.id in ("image_pull", "image_load", "image_import", "image_starter")]
    own = scopes_of(place)
    found.sort(key=lambda action: (action.scope not in own, action.rank))
    hints = [Hint(keymap.shown(a.id), a.verb, "" if a.own else a.id) for a in found]
    if found and found[0].id == "log_next":
        hints.insert(1, Hint(shown(keymap.of("log_next")[-1]), "previous"))
    if place == "jobs":
        hints.insert(0, Hint(keymap.shown("jobs"), "hide", "jobs"))
    if place in ("text", "logs", "terminal", "layers", "files", "changes", "jobs"):
        hints.append(Hint(keymap.shown("back"), "back", "back"))
    if screen.detail.welcoming or len(hints) < 6:
        hints += [
            Hint(keymap.shown("palette"), "type a docker command", "palette"),
            Hint(keymap.shown("help"), "help", "help"),
            Hint(keymap.shown("quit"), "quit, nothing stops", "quit"),
        ]
    footer.show_hints(hints[:_MOST])


_WITHOUT_ROWS: Final = frozenset(
    ("run", "image_pull", "image_load", "image_build", "image_import", "image_starter", "login", "hide_stopped")
) | {"filter", "undo"}


def _hints(screen: MainScreen, actions: Sequence[str]) -> list[Hint]:
    keymap = screen.onggi.keymap
    return [Hint(keymap.shown(a), BY_ID[a].verb, a) for a in actions if keymap.of(a)]
