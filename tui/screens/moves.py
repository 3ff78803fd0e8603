"""Moving about the main screen: motions, panes, tabs, zoom, marks, filter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tui import commands
from tui.actions import LISTS
from tui.paint import join
from tui.panes.detail import TABS
from tui.panes.listing import TitledList
from tui.terminal.driver import driver_of
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.layers.pane import FileTree
    from tui.screens.main import MainScreen

MOTIONS = ("down", "up", "first", "last", "page_down", "page_up")


class Moves:
    """The acts that change only what is looked at. `table` has them by action id."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.table: dict[str, Callable[[], None]] = {
            **{motion: partial(self._move, motion) for motion in MOTIONS},
            **{f"list_{n}": partial(screen.go_to, kind) for n, kind in enumerate(LISTS, 1)},
            "open": screen.go_inside,
            "inspect": partial(self._show_tab, "Config"),
            "logs": partial(self._show_tab, "Logs"),
            "back": self._back,
            "pane_left": lambda: screen.go_to(screen.lists.current),
            "pane_right": screen.go_inside,
            "next_pane": partial(self._cycle, 1),
            "previous_pane": partial(self._cycle, -1),
            "tab_left": partial(self._turn, -1),
            "tab_right": partial(self._turn, 1),
            "zoom": self._zoom,
            "mark": partial(self._mark, ObjectList.toggle_mark),
            "mark_all": partial(self._mark, ObjectList.toggle_all),
            "filter": lambda: screen.line.ask(screen.lists.filters.get(screen.lists.current, "")),
            "hide_stopped": self._hide_stopped,
            "sort": screen.lists.next_sort,
            "layer_open": self._into_files,
            "layer_up_to": lambda: screen.browser.toggle_up_to(),
            "file_up_to": lambda: screen.browser.toggle_up_to(),
            "file_order": lambda: screen.browser.next_order(),
            **{f"{kind}_open": self._open_path for kind in ("file", "change")},
            **{f"{kind}_shut": partial(self._fold, True) for kind in ("file", "change")},
            **{f"{kind}_unfold": partial(self._fold, False) for kind in ("file", "change")},
            "retry": screen.onggi.backend.retry,
        }

    @property
    def _list(self) -> TitledList:
        return self._screen.lists.list_of(self._screen.lists.current)

    def _move(self, motion: str) -> None:
        screen = self._screen
        focused = screen.focused
        if screen.detail.welcoming and focused is screen.detail.page and motion in ("down", "up"):
            screen.detail.choose(1 if motion == "down" else -1)
        elif isinstance(focused, ObjectList | LinesView):
            focused.move(motion)

    def _mark(self, change: Callable[[ObjectList], None]) -> None:
        """Mark rows; the logs of marked containers are shown as one."""
        before = self._list.cursor_id
        change(self._list)
        if self._list.cursor_id == before:
            self._screen.detail.marked()

    def _back(self) -> None:
        """Leave the zoom, go back to the list, clear the filter, unmark: one step each. It never quits."""
        screen, current = self._screen, self._list
        if screen.has_class("-zoom"):
            screen.remove_class("-zoom", "-full")
        elif screen.place == "files":
            screen.detail.inner.focus()
        elif not isinstance(screen.focused, TitledList):
            screen.go_to(screen.lists.current)
        elif screen.lists.filters.get(current.kind):
            screen.lists.filters[current.kind] = ""
            screen.lists.refresh_rows()
        elif current.marks:
            self._mark(ObjectList.unmark)

    def _show_tab(self, tab: str) -> None:
        """Go into a tab of what is under the cursor."""
        screen = self._screen
        if tab in TABS[screen.detail.subject.kind]:
            screen.detail.pick(tab)
            screen.call_after_refresh(screen.go_inside)

    def _into_files(self) -> None:
        if self._screen.browser.pane.shown:
            self._screen.browser.pane.files.focus()

    @property
    def _tree(self) -> FileTree | None:
        from tui.layers.pane import FileTree

        focused = self._screen.focused
        return focused if isinstance(focused, FileTree) else None

    def _open_path(self) -> None:
        if (tree := self._tree) is not None:
            tree.enter()

    def _fold(self, shut: bool) -> None:
        """Fold or unfold; what is folded already is left for the frame beside."""
        if (tree := self._tree) is not None and not tree.fold(shut) and shut:
            self._back()

    def _cycle(self, step: int) -> None:
        screen = self._screen
        lists = [screen.lists.list_of(kind) for kind in LISTS]
        stops: list[Widget] = [one for one in lists if screen.narrow or not one.has_class("-away")]
        if not screen.narrow:
            stops.append(screen.detail.inner)
            stops += screen.frames_below()
        at = next((n for n, stop in enumerate(stops) if stop.has_focus), 0)
        target = stops[(at + step) % len(stops)]
        if isinstance(target, TitledList):
            screen.go_to(target.kind)
        elif target is not screen.detail.inner:
            target.focus()
        else:
            screen.go_inside()

    def _turn(self, step: int) -> None:
        screen = self._screen
        inside = not isinstance(screen.focused, TitledList)
        screen.detail.turn(step)
        if inside:
            screen.call_after_refresh(screen.detail.inner.focus)
        screen.follow.show_command_of_tab()
        screen.update_bars()

    def _zoom(self) -> None:
        """The detail fills the screen, and back; a terminal is given the reader's own, or takes even the bars."""
        screen = self._screen
        if screen.detail.tab == "Terminal" and self._zoom_terminal():
            return
        if screen.has_class("-zoom"):
            screen.remove_class("-zoom", "-full")
            return
        screen.add_class("-zoom")
        screen.set_class(screen.detail.tab == "Terminal", "-full")
        screen.detail.inner.focus()

    def _zoom_terminal(self) -> bool:
        """Give the terminal away; False where there is none, as in a test without one."""
        screen, driver = self._screen, driver_of(self._screen.onggi)
        if driver is None or not driver.may_be_given:
            return False
        if screen.detail.pane is not None and screen.detail.pane.zoom():
            return True
        one = screen.container()
        if one is None or one.status != "running":
            return False
        if one.whole and not one.tty and screen.sessions.shell_left(one) is None:
            return False
        screen.sessions.zoom(one)
        return True

    def _hide_stopped(self) -> None:
        lists = self._screen.lists
        lists.hides_stopped = not lists.hides_stopped
        lists.refresh_rows()
        hidden = lists.hides_stopped
        said = join(("the stopped are hidden" if hidden else "all are shown", "$muted"))
        self._screen.line.show(commands.line(("ps",) if hidden else ("ps", "-a")), said)
