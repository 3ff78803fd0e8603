"""What the detail is about, and who has the keyboard: the cursor leads, the detail follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui import commands
from tui.paint import EMPTY, join
from tui.panes.detail import Subject
from tui.screens import bars

if TYPE_CHECKING:
    from tui.screens.main import MainScreen


class Follow:
    """Moves the detail with the cursor of the current list."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._awaited = self._awaited_name = ""
        self._searching = False

    def cursor(self) -> None:
        """Let the detail show what is under the cursor of the current list."""
        screen = self._screen
        world, kind = screen.world, screen.lists.current
        found = screen.lists.list_of(kind).cursor_id
        one = world.containers.get(found) if kind == "containers" else None
        empty = world.loaded and not world.containers and not world.images
        about = bars.subject(world, kind, found)
        if kind == "containers" and self._awaited:
            about, one = Subject(kind, self._awaited, self._awaited_name), None
        detail = screen.detail
        detail.show(about, one, screen.onggi.now())
        welcoming = empty and not (detail.pane and detail.pane.sessions)
        if welcoming != detail.welcoming:
            detail.welcome(welcoming)
            self._turn_to_welcome(welcoming)
        screen.arrange_frames()
        screen.update_footer()

    def _turn_to_welcome(self, on: bool) -> None:
        """The first screen has the keyboard while it is there: its choices are what there is to do."""
        screen = self._screen
        if on and not screen.line.asking:
            screen.set_class(screen.narrow, "-deep")
            screen.detail.page.focus()
            screen.line.show(
                commands.line(("import", "--starter")),
                join((f"what {screen.onggi.key_of('image_starter')} would do", "$muted")),
            )
        elif not on and screen.focused is screen.detail.page:
            screen.go_to("images" if not screen.world.containers else "containers")

    def listed(self) -> None:
        """The lists are different now."""
        if self._awaited:
            self.when_listed(self._awaited)
        self.cursor()

    def let_go(self) -> None:
        """Whoever moves the cursor has something else in mind than what was awaited."""
        self._awaited = ""
        self.cursor()

    def show_all(self, kind: str) -> None:
        """Drop the filter of a list, and show the stopped."""
        lists = self._screen.lists
        lists.filters[kind] = ""
        lists.hides_stopped = False
        lists.refresh_rows()

    def turn_to(self, container_id: str, name: str) -> None:
        """Let the detail be about a container now, even when its row has not come yet."""
        self._awaited_name = name
        self._screen.lists.pick("containers")
        self.when_listed(container_id)
        self.cursor()

    def when_listed(self, container_id: str) -> None:
        """Put the cursor on a container, now or when its row comes."""
        found = self._screen.lists.list_of("containers").select(container_id)
        self._awaited = "" if found else container_id

    def show_command_of_tab(self) -> None:
        """The command line teaches what shows the same from a shell."""
        screen = self._screen
        subject, tab = screen.detail.subject, screen.detail.tab
        command = commands.of_tab(subject.kind, tab, subject.name)
        view = screen.detail.logs
        if tab == "Logs" and view is not None and view.sources.names:
            command = commands.line(view.command)
        if command and not screen.detail.welcoming:
            screen.line.show(command, join(("live", "$running")) if tab in ("Logs", "Stats") else EMPTY)

    def log_changed(self) -> None:
        """Another pattern, or other containers: another command shows the same."""
        screen = self._screen
        view = screen.detail.logs
        if view is None or not view.has_focus:
            return
        if screen.line.command != commands.line(view.command):
            self.show_command_of_tab()
        if self._searching != view.searching:
            self._searching = view.searching
            screen.update_footer()
