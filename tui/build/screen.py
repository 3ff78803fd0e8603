"""The view of one build: steps left, their output right, the bars of the main screen around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from tui import header, keymaps
from tui.actions import ACTIONS, BY_ID, Situation, applies, scopes_of
from tui.build import paint
from tui.build.model import Build, Step
from tui.build.output import OutputPage
from tui.build.steps import StepList, StepsPane
from tui.build.viewacts import ViewActs
from tui.paint import join
from tui.screens.working import WorkingScreen
from tui.widgets.bars import Bar, Hint, Hints
from tui.widgets.commandline import CommandLine
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

if TYPE_CHECKING:
    from tui.build.builder import Builder
    from tui.screens.main import MainScreen

_NARROW: Final = 100
_SOON: Final = 0.1  # seconds between two pictures of what flows
_MOTIONS: Final = ("down", "up", "first", "last", "page_down", "page_up")
_MOST_HINTS: Final = 11
_SHORT: Final = {"build_edit": "edit", "build_shell": "shell"}
"""Verbs where there is little room, so that the shell in a failed step is among them."""


class BuildScreen(WorkingScreen):
    """Lies over the main screen; leaving it leaves the build alone."""

    DEFAULT_CSS = """
    BuildScreen { background: $bg; layout: vertical; }
    BuildScreen #header, BuildScreen #command, BuildScreen #footer { dock: none; }
    BuildScreen #middle { width: 1fr; height: 1fr; }
    BuildScreen.-narrow OutputPage { display: none; }
    BuildScreen.-narrow.-deep StepsPane { display: none; }
    BuildScreen.-narrow.-deep OutputPage { display: block; }
    """
    ESCAPE_TO_MINIMIZE: ClassVar[bool | None] = False

    def __init__(self, main: MainScreen, builder: Builder, build: Build) -> None:
        super().__init__(main.onggi)
        self._main = main
        self.build = build
        self._steps = StepsPane(build, main.onggi.glyphs)
        self._page = OutputPage(build, main.onggi.glyphs)
        self._waits = False
        self._drawn = -1
        self._reported = False
        self._table: dict[str, Callable[[], None]] = {
            **{motion: partial(self._move, motion) for motion in _MOTIONS},
            "back": self._back,
            "next_pane": self._other_pane,
            "previous_pane": self._other_pane,
            "pane_left": self._to_steps,
            "pane_right": self._to_output,
            "build_fold": self._fold,
            "build_failure": self._to_failure,
            "build_follow": self._follow,
            "build_wrap": self._wrap,
            "build_leave": self.leave,
            **ViewActs(main, builder, self).table,
        }

    def compose(self) -> ComposeResult:
        yield Bar(id="header")
        with Horizontal(id="middle"):
            yield self._steps
            yield self._page
        yield CommandLine()
        yield Hints(id="footer")

    def on_mount(self) -> None:
        self._steps.list.focus()
        self._draw()
        self.set_interval(1.0, self._tick)

    @property
    def chosen(self) -> Step | None:
        """The step that acts are about."""
        return self._steps.chosen

    @property
    def narrow(self) -> bool:
        return self.has_class("-narrow")

    @property
    def situation(self) -> Situation:
        """What decides which acts make sense."""
        build = self.build
        if build.live:
            return Situation(build="following" if self._page.follow else "running")
        return Situation(build=build.outcome if build.steps else "unread")

    # What has changed

    def changed(self) -> None:
        """The build has moved on: draw it soon, and not for every line."""
        if not self._waits and self.is_attached:
            self._waits = True
            self.set_timer(_SOON, self._draw)

    def _tick(self) -> None:
        if self.build.live:
            self._draw()
        self._update_header()

    def _draw(self) -> None:
        self._waits = False
        if not self.is_attached:
            return
        now = self.onggi.now()
        self._steps.redraw(now)
        self._lead()
        self._page.chosen = self.chosen.id if self.chosen is not None else 0
        self._page.redraw(now)
        self._update_header()
        self._update_footer()
        if self.build.live or not self._reported:
            self._reported = not self.build.live
            self.line.show(self.build.command, paint.outcome(self.build, now))

    def _lead(self) -> None:
        """While following, the cursor is where something happens."""
        if not self._page.follow:
            return
        running, failed = self.build.running, self.build.failed
        target = failed or (running[0] if running else None)
        if target is not None:
            self._steps.select(target)

    # Keys

    def on_key(self, event: events.Key) -> None:
        if self.typed_ahead(event):
            return
        found = self.onggi.keymap.all_of(keymaps.pressed(event), "build")
        act = next((one for one in found if applies(one, self.situation)), None)
        if act is None:
            return
        event.stop()
        event.prevent_default()
        self.do(act.id)

    def do(self, action: str) -> None:
        """Do an act of the table; what is not about the build is done by the main screen, on top of this one."""
        if action in self._table:
            self._table[action]()
        elif action in ("jobs", "retry", "registries") or action.startswith("list_"):
            self.leave()
            self._main.do(BY_ID[action])
        elif action in ("theme", "keys", "details", "quit", "builds"):
            self._main.do(BY_ID[action])

    def _move(self, motion: str) -> None:
        focused = self.focused
        if isinstance(focused, ObjectList | LinesView | OutputPage):
            focused.move(motion)

    def _back(self) -> None:
        if self._page.has_focus:
            self._to_steps()
        else:
            self.leave()

    def leave(self) -> None:
        """Back to what was looked at before; the build goes on."""
        if self.is_current:
            self.dismiss()

    def _to_steps(self) -> None:
        self.remove_class("-deep")
        self._steps.list.focus()
        self.call_after_refresh(self._draw)

    def _to_output(self) -> None:
        if self.narrow:
            self.add_class("-deep")
        self._page.focus()
        self.call_after_refresh(self._draw)

    def _other_pane(self) -> None:
        if self._page.has_focus:
            self._to_steps()
        else:
            self._to_output()

    def _fold(self) -> None:
        if self._steps.on_fold:
            self._steps.turn()
        elif self.narrow and not self.has_class("-deep"):
            self._to_output()
        elif (step := self.chosen) is not None:
            self._page.turn(step)

    def _to_failure(self) -> None:
        step = self.build.failed
        if step is not None:
            self._page.follow = True
            if self.narrow:
                self._to_output()
            self._draw()

    def _follow(self) -> None:
        self._page.follow = True
        self._draw()

    def _wrap(self) -> None:
        self._page.wrap = not self._page.wrap
        self._draw()

    # Messages of the parts

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()

    def on_step_list_chosen(self, event: StepList.Chosen) -> None:
        event.stop()
        self._page.follow = False
        self._draw()
        if self.chosen is not None:
            self._page.reveal(self.chosen.id)

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self._fold()

    def on_output_page_moved(self, event: OutputPage.Moved) -> None:
        event.stop()
        self._update_footer()

    def on_output_page_picked(self, event: OutputPage.Picked) -> None:
        event.stop()
        step = self.build.steps[event.step]
        self._page.follow = False
        self._page.turn(step)

    def on_hints_pressed(self, event: Hints.Pressed) -> None:
        self.do(event.action)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.call_after_refresh(self._update_footer)

    # Bars and layout

    def on_resize(self, event: events.Resize) -> None:
        narrow = event.size.width < _NARROW
        self.set_class(narrow, "-narrow")
        self.set_class(narrow and self._page.has_focus, "-deep")
        self._steps.narrow = self._page.narrow = narrow
        self._steps.styles.width = "1fr" if narrow else max(min(event.size.width * 44 // 100, 84), 46)
        self._reported = False
        self.call_after_refresh(self._draw)

    def _update_header(self) -> None:
        main, glyphs = self._main, self.onggi.glyphs
        right = header.right(False, self.onggi.key_of)
        width = self.size.width - 2 - right.cell_length - 3
        work = main.runner.board.work()
        left = header.left(main.world, main.engine, main.host, work, glyphs, width)
        self.query_one("#header", Bar).show(left, right)

    def _update_footer(self) -> None:
        keymap, now = self.onggi.keymap, self.situation
        found = [
            action
            for scope in scopes_of("build")
            for action in ACTIONS
            if action.scope == scope and action.rank and keymap.shown(action.id) and applies(action, now)
            if action.id in self._table
        ]
        found.sort(key=lambda action: (action.scope != "build", action.rank))
        into = self.narrow and not self.has_class("-deep")
        verbs = {"build_fold": "its output" if into and not self._steps.on_fold else "fold"}
        if self.narrow:
            verbs |= _SHORT
        hints = [Hint(keymap.shown(a.id), verbs.get(a.id, a.verb), a.id) for a in found]
        hints.append(Hint(keymap.shown("back"), "back", "back"))
        self.query_one("#footer", Hints).show_hints(hints[:_MOST_HINTS])

    def say(self, text: str) -> None:
        """One sentence of ours in the command line."""
        self.tell(join((text, "$muted")))

    def tell(self, text: Content) -> None:
        """Something in the command line, which is not drawn over once the build is over."""
        self._reported = not self.build.live
        self.line.say(text)
