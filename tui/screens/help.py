"""Help on where one is: a sentence, the legend, and the keys from the action table."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui.actions import ACTIONS, Action, scopes_of
from tui.glyphs import Glyphs
from tui.keymaps import Keymap, shown
from tui.paint import EMPTY, fit, join, wrap
from tui.screens.dialog import Dialog
from tui.widgets.frame import Titles
from tui.widgets.linesview import LinesView

_PLACES: Final = {
    "containers": ("The list of containers.", " One row, one container; the row you are on is shown at the right."),
    "images": ("The list of images.", " An image is what a container starts from; one row is one of its names."),
    "volumes": ("The list of volumes.", " A volume keeps files when its container is removed."),
    "networks": ("The list of networks.", " Containers on one network reach each other."),
    "projects": ("The list of projects.", " Containers that a compose file brought up together."),
    "logs": ("The log.", " What the container printed; the end is followed until you scroll up."),
    "terminal": ("The terminals.", " Each session is kept with its screen while you look at other things."),
    "build": ("A build.", " Its steps at the left, what they said at the right; cached ones took no time."),
    "text": ("A page.", " What the engine knows of the object under the cursor."),
}
_OPPOSITES: Final = {
    "down": ("up", "down, up"),
    "first": ("last", "first, last"),
    "page_down": ("page_up", "half page"),
    "pane_left": ("pane_right", "pane left, right"),
    "next_pane": ("previous_pane", "next pane, back"),
    "tab_left": ("tab_right", "tab left, right"),
    "list_1": ("list_5", "a list"),
}
"""Acts that share a line with their opposite."""
_KEYS: Final = 10  # cells of the keys' column
_GROUPS: Final = (("Here",), ("Move", "Mark"), ("Find", "Take", "Everywhere"))


class Help(Dialog[None]):
    """One page that scrolls where the screen is small."""

    def __init__(self, place: str, keymap: Keymap, glyphs: Glyphs) -> None:
        super().__init__()
        self._place = place
        self._keymap = keymap
        self._glyphs = glyphs

    def box_titles(self) -> Titles:
        title = join(("Help", "bold $focus"), (f" · {self._place.capitalize()}", "$muted"))
        return Titles(title, join(("esc closes", "$muted")), EMPTY, self._whose())

    def _whose(self) -> Content:
        """Which keys these are, and the one that changes them."""
        key = self._keymap.shown("keys")
        change = join(" · ", (key, "bold $accent"), (" changes them", "$muted")) if key else EMPTY
        return join((f"keys: {self._keymap.name}", "$muted"), change)

    def parts(self) -> list[Widget]:
        page = LinesView(id="help")
        page.styles.background = "transparent"
        return [page]

    def on_mount(self) -> None:
        page = self.query_one("#help", LinesView)
        page.show(self.build)
        page.styles.height = min(len(self.build(96)), max(self.app.size.height - 6, 5))
        page.focus()

    def build(self, width: int) -> list[Content]:
        """Everything on the page."""
        name, says = _PLACES.get(self._place, _PLACES["text"])
        lines = wrap(join((name, "bold"), says), width)
        if self._place == "containers":
            lines += [line for part in self._legend() for line in wrap(part, width)]
        lines.append(EMPTY)
        if width < 80:
            for groups in _GROUPS:
                lines += [*self._column(groups, width), EMPTY]
        else:
            lines += _beside([self._column(groups, width // 3) for groups in _GROUPS], width // 3)
        leave = join(("ctrl-p ctrl-q", "bold"), " leaves and it keeps running.")
        return [*lines, EMPTY, *wrap(join("In a terminal every key goes to the container; ", leave), width)]

    def _legend(self) -> list[Content]:
        glyphs = self._glyphs
        states = (
            (glyphs.running, "running", "$running"),
            (glyphs.paused, "paused", "$paused"),
            (glyphs.restarting, "restarting", "$restarting"),
            (glyphs.created, "created", "$created"),
            (glyphs.exited, "exited 0", "$exited"),
            (glyphs.failed, "exited, error", "$failed"),
            (glyphs.dead, "dead", "$dead"),
        )
        health = join(
            ("+", "$running"), " healthy  ", ("~", "$paused"), " starting  ", ("!", "$failed"), " unhealthy"
        )
        return [
            join("Round is alive, square is at rest, a cross went wrong:"),
            join("  ").join([join((f"{glyph} {word}", style)) for glyph, word, style in states]),
            join("after the name: ", health),
        ]

    def _keys(self, action: Action) -> str:
        """Two keys of one act, or one key each of an act and its opposite."""
        other = _OPPOSITES.get(action.id)
        if other is not None:
            both = zip(self._keymap.of(action.id), self._keymap.of(other[0]), strict=False)
            keys = [shown(key) for pair in both for key in pair]
            if action.id == "list_1":
                return " … ".join(keys[:2])
            all_four = " ".join(keys[:4])
            return all_four if len(all_four) < _KEYS else " ".join(keys[:2])
        return " ".join(shown(key) for key in self._keymap.of(action.id)[:2])

    def _column(self, groups: tuple[str, ...], width: int) -> list[Content]:
        lines: list[Content] = []
        for group in groups:
            found = [action for action in self._actions() if action.group == group]
            if found:
                lines += [EMPTY] if lines else []
                lines.append(join((group, "bold $accent")))
                lines += [self._line(action, width) for action in found]
        return lines

    def _actions(self) -> list[Action]:
        scopes = scopes_of(self._place)
        named = {other for other, _ in _OPPOSITES.values()} | {f"list_{n}" for n in range(2, 6)}
        return [a for a in ACTIONS if a.scope in scopes and self._keymap.of(a.id) and a.id not in named]

    def _line(self, action: Action, width: int) -> Content:
        keys, says = self._keys(action), _OPPOSITES[action.id][1] if action.id in _OPPOSITES else action.help
        return fit(join((f"{keys} ".ljust(_KEYS), "bold"), (says, "$muted")), max(width - 1, 12))

    def pressed(self, event: events.Key) -> None:
        event.stop()
        page = self.query_one("#help", LinesView)
        moves = {"j": "down", "down": "down", "k": "up", "up": "up", "G": "last", "g": "first"}
        if event.key in moves:
            page.move(moves[event.key])
        elif event.key in ("escape", "q", "question_mark", "enter"):
            self.dismiss(None)


def _beside(columns: list[list[Content]], width: int) -> list[Content]:
    height = max(len(column) for column in columns)
    rows = []
    for n in range(height):
        cells = [fit(column[n] if n < len(column) else EMPTY, width) for column in columns]
        rows.append(Content("").join(cells))
    return rows
