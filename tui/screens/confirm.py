"""Deleting: what it will hit, what goes with it, what is spared. Enter keeps; the key that asked removes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui import keymaps
from tui.paint import EMPTY, ends, fit, join
from tui.safe import crop_middle, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.text import size, size_prose
from tui.widgets.frame import Titles

UNDO_COSTS: Final = "; until then its bytes stay."

KEEP: Final = ("escape", "enter", "q")
"""Keys that never do what is asked about."""

_AROUND: Final = 19  # rows of the dialog that are not rows of its two tables


@dataclass(frozen=True, slots=True)
class Victim:
    """One line of the table: what is hit, its state, what goes with it, bytes freed (-1 = not known)."""

    mark: tuple[str, str]
    name: str
    state: str
    with_it: str = ""
    frees: int = -1


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a deletion says before it happens.

    `keys` are those that opened it: pressed again they do it. No `what` = there is nothing to do. `spared` are
    those it will not touch, each with the reason; `forced` is the command that takes them too. `undo` says which
    key takes it back, and until when; `frees` are bytes where they are not the sum of the table. `other` is a key,
    its words, and the question that it turns to.
    """

    verb: str
    what: str
    victims: Sequence[Victim]
    command: str
    keys: tuple[str, ...]
    spared: Sequence[tuple[tuple[str, str], str, str]] = ()
    forced: str = ""
    note: str = ""
    marked: int = 0
    undo: str = ""
    frees: int = -1
    other: tuple[str, str, Question] | None = None


class Confirm(Dialog[str]):
    """Answers "do", "force", "other" (do what the other question asks) or None (kept)."""

    WIDTH = 88

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = self._first = question

    def heading(self) -> Content:
        return join((self.question.verb, "bold $failed"))

    def box_titles(self) -> Titles:
        asked = self.question
        note = (
            join((f"{asked.marked} marked, {len(asked.victims)} can go", "$muted")) if asked.marked > 1 else EMPTY
        )
        return Titles(self.heading(), note)

    def parts(self) -> list[Widget]:
        return [Static(self._text(self.WIDTH - 8, self.app.size.height), id="question")]

    def on_resize(self, event: events.Resize) -> None:
        text = self._text(min(self.WIDTH, event.size.width) - 8, event.size.height)
        self.query_one("#question", Static).update(text)

    def _text(self, width: int, height: int) -> Content:
        asked = self.question
        known = [v.frees for v in asked.victims if v.frees >= 0]
        total = asked.frees if asked.frees >= 0 else sum(known)
        frees = join((f"frees {size_prose(total)}", "bold $paused")) if total else EMPTY
        head = f"{asked.verb} {asked.what}?" if asked.what else f"Nothing to {asked.verb.lower()}."
        lines = [ends(join((head, "bold")), frees, width)]
        room = max(height - _AROUND, 2)
        if asked.victims:
            lines += [EMPTY, *_first(_table(asked.victims, width), 1 + max(room - min(len(asked.spared), 3), 2))]
        if asked.spared:
            spared = [
                join("  ", mark, " ", fit(safe(crop_middle(safe_plain(name), 20)), 20), ("  " + why, "$muted"))
                for mark, name, why in asked.spared
            ]
            lines += [EMPTY, join(("not touched", "$muted")), *_first(spared, max(room - len(asked.victims), 3))]
        if asked.note:
            lines += [EMPTY, join((asked.note, "$muted"))]
        if asked.undo and asked.victims:
            lines += [EMPTY, join((asked.undo, "$running"), (UNDO_COSTS, "$muted"))]
        lines += [EMPTY, join(("$ ", "$muted"), fit(safe(asked.command), width - 2)), EMPTY, self._buttons()]
        return Content("\n").join(lines)

    def _buttons(self) -> Content:
        asked = self.question
        parts: list[Content] = []
        if asked.victims:
            number = f" {len(asked.victims)}" if len(asked.victims) > 1 else ""
            parts.append(
                join(
                    (f"  {asked.verb}{number}  ", "bold $on-accent on $failed"), f" {keymaps.shown(asked.keys[0])}"
                )
            )
        parts.append(join(("▸ ", "$accent on $cursor"), ("Keep  ", "bold on $cursor"), (" enter, esc", "$muted")))
        if asked.forced:
            parts.append(join(("F", "bold $accent"), (" stops first and takes all", "$muted")))
        if asked.other is not None:
            key, words, _ = asked.other
            parts.append(join((key, "bold $accent"), (f" {words}", "$muted")))
        return Content("     ").join(parts)

    def pressed(self, event: events.Key) -> None:
        event.stop()
        key = keymaps.pressed(event)
        if event.key in KEEP:
            self.dismiss(None)
        elif key in self.question.keys and self.question.victims:
            self.dismiss("do" if self.question.command == self._first.command else "other")
        elif key == "F" and self.question.forced:
            self.dismiss("force")
        elif self.question.other is not None and key == self.question.other[0]:
            self.question = self.question.other[2]
            size = self.app.size
            text = self._text(min(self.WIDTH, size.width) - 8, size.height)
            self.query_one("#question", Static).update(text)
            self.box.retitle()


def _table(victims: Sequence[Victim], width: int) -> list[Content]:
    name_width = max(min(width - 53, 26), 12)
    head = join(
        " " * 4, ("what".ljust(name_width), "$muted"), ("  state".ljust(25), "$muted"), ("goes with it", "$muted")
    )
    told = any(victim.frees >= 0 for victim in victims)
    lines = [ends(head, join(("frees" if told else "", "$muted")), width)]
    for victim in victims:
        name = fit(safe(crop_middle(safe_plain(victim.name), name_width)), name_width)
        left = join(
            ("- ", "$failed"),
            victim.mark,
            " ",
            name,
            "  ",
            fit(safe(victim.state), 22),
            " ",
            (victim.with_it, "$muted"),
        )
        lines.append(ends(left, join(size(victim.frees) if victim.frees >= 0 else ""), width))
    return lines


def _first(lines: list[Content], most: int) -> list[Content]:
    """As many lines as there is room for, with how many are left out."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], join((f"    and {len(lines) - most + 1} more", "$muted"))]
