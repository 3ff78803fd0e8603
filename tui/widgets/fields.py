"""Parts of forms: a labelled line to type in with a remark beside it, toggles, a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from tui.glyphs import Glyphs
from tui.paint import EMPTY, fit, join, strip_of

LABEL = 12
ENTRY = 40
SLIM_LABEL = 8  # on a narrow screen, in a form with so many fields that each needs its remark
SLIM_ENTRY = 24


class Text(Widget):
    """One line of Content that the owner changes."""

    auto_links = False
    DEFAULT_CSS = "Text { height: 1; background: $raised; color: $ink; }"

    def __init__(self, content: Content = EMPTY, *, id: str | None = None, right: bool = False) -> None:
        super().__init__(id=id)
        self._content = content
        self._right = right

    def show(self, content: Content) -> None:
        """Write something else."""
        self._content = content
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return strip_of(fit(self._content, width, right=self._right), width, self.visual_style, self.app)


class Rule(Widget):
    """A thin line across."""

    DEFAULT_CSS = "Rule { height: 1; background: $raised; color: $line; }"

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        sign = "-" if self.app.has_class("-ascii") else "─"
        return strip_of(join((sign * width, "$line")), width, self.visual_style, self.app)


class Entry(Input):
    """A line to type in, without a border; the one with the keyboard has the cursor's ground."""

    DEFAULT_CSS = """
    Entry, Entry:focus { border: none; height: 1; padding: 0 1; background: $pane; color: $ink; }
    Entry:focus { background: $cursor; }
    Entry > .input--suggestion { color: $muted; }
    """

    def on_mount(self) -> None:
        self.cursor_blink = False  # nothing here moves by itself


Known = Sequence[str]


class Completer(Suggester):
    """Shows the rest of the first known text that begins with what is typed; the right arrow takes it."""

    def __init__(self, known: Known) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.known = known

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text, None = nothing known begins so."""
        return next((text for text in self.known if text.startswith(value) and text != value), None)


class Field(Horizontal):
    """Label, entry, remark. The remark judges what is typed."""

    DEFAULT_CSS = f"""
    Field {{ height: 1; width: 1fr; background: $raised; }}
    Field .label {{ width: {LABEL}; }}
    Field Entry {{ width: {ENTRY}; margin: 0 2 0 2; }}
    Field .remark {{ width: 1fr; }}
    """

    class Changed(Message):
        """What is typed has changed."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(
        self, name: str, label: str, value: str = "", hint: str = "", *, secret: bool = False, known: Known = ()
    ) -> None:
        super().__init__(id=f"field-{name}")
        self._secret = secret
        self._suggester = Completer(known)
        self.key = name
        self._label = label
        self._value = value
        self._hint = hint

    def compose(self) -> ComposeResult:
        label = Text(join((self._label, "$muted")), right=True)
        label.add_class("label")
        yield label
        yield Entry(
            self._value,
            id=f"entry-{self.key}",
            select_on_focus=False,
            password=self._secret,
            suggester=self._suggester,
        )
        remark = Text(join((self._hint, "$muted")), right=True, id=f"remark-{self.key}")
        remark.add_class("remark")
        yield remark

    def suggest(self, known: Known) -> None:
        """Complete what is typed from these now, what stands there already too."""
        if tuple(known) != tuple(self._suggester.known):
            self._suggester.known = known
            if self.entry.value:
                self.run_worker(self._suggester._get_suggestion(self.entry, self.entry.value), exit_on_error=False)

    @property
    def entry(self) -> Entry:
        return self.query_one(Entry)

    @property
    def value(self) -> str:
        return self.entry.value if self.is_mounted else self._value

    def remark(self, text: Content) -> None:
        """Judge what is typed."""
        self.query_one(f"#remark-{self.key}", Text).show(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self))


@dataclass(frozen=True, slots=True)
class Option:
    """One toggle or choice: its name, what it says, the flag beside it."""

    name: str
    says: str
    flag: str = ""


class Options(Widget, can_focus=True):
    """A row of options. `single` = exactly one is on (a choice), else each is on or off (toggles)."""

    DEFAULT_CSS = """
    Options { height: 1; width: 1fr; background: $raised; color: $ink; }
    """

    class Changed(Message):
        """Another option is on."""

    def __init__(
        self,
        id: str,
        label: str,
        options: Sequence[Option],
        on: Sequence[str],
        glyphs: Glyphs,
        *,
        single: bool = False,
    ) -> None:
        super().__init__(id=id)
        self.options = tuple(options)
        self.on = set(on)
        self._label = label
        self._glyphs = glyphs
        self._single = single
        self._at = next((n for n, option in enumerate(self.options) if option.name in self.on), 0)

    @property
    def is_choice(self) -> bool:
        """Exactly one option is on."""
        return self._single

    @property
    def chosen(self) -> str:
        """The option that is on, of a choice."""
        return next((o.name for o in self.options if o.name in self.on), "")

    def _toggle(self) -> None:
        name = self.options[self._at].name
        if self._single:
            self.on = {name}
        else:
            self.on ^= {name}
        self.refresh()
        self.post_message(self.Changed())

    def on_key(self, event: events.Key) -> None:
        if event.key in ("left", "right"):
            step = 1 if event.key == "right" else -1
            self._at = max(0, min(self._at + step, len(self.options) - 1))
            if self._single:
                self._toggle()
            self.refresh()
        elif event.key == "space":
            self._toggle()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        at = self._indent
        for number, option in enumerate(self.options):
            cells = self._option(number, option).cell_length
            if at <= event.x < at + cells:
                self._at = number
                self._toggle()
            at += cells + 3

    @property
    def _indent(self) -> int:
        """Where the first option stands."""
        if not self.screen.has_class("-slim"):
            return LABEL + 2
        return SLIM_LABEL + 2 if self._label else 0

    def _option(self, number: int, option: Option) -> Content:
        here = self.has_focus and number == self._at
        on = option.name in self.on
        if self._single:
            style = "bold $on-accent on $accent" if on else "bold $accent" if here else "$muted"
            return join((f" {option.says} ", style))
        mark = (self._glyphs.checked, "$running") if on else (self._glyphs.unchecked, "$muted")
        words = "bold $accent" if here else "" if on else "$muted"
        return join(mark, " ", (option.says, words), (f" {option.flag}", "$muted"))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        indent = self._indent
        label = fit(join((self._label, "$muted")), max(indent - 2, 0), right=True)
        parts = [self._option(n, option) for n, option in enumerate(self.options)]
        line = join(fit(label, indent), join("   ").join(parts))
        return strip_of(line, width, self.visual_style, self.app)
