"""The main screen: header, lists, detail, command line, footer. It turns keys into acts and facts into rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui import commands, header, keymaps
from tui.actions import BY_ID, Action, applies
from tui.header import Engine, Host, Work
from tui.messages import EngineDown, EngineStarting, EngineUp, UsageChanged, WorldChanged
from tui.paint import EMPTY, join
from tui.panes.detail import Detail, Subject
from tui.panes.listing import ListColumn, TitledList, column_width
from tui.screens import bars
from tui.screens.working import WorkingScreen
from tui.state import Container, World
from tui.widgets.bars import Bar, Hints
from tui.widgets.commandline import CommandLine
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

if TYPE_CHECKING:
    from tui.app import OnggiApp
    from tui.panes.terminals import SessionStrip, TerminalPane
    from tui.screens.acts import Acts
    from tui.screens.loader import Loader
    from tui.screens.moves import Moves
    from tui.screens.sessions import Sessions

NARROW: Final = 100
_YOUNG: Final = 90.0  # seconds: the age of such a container changes before one's eyes


class MainScreen(WorkingScreen):
    """Holds the state of the view; what an act does is in `acts`, `sessions` and `loader`."""

    DEFAULT_CSS = """
    MainScreen { background: $bg; layout: vertical; }
    MainScreen #header, MainScreen #command, MainScreen #footer { dock: none; }
    MainScreen #middle { width: 1fr; height: 1fr; }
    MainScreen #banner { height: 2; display: none; background: $raised; }
    MainScreen #banner Bar, MainScreen #banner { background: $raised; }
    MainScreen #banner1, MainScreen #banner2 { display: none; background: $raised; }
    MainScreen.-down #banner1, MainScreen.-down #banner2 { display: block; }
    MainScreen.-down #middle { opacity: 60%; }
    MainScreen #listtabs { display: none; }
    MainScreen.-narrow #listtabs { display: block; }
    MainScreen.-narrow ListColumn { width: 1fr; }
    MainScreen.-narrow Detail { display: none; }
    MainScreen.-narrow.-deep ListColumn { display: none; }
    MainScreen.-narrow.-deep Detail { display: block; }
    MainScreen.-zoom #lists, MainScreen.-zoom #listtabs { display: none; }
    MainScreen.-zoom Detail { display: block; }
    MainScreen.-full #header, MainScreen.-full #footer, MainScreen.-full #command { display: none; }
    """
    ESCAPE_TO_MINIMIZE: ClassVar[bool | None] = False  # Escape is the container's, or goes one step back

    def __init__(self, app: OnggiApp) -> None:
        super().__init__(app)
        self.world = World()
        self.engine = Engine(name=app.host_name)
        self.host: Host | None = None
        self._ticks = 0
        self._awaited = self._awaited_name = ""

    def compose(self) -> ComposeResult:
        yield Bar(id="header")
        yield Bar(id="banner1")
        yield Bar(id="banner2")
        yield bars.ListTabs()
        with Horizontal(id="middle"):
            yield ListColumn(self.onggi.glyphs, self.onggi.now)
            yield Detail(self.onggi.glyphs)
        yield CommandLine()
        yield Hints(id="footer")

    # The collaborators are imported when first needed: the first paint does not wait for them.

    @cached_property
    def moves(self) -> Moves:
        """What changes only what is looked at."""
        from tui.screens.moves import Moves

        return Moves(self)

    @cached_property
    def acts(self) -> Acts:
        """What acts do."""
        from tui.screens.acts import Acts

        return Acts(self)

    @cached_property
    def loader(self) -> Loader:
        """What fills the tabs."""
        from tui.screens.loader import Loader

        return Loader(self)

    @cached_property
    def sessions(self) -> Sessions:
        """Who opens terminals."""
        from tui.screens.sessions import Sessions

        return Sessions(self)

    @property
    def lists(self) -> ListColumn:
        return self.query_one(ListColumn)

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    @property
    def narrow(self) -> bool:
        return self.has_class("-narrow")

    def on_mount(self) -> None:
        self.lists.list_of("containers").focus()
        self.update_bars()
        self.set_interval(1.0, self._tick)

    # Facts

    def on_world_changed(self, event: WorldChanged) -> None:
        self.world = event.world
        self.lists.show(event.world)
        if self._awaited:
            self.when_listed(self._awaited)
        self.follow_cursor()
        self.update_bars()
        self._watch_rows()

    def on_usage_changed(self, event: UsageChanged) -> None:
        self.world = self.onggi.backend.world
        self.lists.refresh_figures(self.world)
        self.loader.sampled(event.usage)

    def on_engine_starting(self, event: EngineStarting) -> None:
        if self.engine.state != "down":
            self.set_engine(Engine("starting", self.engine.name))

    def on_engine_up(self, event: EngineUp) -> None:
        note = "started just now" if event.started else ""
        was_down = self.engine.state == "down"
        self.set_engine(Engine("up", self.engine.name, heard=self.onggi.now(), own=event.own, note=note))
        if was_down:
            self.line.say(join(("The engine answers again.", "$running")))
            self.detail.reload()

    def on_engine_down(self, event: EngineDown) -> None:
        heard = self.engine.heard
        self.set_engine(
            Engine("down", self.engine.name, heard, event.reason, event.since, event.next_try, self.engine.own)
        )

    def set_engine(self, engine: Engine) -> None:
        self.engine = engine
        self.set_class(engine.state == "down", "-down")
        self.detail.stale = bars.moment(engine.heard) if engine.state == "down" else ""
        self.detail.retitle()
        self.update_bars()

    def set_host(self, host: Host) -> None:
        self.host = host
        self.update_header()

    def _tick(self) -> None:
        """Once a second, and only where a second changes what is written."""
        self._ticks += 1
        now = self.onggi.now()
        young = any(now - max(c.started, c.finished) < _YOUNG for c in self.world.containers.values())
        if young or self._ticks % 30 == 0:
            self.lists.refresh_figures(self.world)
            self.follow_cursor()
        if self.engine.state == "down":
            self.update_bars()
        elif self.engine.note and now - self.engine.heard > 60:
            self.set_engine(Engine("up", self.engine.name, heard=self.engine.heard, own=self.engine.own))

    def _watch_rows(self) -> None:
        self.onggi.backend.watch_rows(self.lists.visible_containers())

    # Where the keyboard is

    @property
    def keyboard_inside(self) -> bool:
        """A terminal has it: no key is ours."""
        return bool(getattr(self.focused, "captures_keys", False))

    @property
    def place(self) -> str:
        """The narrowest scope of the action table that keys are for."""
        focused = self.focused
        if isinstance(focused, TitledList):
            return focused.kind
        if focused is not None and self.detail.pane in focused.ancestors_with_self:
            return "terminal"
        if focused is not None and focused.id == "log":
            return "logs"
        if isinstance(focused, LinesView):
            return "images" if self.detail.welcoming else "text"
        return self.lists.current

    @property
    def about(self) -> str:
        """The list whose object the detail shows."""
        return self.detail.subject.kind

    def targets(self, kind: str) -> tuple[str, ...]:
        """What an act on a kind of object hits: bound now, at the key press."""
        return self.lists.list_of(kind).targets

    def container(self) -> Container | None:
        """The container an act is about: under the cursor, whatever list has the keyboard."""
        return self.lists.selected_container()

    def follow_cursor(self) -> None:
        """Let the detail show what is under the cursor of the current list."""
        kind = self.lists.current
        found = self.lists.list_of(kind).cursor_id
        one = self.world.containers.get(found) if kind == "containers" else None
        empty = self.world.loaded and not self.world.containers and not self.world.images
        about = bars.subject(self.world, kind, found)
        if kind == "containers" and self._awaited:
            about, one = Subject(kind, self._awaited, self._awaited_name), None
        self.detail.show(about, one, self.onggi.now())
        welcoming = empty and not (self.detail.pane and self.detail.pane.sessions)
        if welcoming != self.detail.welcoming:
            self.detail.welcome(welcoming)
            self._turn_to_welcome(welcoming)
        self.update_footer()

    def _turn_to_welcome(self, on: bool) -> None:
        """The first screen has the keyboard while it is there: its choices are what there is to do."""
        if on and not self.line.asking:
            self.set_class(self.narrow, "-deep")
            self.detail.page.focus()
            self.line.show(commands.line(("import", "--starter")), join(("what b would do", "$muted")))
        elif not on and self.focused is self.detail.page:
            self.go_to("images" if not self.world.containers else "containers")

    def show_all(self, kind: str) -> None:
        """Drop the filter of a list, and show the stopped."""
        self.lists.filters[kind] = ""
        self.lists.hides_stopped = False
        self.lists.refresh_rows()

    def turn_to(self, container_id: str, name: str) -> None:
        """Let the detail be about a container now, even when its row has not come yet."""
        self._awaited_name = name
        self.lists.pick("containers")
        self.when_listed(container_id)
        self.follow_cursor()

    def when_listed(self, container_id: str) -> None:
        """Put the cursor on a container, now or when its row comes."""
        found = self.lists.list_of("containers").select(container_id)
        self._awaited = "" if found else container_id

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        if event.source is self.lists.list_of(self.lists.current):
            self._awaited = ""  # whoever moves has something else in mind
            self.follow_cursor()
            self.lists.list_of(self.lists.current).retitle()
        self._watch_rows()

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        self.do(BY_ID["open"])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, TitledList) and event.widget.kind != self.lists.current:
            self.lists.pick(event.widget.kind)
            self.follow_cursor()
        self.call_after_refresh(self.update_bars)

    def go_to(self, kind: str) -> None:
        """Give the keyboard to a list."""
        self.remove_class("-deep", "-zoom", "-full")
        self.lists.pick(kind).focus()
        self.follow_cursor()

    def go_inside(self) -> None:
        """Give the keyboard to the detail."""
        if self.narrow:
            self.add_class("-deep")
        self.detail.inner.focus()
        self.show_command_of_tab()

    def show_command_of_tab(self) -> None:
        """The command line teaches what shows the same from a shell."""
        subject, tab = self.detail.subject, self.detail.tab
        command = commands.of_tab(subject.kind, tab, subject.name)
        if command and not self.detail.welcoming:
            self.line.show(command, join(("live", "$running")) if tab in ("Logs", "Stats") else EMPTY)

    # Keys

    def on_key(self, event: events.Key) -> None:
        if self.keyboard_inside or self.typed_ahead(event):
            return
        key = keymaps.pressed(event)
        if self.detail.welcoming and key == "enter" and not isinstance(self.focused, ObjectList):
            event.stop()
            self.do(BY_ID[self.acts.welcome_choice()])
            return
        if self.engine.state == "down" and key == "enter" and isinstance(self.focused, TitledList):
            event.stop()
            self.do(BY_ID["retry"])
            return
        found = self.onggi.keymap.all_of(key, self.place, self.about)
        if not found:
            return
        event.stop()
        event.prevent_default()
        subject = self.container()
        fitting = next((a for a in found if applies(a, subject)), None)
        if fitting is not None:
            self.do(fitting)
        else:
            self.acts.refuse(subject)

    def do(self, action: Action) -> None:
        """Do an act, wherever it was asked for: key, footer, palette."""
        move = self.moves.table.get(action.id)
        if move is not None:
            move()
        else:
            self.acts.do(action)

    def on_command_line_filtered(self, event: CommandLine.Filtered) -> None:
        self.lists.filters[self.lists.current] = event.text
        self.lists.refresh_rows()
        if event.done:
            self.lists.list_of(self.lists.current).focus()

    def on_hints_pressed(self, event: Hints.Pressed) -> None:
        self.do(BY_ID[event.action])

    # Layout and bars

    def on_resize(self, event: events.Resize) -> None:
        narrow = event.size.width < NARROW
        self.set_class(narrow, "-narrow")
        self.lists.narrow = self.detail.narrow = narrow
        self.lists.styles.width = "1fr" if narrow else column_width(event.size.width)
        if narrow and not isinstance(self.focused, TitledList):
            self.add_class("-deep")
        self.lists.arrange_lists()
        self.call_after_refresh(self.update_bars)

    def update_bars(self) -> None:
        """Header, banner, list tabs and footer as things are now."""
        self.update_header()
        self.update_footer()
        bars.show_banner(self)
        self.query_one(bars.ListTabs).show_counts(self.world, self.lists.current)

    def update_header(self) -> None:
        """The header line."""
        inside = self.keyboard_inside
        right = header.right(inside)
        width = self.size.width - 2 - right.cell_length - 3
        work = self.acts.work() if "acts" in self.__dict__ else Work()
        left = header.left(self.world, self.engine, self.host, work, self.onggi.glyphs, width)
        self.query_one("#header", Bar).show(left, right)

    def update_footer(self) -> None:
        """The keys that matter here."""
        bars.show_footer(self, self.query_one("#footer", Hints))

    def on_detail_wanted(self, event: Detail.Wanted) -> None:
        self.loader.load(event.subject, event.tab)
        self.call_after_refresh(self.update_bars)

    def on_terminal_pane_changed(self, event: TerminalPane.Changed) -> None:
        self.detail.note_sessions()
        self.update_bars()

    def on_terminal_pane_ended(self, event: TerminalPane.Ended) -> None:
        self.sessions.ended(event.session)

    def on_terminal_pane_resized(self, event: TerminalPane.Resized) -> None:
        self.sessions.resized(event.session, event.columns, event.lines)

    def on_session_strip_picked(self, event: SessionStrip.Picked) -> None:
        if self.detail.pane is not None:
            self.detail.pane.pick(event.number)
            self.detail.pane.enter()

    def on_list_tabs_picked(self, event: bars.ListTabs.Picked) -> None:
        self.go_to(event.kind)
