"""The detail: tabs of the object under the cursor, or the first screen while there is nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Container as Box
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui.glyphs import Glyphs
from tui.paint import EMPTY, join
from tui.panes import containers, welcome
from tui.safe import safe, safe_plain
from tui.state import Container
from tui.text import ago, span
from tui.widgets.frame import Framed, Titles
from tui.widgets.linesview import Builder, LinesView
from tui.widgets.tabs import TabRow

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.logview import LogView
    from tui.panes.terminals import TerminalPane

TABS: Final = {
    "containers": ("Logs", "Terminal", "Stats", "Changes", "Config", "Isolation"),
    "images": ("Layers", "History", "Config", "Used by"),
    "volumes": ("Config", "Used by"),
    "networks": ("Config", "Used by"),
    "projects": ("Containers",),
    "": ("Terminal",),
}
_EDGE: Final = 10  # cells of a border's edge that hold no words: corners, blanks, two of its line
_LINED: Final = 26  # rows of the screen from which the tabs are underlined


@dataclass(frozen=True, slots=True)
class Subject:
    """What the detail is about; no kind = nothing."""

    kind: str = ""
    id: str = ""
    name: str = ""
    note: str = ""


class Detail(Framed, Vertical):
    """Shows one subject. It asks for what a tab needs by `Wanted` and is given it by `show_page`."""

    DEFAULT_CSS = """
    Detail { width: 1fr; height: 1fr; }
    Detail #body { width: 1fr; height: 1fr; padding: 0; }
    Detail #body > * { display: none; }
    Detail #body > .-shown { display: block; }
    Detail LinesView { padding: 0 0 0 1; }
    """

    class Wanted(Message):
        """A tab is shown that needs the engine."""

        def __init__(self, subject: Subject, tab: str) -> None:
            super().__init__()
            self.subject = subject
            self.tab = tab

    def __init__(self, glyphs: Glyphs, key_of: Callable[[str], str]) -> None:
        super().__init__(id="detail")
        self.glyphs = glyphs
        self.subject = Subject()
        self.container: Container | None = None
        self.now = 0.0
        self.stale = ""
        self.narrow = False
        self.welcoming = False
        self.choice = len(welcome.CHOICES) - 1
        self._key_of = key_of
        self._tabs: dict[str, str] = {}
        self._facts: Content = EMPTY
        self._views: dict[str, Widget] = {}
        self.logs: LogView | None = None
        self.pane: TerminalPane | None = None

    def compose(self) -> ComposeResult:
        yield TabRow(id="tabs")
        with Box(id="body"):
            yield LinesView(id="page")

    @property
    def page(self) -> LinesView:
        return self.query_one("#page", LinesView)

    async def terminals(self) -> TerminalPane:
        """The terminals; made when they are first needed, for they bring the emulator with them."""
        if self.pane is None:
            from tui.panes.terminals import TerminalPane

            self.pane = TerminalPane(self.glyphs)
            await self.take_view("Terminal", self.pane)
        return self.pane

    async def take_view(self, tab: str, view: Widget) -> None:
        """Let a tab have a view of its own instead of the page: made when it is first needed."""
        self._views[tab] = view
        try:
            await self.query_one("#body", Box).mount(view)
        finally:  # who asked may have been cancelled meanwhile; the view stays
            self._arrange()

    @property
    def tab(self) -> str:
        """The active tab's name."""
        names = TABS[self.subject.kind]
        wanted = self._tabs.get(self.subject.kind, names[0])
        return wanted if wanted in names else names[0]

    @property
    def inner(self) -> Widget:
        """What takes the keyboard in the active tab."""
        if self.welcoming:
            return self.page
        return self._views.get(self.tab, self.page)

    def show(self, subject: Subject, container: Container | None, now: float) -> None:
        """Turn to another subject, or to the same one as it is now."""
        changed = (subject.kind, subject.id) != (self.subject.kind, self.subject.id)
        was, self.container = self.container, container
        self.subject, self.now = subject, now
        if changed:
            self._facts = EMPTY
            self._want()
        elif _turned(was, container) and self.tab in ("Isolation", "Config", "Logs"):
            self._want()
        self._arrange()

    def marked(self) -> None:
        """Other rows are marked, and the cursor is where it was."""
        if self.tab == "Logs":
            self._want()

    def reload(self) -> None:
        """Ask for the active tab again."""
        self._want()

    def welcome(self, on: bool) -> None:
        """Show the first screen, or stop showing it."""
        if on != self.welcoming:
            self.welcoming = on
            if on:
                self._show_welcome()
            else:
                self._want()
        self._arrange()

    def keys_changed(self) -> None:
        """Other keys hold: what names one is written anew."""
        if self.welcoming:
            self._show_welcome()
        elif self.tab == "Terminal" or self.tab not in self._views:
            self._want()

    def choose(self, step: int) -> None:
        """Move the choice of the first screen."""
        self.choice = max(0, min(self.choice + step, len(welcome.CHOICES) - 1))
        self._show_welcome()

    def turn(self, step: int) -> None:
        """The tab `step` further, round and round."""
        names = TABS[self.subject.kind]
        self.pick(names[(names.index(self.tab) + step) % len(names)])

    def pick(self, tab: str) -> None:
        """Show that tab."""
        self._tabs[self.subject.kind] = tab
        if not self.subject.kind:
            self._tabs["containers"] = tab  # of the container that is about to come
        self._want()
        self._arrange()

    def show_page(
        self, subject: Subject, tab: str, build: Builder, facts: Content = EMPTY, *, keep: bool = False
    ) -> None:
        """The lines of a tab that was `Wanted`; they come too late when the reader has gone on."""
        if self.welcoming or (subject.kind, subject.id, tab) != (self.subject.kind, self.subject.id, self.tab):
            return
        self._facts = facts
        self.page.show(build, keep=keep)
        self.retitle()

    def set_facts(self, subject: Subject, facts: Content) -> None:
        """The top right title, for a tab with a view of its own."""
        if (subject.kind, subject.id) == (self.subject.kind, self.subject.id):
            self._facts = facts
            self.retitle()

    def titles(self, focused: bool) -> Titles:
        if self.welcoming:
            return Titles(join(("Welcome", "bold $focus" if focused else "$ink")))
        left = self._what(focused)
        right = join((f"as it was at {self.stale}", "$muted")) if self.stale else self._state()
        if self.tab == "Terminal" and self.pane is not None:
            return Titles(left, right, self.pane.hint(), self.pane.mode())
        if self.tab == "Logs" and self.logs is not None:
            if self.logs.sources.many:
                left, right = self._streams(self.logs, focused)
            return Titles(left, right, *log_titles(self.logs, self.outer_size.width))
        more = (
            join((f"more below {self.glyphs.open}", "$muted"))
            if self.inner is self.page and self.page.more_below
            else EMPTY
        )
        return Titles(left, right, EMPTY, more)

    def _what(self, focused: bool) -> Content:
        subject = self.subject
        back = join((f"{self.glyphs.back} esc · ", "$muted")) if self.narrow else EMPTY
        if not subject.kind:
            return back
        name = safe(subject.name, style="bold $focus" if focused else "bold")
        note = safe_plain(subject.note)
        return join(back, name, (f" · {note}" if note else "", "$muted"))

    def _streams(self, view: LogView, focused: bool) -> tuple[Content, Content]:
        """`3 containers · one stream`, and how it is read."""
        back = join((f"{self.glyphs.back} esc · ", "$muted")) if self.narrow else EMPTY
        what = (f"{len(view.sources.names)} containers", "bold $focus" if focused else "bold")
        how = ("live", "$running") if view.follow else ("paused by scrolling", "$paused")
        return join(back, what, (" · one stream", "$muted")), join(how)

    def _state(self) -> Content:
        """`● up 3 min · + healthy`"""
        one = self.container
        if one is None:
            return self._facts
        glyph, style = containers.mark(one, self.glyphs)
        if one.status != "running":
            return join((glyph, style), " ", containers.reason(one, self.now))
        up = f"up {span(self.now - one.started)}" if one.started else "up"
        parts = join((f"{glyph} {up}", style))
        if one.health:
            mark, colour = containers.health(one)
            parts = join(parts, (" · ", style), (f"{mark} {safe_plain(one.health)}", colour))
        return parts

    def _want(self) -> None:
        if self.subject.kind and not self.welcoming:
            self.post_message(self.Wanted(self.subject, self.tab))

    def _show_welcome(self) -> None:
        keys = tuple(self._key_of(action) for action, _, _ in welcome.CHOICES)

        def build(width: int) -> list[Content]:
            height = self.page.size.height
            return welcome.lines(self.choice, keys, self.glyphs, width, height)

        self.page.show(build)

    def _arrange(self) -> None:
        """Which part is on the screen."""
        row = self.query_one(TabRow)
        row.display = not self.welcoming and bool(self.subject.kind or self.pane)
        row.show(TABS[self.subject.kind], self.tab)
        row.set_class(self.app.size.height >= _LINED, "-line")
        shown = self.inner
        for part in self.query_one("#body", Box).children:
            part.set_class(part is shown, "-shown")
        self._hand_over()
        self.retitle()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._hand_over()

    def _hand_over(self) -> None:
        """The keyboard was given to a view that is not shown, or shown no more: pass it on to the one that is.

        What is not on the screen yet cannot have the keyboard, hence the refresh between.
        """
        focused = self.screen.focused if self.is_attached else None
        inside = focused is not None and self.query_one("#body") in focused.ancestors
        if focused is not None and inside and self.inner not in focused.ancestors_with_self:
            self.call_after_refresh(lambda: self.inner.focus())

    def note_sessions(self) -> None:
        """Write how many sessions live behind the Terminal tab."""
        live = sum(session.live for session in self.pane.sessions) if self.pane is not None else 0
        number = f" {live}" if live > 1 else ""
        mark = join((f"{self.glyphs.running}{number}", "$running")) if live else EMPTY
        self.query_one(TabRow).note("Terminal", mark)
        self.retitle()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()
        if self.welcoming:
            self.call_after_refresh(self._show_welcome)

    def on_log_page_changed(self, event: Message) -> None:
        if self.tab == "Logs":
            self.retitle()

    def on_tab_row_picked(self, event: TabRow.Picked) -> None:
        self.pick(event.name)


def _turned(was: Container | None, now: Container | None) -> bool:
    """The same container is in another state than it was."""
    return was is not None and now is not None and was.status != now.status


def log_titles(view: LogView, width: int) -> tuple[Content, Content]:
    """The bottom titles of a log: what is shown with the legend of its gutter, and how.

    In a pane of `width` cells the legend gives way first, then the clock that the times are of.
    """
    legend = join((" · ", "$muted"), ("│", "$line"), (" out ", "$muted"), ("┃", "$stderr"), (" err", "$stderr"))
    shown = join((view.shown, "$muted"))
    mode, _, wrap = view.mode.partition(" · ")
    how = join((mode, "$running" if view.follow else "$paused"), (f" · {wrap}", "$muted"))
    clock = join((" · local time", "$muted")) if view.times else EMPTY
    room = width - _EDGE
    for left, right in ((join(shown, legend), join(how, clock)), (shown, join(how, clock))):
        if left.cell_length + right.cell_length <= room:
            return left, right
    return shown, how


def waiting(words: str) -> Builder:
    """A page that says that something is on its way."""
    return lambda _width: [join((words, "$muted"))]


def trouble(text: str, advice: str) -> Builder:
    """A page that says what went wrong and what helps."""
    return lambda _width: [join(safe(text), ". " if advice else "", (advice, "$muted"))]


def restarted(one: Container, now: float) -> str:
    """`3 restarts, the last 2 min ago`"""
    return f"{one.restarts} restarts, the last {ago(now - one.started)}" if one.restarts else ""
