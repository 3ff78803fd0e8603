"""Forms: one page of fields, a remark beside each, the command below changing letter by letter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui.glyphs import Glyphs
from tui.paint import EMPTY, join
from tui.panes.inspect import fold
from tui.safe import safe_plain
from tui.screens.dialog import Dialog, clickable
from tui.widgets.fields import SLIM_ENTRY, SLIM_LABEL, Field, Options, Rule, Text
from tui.widgets.frame import Titles

Values = Mapping[str, str]
_ROOMY: Final = 100  # columns from which every remark fits beside its field
_FEW: Final = 4
_COMMAND_LINES: Final = 3
_AROUND: Final = _COMMAND_LINES + 8  # rows of a form that are not its fields
_REST: Final = 0.3  # seconds without a key after which others are asked about what is typed


@dataclass(frozen=True, slots=True)
class Remark:
    """What stands right of a field: a fact, or what is wrong with it."""

    text: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line to type in."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    secret: bool = False
    known: Sequence[str] = ()
    """What completes it."""
    first: bool = False
    """It has the keyboard at first, and what it holds is replaced by what is typed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the fields amount to: the command, remarks by field, and whether it can be done.

    `known` completes what is typed, by field, where that depends on other fields; `clear` are fields that mean
    nothing any more.
    """

    command: str
    remarks: Mapping[str, Remark] = field(default_factory=dict)
    ready: bool = True
    hint: str = ""
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clear: Sequence[str] = ()


Look = Callable[[Values], Awaitable[bool]]
"""Asks somebody else about what is typed; True = the plan knows more now."""


class Form(Dialog[Mapping[str, str]]):
    """Answers with the values of its fields. `plan` judges them at each key press; it must not block."""

    DEFAULT_CSS: ClassVar[str] = f"""
    Form.-slim Field .label {{ width: {SLIM_LABEL}; }}
    Form.-slim Field Entry {{ width: {SLIM_ENTRY}; }}
    Form.-low DialogBox {{ padding: 0 1; }}
    Form.-low #blank, Form.-low #command-1, Form.-low #command-2 {{ display: none; }}
    """

    # Priority: what is typed right behind a Tab, a password perhaps, must not land in the field before.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down", "next_field", show=False, priority=True),
        Binding("shift+tab,up", "previous_field", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        about: str,
        verb: str,
        fields: Sequence[Line | Options],
        plan: Callable[[Values], Plan],
        glyphs: Glyphs,
        look: Look | None = None,
    ) -> None:
        super().__init__()
        self._look = look
        self.title_text = title
        self.about = about
        self.verb = verb
        self.fields = fields
        self.plan = plan
        self.glyphs = glyphs

    def box_titles(self) -> Titles:
        about = join((f" {safe_plain(self.about)}", "$muted")) if self.about else EMPTY
        return Titles(join((self.title_text, "bold $focus"), about), join(("tab next · esc gives up", "$muted")))

    def parts(self) -> list[Widget]:
        made: list[Widget] = [
            one
            if isinstance(one, Options)
            else Field(one.name, one.label, one.value, one.hint, secret=one.secret, known=one.known)
            for one in self.fields
        ]
        made += [Text(id="blank"), Rule()]
        made += [Text(id=f"command-{n}") for n in range(_COMMAND_LINES)]
        return [*made, Text(id="hint"), Text(id="buttons")]

    def on_mount(self) -> None:
        fields = list(self.query(Field))
        eager = [one.name for one in self.fields if isinstance(one, Line) and one.first]
        if eager:
            entry = next(f for f in fields if f.key == eager[0]).entry
            entry.select_all()
        else:
            entry = next((f for f in fields if not f.value), fields[0]).entry
        entry.focus()
        self.call_after_refresh(self.judge)
        self._look_soon()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < _ROOMY and len(self.fields) > _FEW, "-slim")
        self.set_class(event.size.height < len(self.fields) + _AROUND, "-low")
        for options in self.query(Options):
            options.refresh()

    @property
    def values(self) -> dict[str, str]:
        """What the fields hold; toggles as `yes` or ``, a choice as its name."""
        found = {f.key: f.value for f in self.query(Field)}
        for options in self.query(Options):
            if options.is_choice:
                found[str(options.id)] = options.chosen
            else:
                found.update(
                    {option.name: "yes" if option.name in options.on else "" for option in options.options}
                )
        return found

    def judge(self) -> Plan:
        """Write remarks and command anew."""
        plan = self.plan(self.values)
        for one in self.query(Field):
            remark = plan.remarks.get(one.key, Remark())
            one.remark(join((safe_plain(remark.text), "$failed" if remark.bad else "$muted")))
            if one.key in plan.clear:
                one.entry.value = ""
            if one.key in plan.known:
                one.suggest(plan.known[one.key])
        width = max(self.box.size.width - 6, 20)
        lines = fold(safe_plain(plan.command), width - 4)
        for n in range(_COMMAND_LINES):
            sign = join(("$ ", "$muted")) if n == 0 else join("    ")
            more = len(lines) > _COMMAND_LINES and n == _COMMAND_LINES - 1
            text = (
                join(sign, lines[n], " \\" if n + 1 < len(lines) and not more else " …" if more else "")
                if n < len(lines)
                else EMPTY
            )
            self.query_one(f"#command-{n}", Text).show(text)
        hint = self.query_one("#hint", Text)
        hint.display = bool(plan.hint) or not self.has_class("-low")
        hint.show(join((safe_plain(plan.hint), "$paused")))
        self.query_one("#buttons", Text).show(self._buttons(plan.ready))
        return plan

    def _buttons(self, ready: bool) -> Content:
        verb = join((f"  {self.verb}  ", "bold $on-accent on $accent" if ready else "$muted on $pane"))
        cancel = clickable("escape", "Cancel", ("  esc", "$muted"))
        return join(clickable("enter", verb, ("  enter", "$muted")), "      ", cancel)

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()
        self.judge()
        self._look_soon()

    def _look_soon(self) -> None:
        if self._look is not None:
            self.only_work(self._looked, "look")

    async def _looked(self) -> None:
        await asyncio.sleep(_REST)
        if self._look is not None and await self._look(self.values):
            self.judge()

    def on_options_changed(self, event: Options.Changed) -> None:
        event.stop()
        self.judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.submit()

    def submit(self) -> None:
        """Answer, if what is typed can be done."""
        if self.judge().ready:
            self.dismiss(self.values)

    def pressed(self, event: events.Key) -> None:
        if event.key in ("enter", "ctrl+s"):
            event.stop()
            self.submit()
        else:
            super().pressed(event)

    def action_next_field(self) -> None:
        """Go on to the next field."""
        self.focus_next()

    def action_previous_field(self) -> None:
        """Go back to the field before."""
        self.focus_previous()
