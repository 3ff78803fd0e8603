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
from tui.paint import EMPTY, cut, ends, fit, join, wrap
from tui.safe import crop_middle, safe, safe_plain
from tui.screens.dialog import Dialog, Words, clickable
from tui.text import size, size_prose
from tui.widgets.frame import Titles

UNDO_COSTS: Final = "; until then its bytes stay."

KEEP: Final = ("escape", "enter", "q")
"""Keys that never do what is asked about."""

_FRAME: Final = 4  # rows of the box's border and what it keeps free
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
        return [Words(self._text(self.WIDTH - 8, self.app.size.height), id="question")]

    def on_resize(self, event: events.Resize) -> None:
        text = self._text(min(self.WIDTH, event.size.width) - 8, event.size.height)
        self.query_one("#question", Static).update(text)

    def _text(self, width: int, height: int) -> Content:
        """Everything, with room between; on a low screen without, and as much as leaves the keys on it."""
        asked, room = self.question, height - _FRAME
        usual = max(height - _AROUND, 2)
        victims = _table(asked.victims, width) if asked.victims else []
        spared = [join(("not touched", "$muted")), *_spared(asked.spared, width)] if asked.spared else []
        note = wrap(join((asked.note, "$muted")), width) if asked.note else []
        undo = wrap(join((asked.undo, "$running"), (UNDO_COSTS, "$muted")), width) if asked.undo and victims else []
        command = [join(("$ ", "$muted"), fit(safe(asked.command), width - 2))]
        blocks = [
            [self._question(width)],
            _first(victims, 1 + max(usual - min(len(asked.spared), 3), 2)),
            _first(spared, 1 + max(usual - len(asked.victims), 3)),
            note,
            undo,
            command,
            self._buttons(width),
        ]
        lines = [line for block in blocks if block for line in (EMPTY, *block)][1:]
        if len(lines) > room:
            left = room - 1 - len(undo) - 1 - len(blocks[-1])
            most = max(left - min(len(spared), max(left // 2, 2)), 2) if victims else 0
            kept = _first(victims, most)
            blocks = [blocks[0], kept, _first(spared, max(left - len(kept), 0)), undo, command, blocks[-1]]
            lines = [line for block in blocks for line in block]
        return Content("\n").join(lines)

    def _question(self, width: int) -> Content:
        asked = self.question
        known = [v.frees for v in asked.victims if v.frees >= 0]
        total = asked.frees if asked.frees >= 0 else sum(known)
        frees = join((f"frees {size_prose(total)}", "bold $paused")) if total else EMPTY
        head = f"{asked.verb} {asked.what}?" if asked.what else f"Nothing to {asked.verb.lower()}."
        return ends(join((head, "bold")), frees, width)

    def _buttons(self, width: int) -> list[Content]:
        asked = self.question
        parts: list[Content] = []
        if asked.victims:
            number = f" {len(asked.victims)}" if len(asked.victims) > 1 else ""
            verb = (f"  {asked.verb}{number}  ", "bold $on-accent on $failed")
            parts.append(clickable(asked.keys[0], verb, f" {keymaps.shown(asked.keys[0])}"))
        parts.append(
            clickable(
                "escape", ("▸ ", "$accent on $cursor"), ("Keep  ", "bold on $cursor"), (" enter, esc", "$muted")
            )
        )
        if asked.forced:
            parts.append(clickable("F", ("F", "bold $accent"), (" stops first and takes all", "$muted")))
        if asked.other is not None:
            key, words, _ = asked.other
            parts.append(clickable(key, (key, "bold $accent"), (f" {words}", "$muted")))
        gap = next((gap for gap in ("     ", "  ") if sum(p.cell_length + len(gap) for p in parts) <= width), "")
        return [Content(gap).join(parts)] if gap else parts

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


def _spared(spared: Sequence[tuple[tuple[str, str], str, str]], width: int) -> list[Content]:
    return [
        cut(join("  ", mark, " ", fit(safe(crop_middle(safe_plain(name), 20)), 20), ("  " + why, "$muted")), width)
        for mark, name, why in spared
    ]


def _first(lines: list[Content], most: int) -> list[Content]:
    """As many lines as there is room for, with how many are left out."""
    if len(lines) <= most:
        return lines
    if most <= 1:
        return []
    return [*lines[: most - 1], join((f"    and {len(lines) - most + 1} more", "$muted"))]
