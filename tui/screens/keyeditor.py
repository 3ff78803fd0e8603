"""Every act with its keys: press another one, and it holds at once and is kept in the user's file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui.actions import ACTIONS, BY_ID, Action
from tui.glyphs import Glyphs
from tui.keymaps import PRESETS, clashes, key_named, pressed, shown
from tui.paint import EMPTY, Part, ends, fit, join
from tui.rebinding import Draft
from tui.safe import crop_front, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.widgets.bars import Hint, Hints
from tui.widgets.fields import Entry, Rule, Text
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList, Row

PLACES: Final = {
    "everywhere": "everywhere", "list": "every list", "logs": "a log", "text": "a page", "terminal": "terminals",
    "layers": "layers", "files": "a layer's files", "changes": "changes", "build": "a build",
}  # fmt: skip
"""What the places of the action table are called, where it is not by their own name."""
_ORDER: Final = (
    "containers", "list", "everywhere", "images", "volumes", "networks", "projects", "logs", "terminal", "build",
    "layers", "files", "changes", "jobs",
)  # fmt: skip
_KEYS, _PLACE, _NOTE = 15, 16, 22  # cells of the columns
_SMALL: Final = 84  # cells from which the note has a column of its own
_HINTS: Final = (
    Hint("enter", "new key", "set"), Hint("+", "one more", "add"), Hint("x", "take away", "none"),
    Hint("r", "reset", "reset"), Hint("R", "reset all", "all"), Hint("u", "undo", "undo"),
    Hint("p", "other keymap", "preset"), Hint("/", "find", "find"),
)  # fmt: skip
_SHORT: Final = {"set": "new", "add": "more", "none": "none", "reset": "reset", "all": "all", "preset": "keymap"}


class Acts(ObjectList):
    """The acts, without a frame."""

    DEFAULT_CSS = """
    Acts, Acts:focus { border: none !important; background: $raised; height: 1fr; }
    """

    def _current_style(self, focused: bool) -> str:
        return super()._current_style(True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A key is awaited for an act; `key` = one that others hold has come, and waits for a yes."""

    action: Action
    further: bool
    key: str = ""


class KeyEditor(Dialog[None]):
    """`apply` makes the draft hold; what it answers with is said. `where` names the file that keeps it."""

    DEFAULT_CSS = """
    KeyEditor DialogBox { height: 100%; padding: 0 1; }
    KeyEditor Entry { background: $raised; }
    KeyEditor Entry:focus { background: $cursor; }
    KeyEditor Hints { background: $raised; }
    """

    def __init__(self, draft: Draft, glyphs: Glyphs, where: str, apply: Callable[[Draft], None]) -> None:
        super().__init__()
        self.draft = draft
        self._glyphs = glyphs
        self.where = where
        self._apply = apply
        self._before: list[Draft] = []
        self._asked: _Asked | None = None
        self._said: Content = EMPTY

    def box_titles(self) -> Titles:
        count = self.draft.changed
        of_own = "as it comes" if not count else f"{count} {'act has' if count == 1 else 'acts have'} other keys"
        return Titles(
            join(("Keys", "bold $focus"), (f" · {self.draft.preset}", "bold")),
            join(("esc closes", "$muted")),
            join((of_own, "$muted")),
            safe(crop_front(safe_plain(self.where), 40), style="$muted"),
        )

    def parts(self) -> list[Widget]:
        return [
            Entry(
                id="find", placeholder="/ finds an act by its words, its place or its key", select_on_focus=False
            ),
            Rule(),
            Acts(id="acts", glyphs=self._glyphs, heading=_heading),
            Rule(),
            Text(id="about"),
            Hints(id="hints"),
        ]

    @property
    def acts(self) -> Acts:
        """The list."""
        return self.query_one(Acts)

    def on_mount(self) -> None:
        self._fill()
        self.acts.focus()
        self._tell()

    def saved(self, remark: str, *, failed: bool = False) -> None:
        """What became of the file."""
        if self.is_attached:
            self._said = safe(remark, style="$failed" if failed else "$muted")
            self._tell()

    # What is shown

    def _fill(self) -> None:
        words = self.query_one("#find", Entry).value.lower().split()
        made = []
        for action in sorted(ACTIONS, key=lambda action: _ORDER.index(action.scope)):
            keys = tuple(map(shown, self.draft.keymap.of(action.id)))
            text = f"{action.help} {action.verb} {_place(action)}".lower()
            if all(word in text or word in map(str.lower, keys) for word in words):
                made.append(self._row(action, keys))
        self.acts.set_empty(join(("No act is called so; esc shows all.", "$muted")))
        self.acts.set_rows(made)
        self.box.retitle()

    def _row(self, action: Action, keys: tuple[str, ...]) -> Row:
        note = self._note(action)
        own = self.draft.is_own(action.id)

        def paint(width: int) -> Content:
            roomy = width >= _SMALL
            place = _PLACE if roomy else _PLACE - 2
            names = join((" ".join(keys) or "no key", "bold $accent" if keys else "$muted"))
            room = width - _KEYS - place - (_NOTE if roomy else 0) - 3
            says = join(action.help, ("  ", ""), note) if note and not roomy else join(action.help)
            mark = join((self._glyphs.mark if own else " ", "$accent2"), " ")
            parts: list[Part] = [
                mark,
                fit(names, _KEYS - 1),
                " ",
                fit(says, room),
                fit(join((_place(action), "$muted")), place),
            ]
            return join(*parts, fit(note, _NOTE) if roomy else EMPTY)

        return Row(action.id, (keys, own, note.plain), paint)

    def _note(self, action: Action) -> Content:
        """Why a row needs a look: a clash, no key, or what it was."""
        shared = [pair for pair in clashes(self.draft.keymap) if action.id in pair]
        if shared:
            other = BY_ID[shared[0][0] if shared[0][1] == action.id else shared[0][1]]
            return join((f"clashes with {other.verb}", "$failed"))
        if self.draft.is_own(action.id):
            was = " ".join(map(shown, self.draft.preset_keys(action.id)))
            return join((f"was {was}" if was else "had none", "$accent2"))
        return EMPTY

    def _tell(self) -> None:
        """The two lines at the foot: what is asked or said, and what can be pressed."""
        about, hints = self.query_one("#about", Text), self.query_one(Hints)
        if (asked := self._asked) is not None:
            about.show(self._question(asked))
            yes = [Hint("enter", "take it", "yes")] if asked.key else []
            hints.show_hints([*yes, Hint("esc", "keep as it was", "no")], [EMPTY])
            return
        slim = self.app.size.width < 100
        hints.show_hints([replace(h, verb=_SHORT.get(h.action, h.verb)) if slim else h for h in _HINTS], [EMPTY])
        about.show(ends(self._told(), self._said, max(self.box.size.width - 4, 20)))

    def _question(self, asked: _Asked) -> Content:
        name = (asked.action.help, "bold")
        if not asked.key:
            word = "one more key" if asked.further else "the new key"
            return join((f"Press {word} for ", "$focus"), name, (f" ({_place(asked.action)})", "$muted"))
        lose = ", ".join(other.help for other in self.draft.rivals(asked.action.id, asked.key))
        return join((shown(asked.key), "bold $accent"), (f" is held by: {lose}", "$paused"))

    def _told(self) -> Content:
        """Who goes first where a key of this row is also that of another place."""
        action = BY_ID.get(self.acts.cursor_id)
        if action is None:
            return EMPTY
        for key in self.draft.keymap.of(action.id):
            for other in self.draft.neighbours(action.id, key):
                narrow = action if _width(action) < _width(other) else other
                wide = other if narrow is action else action
                return join(
                    (shown(key), "bold $accent"),
                    (f" in {_place(narrow)}: {narrow.verb}; else {wide.verb}", "$muted"),
                )
        return join((f"keys.{action.id} in the file", "$muted"))

    # What is done

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._tell)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._fill()
        self.acts.move("first")
        self._tell()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.acts.focus()

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        self._asked = None
        self._tell()

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self._do("set")

    def on_hints_pressed(self, event: Hints.Pressed) -> None:
        event.stop()
        self._do(event.action)

    def pressed(self, event: events.Key) -> None:
        finding = self.query_one("#find", Entry)
        if self._asked is not None:
            event.stop()
            event.prevent_default()
            self._answered(self._asked, event)
        elif finding.has_focus:
            if event.key in ("escape", "down", "tab"):
                event.stop()
                event.prevent_default()
                finding.value = "" if event.key == "escape" else finding.value
                self.acts.focus()
        else:
            self._command(event)

    def _command(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        key = pressed(event)
        motions = {
            "j": "down", "down": "down", "k": "up", "up": "up", "g": "first", "home": "first", "G": "last",
            "end": "last", "pagedown": "page_down", "pageup": "page_up",
        }  # fmt: skip
        acts = {hint.key: hint.action for hint in _HINTS} | {"delete": "none", "tab": "find"}
        if key in motions:
            self.acts.move(motions[key])
        elif key in acts:
            self._do(acts[key])
        elif key == "escape" and self.query_one("#find", Entry).value:
            self.query_one("#find", Entry).value = ""
        elif key in ("escape", "q"):
            self.leave()

    def _do(self, what: str) -> None:
        if what == "find":
            self.query_one("#find", Entry).focus()
        elif what == "undo":
            if self._before:
                self._change(self._before.pop(), back=True)
        elif what == "preset":
            names = tuple(PRESETS)
            self._change(self.draft.on(names[(names.index(self.draft.preset) + 1) % len(names)]))
        elif what == "all":
            self._change(Draft(self.draft.preset))
        elif what == "yes" and self._asked is not None and self._asked.key:
            self._take(self._asked)
        elif what == "no":
            self._asked = None
            self._tell()
        elif (action := BY_ID.get(self.acts.cursor_id)) is not None:
            self._do_about(action, what)

    def _do_about(self, action: Action, what: str) -> None:
        if what in ("set", "add"):
            self._asked, self._said = _Asked(action, what == "add"), EMPTY
            self._tell()
        elif what == "none":
            self._change(self.draft.given(action.id, ()))
        elif what == "reset":
            self._change(self.draft.reset(action.id))

    def _answered(self, asked: _Asked, event: events.Key) -> None:
        key = key_named(pressed(event))
        if event.key == "escape":
            self._do("no")
        elif asked.key and key == "enter":
            self._take(asked)
        elif key:
            asked = _Asked(asked.action, asked.further, key)
            if self.draft.rivals(asked.action.id, key):
                self._asked = asked
                self._tell()
            else:
                self._take(asked)

    def _take(self, asked: _Asked) -> None:
        self._change(self.draft.with_key(asked.action.id, asked.key, further=asked.further))

    def _change(self, draft: Draft, *, back: bool = False) -> None:
        self._asked, self._said = None, EMPTY
        if draft != self.draft:
            if not back:
                self._before.append(self.draft)
            self.draft = draft
            self._apply(draft)
            self._fill()
        self._tell()


def _place(action: Action) -> str:
    return PLACES.get(action.scope, action.scope)


def _width(action: Action) -> int:
    """How wide the place is that an act works in."""
    return {"everywhere": 2, "list": 1}.get(action.scope, 0)


def _heading(width: int) -> Content:
    roomy = width - 1 >= _SMALL
    place = _PLACE if roomy else _PLACE - 2
    room = width - 1 - _KEYS - place - (_NOTE if roomy else 0) - 3
    line = join(
        " " * 3, "keys".ljust(_KEYS), fit(join("act"), room), "where".ljust(place), "" if not roomy else "note"
    )
    return line.stylize("$muted")
