"""The main screen: header, lists, detail, command line, footer. It turns keys into acts and facts into rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui import header, keymaps
from tui.actions import BY_ID, Action, Situation, applies
from tui.header import Work
from tui.messages import Happened
from tui.panes.detail import Detail
from tui.panes.listing import ListColumn, TitledList, column_width
from tui.screens import bars
from tui.screens.facts import FactScreen
from tui.screens.follow import Follow
from tui.state import Container
from tui.widgets.bars import Bar, Hints
from tui.widgets.commandline import CommandLine
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.app import OnggiApp
    from tui.build.builder import Builder
    from tui.jobs.runner import Runner
    from tui.layers.browse import LayerBrowser
    from tui.layers.pane import FileTree
    from tui.panes.terminals import SessionStrip, TerminalPane
    from tui.screens.acts import Acts
    from tui.screens.loader import Loader
    from tui.screens.moves import Moves
    from tui.screens.sessions import Sessions

NARROW: Final = 100


class MainScreen(FactScreen):
    """Holds the state of the view; what an act does is in `acts`, `sessions` and `loader`."""

    DEFAULT_CSS = """
    MainScreen { background: $bg; layout: vertical; }
    MainScreen #header, MainScreen #command, MainScreen #footer { dock: none; }
    MainScreen #middle { width: 1fr; height: 1fr; }
    MainScreen #right { width: 1fr; height: 1fr; }
    MainScreen #banner { height: 2; display: none; background: $raised; }
    MainScreen #banner Bar, MainScreen #banner { background: $raised; }
    MainScreen #banner1, MainScreen #banner2 { display: none; background: $raised; }
    MainScreen.-down #banner1, MainScreen.-down #banner2 { display: block; }
    MainScreen.-down #middle { opacity: 60%; }
    MainScreen #listtabs { display: none; }
    MainScreen.-narrow #listtabs { display: block; }
    MainScreen.-narrow ListColumn { width: 1fr; }
    MainScreen.-narrow #right { display: none; }
    MainScreen.-narrow.-deep ListColumn { display: none; }
    MainScreen.-narrow.-deep #right { display: block; }
    MainScreen.-narrow.-jobs ListColumn, MainScreen.-narrow.-jobs Detail { display: none; }
    MainScreen.-narrow.-jobs FilesPane.-shown { display: none; }
    MainScreen.-narrow.-jobs #right { display: block; }
    MainScreen.-zoom #lists, MainScreen.-zoom #listtabs { display: none; }
    MainScreen.-zoom #right { display: block; }
    MainScreen.-full #header, MainScreen.-full #footer, MainScreen.-full #command { display: none; }
    """
    ESCAPE_TO_MINIMIZE: ClassVar[bool | None] = False  # Escape is the container's, or goes one step back

    def __init__(self, app: OnggiApp) -> None:
        super().__init__(app)
        self.follow = Follow(self)
        self._loader: Loader | None = None

    def compose(self) -> ComposeResult:
        yield bars.Head(self.onggi.key_of)
        yield Bar(id="banner1")
        yield Bar(id="banner2")
        yield bars.ListTabs()
        with Horizontal(id="middle"):
            yield ListColumn(self.onggi.glyphs, self.onggi.now, self.onggi.key_of)
            with bars.RightColumn(id="right"):
                yield Detail(self.onggi.glyphs, self.onggi.key_of)
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

    @property
    def loader(self) -> Loader:
        """What fills the tabs."""
        if self._loader is None:
            from tui.screens.loader import Loader

            self._loader = Loader(self)
        return self._loader

    @cached_property
    def browser(self) -> LayerBrowser:
        """What an image is built of."""
        from tui.layers.browse import LayerBrowser

        return LayerBrowser(self)

    @cached_property
    def runner(self) -> Runner:
        """Long work in the background."""
        from tui.jobs.runner import Runner

        return Runner(self)

    @cached_property
    def builder(self) -> Builder:
        """Who builds images."""
        from tui.build.builder import Builder

        return Builder(self)

    @cached_property
    def sessions(self) -> Sessions:
        """Who opens terminals."""
        from tui.screens.sessions import Sessions

        return Sessions(self)

    @property
    def right(self) -> bars.RightColumn:
        """What stands beside the lists: the detail, and frames that come and go below it."""
        return self.query_one(bars.RightColumn)

    @property
    def narrow(self) -> bool:
        return self.has_class("-narrow")

    def on_mount(self) -> None:
        self.lists.list_of("containers").focus()
        self.update_bars()
        self.set_interval(1.0, self.tick)

    def on_unmount(self) -> None:
        if "runner" in self.__dict__:
            self.runner.release()

    def tick(self) -> None:
        super().tick()
        if "runner" in self.__dict__:
            self.runner.tick()

    # Where the keyboard is

    @property
    def keyboard_inside(self) -> bool:
        """A terminal has it: no key is ours."""
        return bool(getattr(self.focused, "captures_keys", False))

    @property
    def place(self) -> str:
        """The narrowest scope of the action table that keys are for."""
        focused = self.focused
        if scope := getattr(focused, "scope", ""):
            return str(scope)
        if focused is not None and self.detail.pane in focused.ancestors_with_self:
            return "terminal"
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

    @property
    def situation(self) -> Situation:
        """What decides which acts make sense here."""
        job = self.runner.pane.job if self.place == "jobs" else None
        logs = self.detail.logs
        searching, merged = logs is not None and logs.searching, logs is not None and logs.sources.many
        state = "" if job is None else "going" if job.stays and job.state == "running" else job.state
        return Situation(self.container(), state, searching, merged)

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        if event.source.id == "layers":
            self.browser.moved()
        elif event.source is self.lists.list_of(self.lists.current):
            self.follow.let_go()
            self.lists.list_of(self.lists.current).retitle()
        self.watch_rows()

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        self.do(BY_ID[{"layers": "layer_open", "jobs": "job_open"}.get(event.source.id or "", "open")])

    def on_log_page_changed(self) -> None:
        self.follow.log_changed()

    def on_file_tree_picked(self, event: FileTree.Picked) -> None:
        self.browser.view(event.node)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, TitledList) and event.widget.kind != self.lists.current:
            self.lists.pick(event.widget.kind)
            self.follow.cursor()
        self.call_after_refresh(self.update_bars)

    def go_to(self, kind: str) -> None:
        """Give the keyboard to a list."""
        self.remove_class("-deep", "-zoom", "-full")
        self.put_away_jobs()
        self.lists.pick(kind).focus()
        self.follow.cursor()

    def go_inside(self) -> None:
        """Give the keyboard to the detail."""
        self.put_away_jobs()
        if self.narrow:
            self.add_class("-deep")
        self.detail.inner.focus()
        self.follow.show_command_of_tab()

    def put_away_jobs(self) -> None:
        """On a narrow screen something else is looked at now."""
        if "runner" in self.__dict__:
            self.runner.hide_narrow()

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
        fitting = next((a for a in found if applies(a, self.situation)), None)
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

    def keys_changed(self) -> None:
        """Other keys hold: write them wherever keys stand."""
        if not self.is_mounted:
            return
        self.lists.refresh_rows()
        self.detail.keys_changed()
        self.update_bars()

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

    def on_right_column_resized(self, event: bars.RightColumn.Resized) -> None:
        self.arrange_frames()

    def arrange_frames(self) -> None:
        """Which frames stand below the detail, and how tall."""
        if "browser" in self.__dict__:
            self.browser.arrange()
        if "runner" in self.__dict__:
            self.runner.arrange()

    def frames_below(self) -> list[Widget]:
        """What takes the keyboard below the detail, from top to bottom."""
        found: list[Widget] = []
        if "browser" in self.__dict__ and self.browser.pane.shown:
            found.append(self.browser.pane.files)
        if "runner" in self.__dict__ and self.runner.pane.shown:
            found.append(self.runner.pane)
        return found

    def update_bars(self) -> None:
        """Header, banner, list tabs and footer as things are now."""
        self.update_header()
        self.update_footer()
        bars.show_banner(self)
        self.query_one(bars.ListTabs).show_counts(self.world, self.lists.current)

    def update_header(self) -> None:
        """The header line."""
        inside = self.keyboard_inside
        right = header.right(inside, self.onggi.key_of)
        width = self.size.width - 2 - right.cell_length - 3
        work = self.runner.board.work() if "runner" in self.__dict__ else Work()
        left = header.left(self.world, self.engine, self.host, work, self.onggi.glyphs, width)
        self.query_one("#header", Bar).show(left, right)

    def update_footer(self) -> None:
        """The keys that matter here."""
        bars.show_footer(self, self.query_one("#footer", Hints))

    def on_detail_wanted(self, event: Detail.Wanted) -> None:
        self.loader.load(event.subject, event.tab)
        self.arrange_frames()
        self.call_after_refresh(self.update_bars)

    def on_terminal_pane_changed(self, event: TerminalPane.Changed) -> None:
        self.detail.note_sessions()
        self.update_bars()

    def on_terminal_pane_ended(self, event: TerminalPane.Ended) -> None:
        self.sessions.ended(event.session)

    def on_terminal_pane_resized(self, event: TerminalPane.Resized) -> None:
        self.sessions.resized(event.session, event.columns, event.lines)

    def on_happened(self, event: Happened) -> None:
        if self.detail.pane is not None:
            self.sessions.shells.happened(event, self.detail.pane)

    def on_session_strip_picked(self, event: SessionStrip.Picked) -> None:
        if self.detail.pane is not None:
            self.detail.pane.pick(event.number)
            self.do(BY_ID["enter_terminal"])

    def on_list_tabs_picked(self, event: bars.ListTabs.Picked) -> None:
        self.go_to(event.kind)
