"""Long work on the screen: one job as it runs, or all of them. Enter leaves it alone, c cancels it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui import jobs
from tui.glyphs import Glyphs
from tui.jobs import Job
from tui.paint import EMPTY, join
from tui.screens.dialog import Dialog
from tui.widgets.frame import Titles

_MOST = 6


class Progress(Dialog[None]):
    """Shows `wanted()`, the newest first. With `goes` it goes by itself when its only job is done."""

    WIDTH = 84

    def __init__(
        self,
        title: str,
        wanted: Callable[[], Sequence[Job]],
        now: Callable[[], float],
        glyphs: Glyphs,
        *,
        goes: bool = False,
    ) -> None:
        super().__init__()
        self._title_text = title
        self._wanted = wanted
        self._now = now
        self._glyphs = glyphs
        self._goes = goes

    def box_titles(self) -> Titles:
        return Titles(join((self._title_text, "bold $focus")), join(("esc leaves it to itself", "$muted")))

    def parts(self) -> list[Widget]:
        return [Static(id="jobs")]

    def on_mount(self) -> None:
        only = list(self._wanted())
        if self._goes and len(only) == 1 and only[0].state == "done":
            self.dismiss(None)
            return
        self.redraw()
        self.set_interval(0.5, self.redraw)

    def only(self, job: Job) -> bool:
        """This dialog is about that job alone."""
        return self._goes and list(self._wanted()) == [job]

    def redraw(self) -> None:
        """Show how far the work is."""
        found = list(self._wanted())[-_MOST:][::-1]
        width = max(min(self.WIDTH, self.app.size.width) - 8, 20)
        lines: list[Content] = []
        for job in found:
            lines += [*jobs.lines(job, self._now(), self._glyphs, width), EMPTY]
        if not found:
            lines = [join(("Nothing has run for long yet.", "$muted")), EMPTY]
        self.query_one("#jobs", Static).update(Content("\n").join([*lines, self._keys(found)]))

    def _keys(self, found: Sequence[Job]) -> Content:
        keys = join(("  Leave  ", "bold on $cursor"), ("  enter, esc", "$muted"))
        running = [job for job in found if job.state == "running"]
        if not running:
            return keys
        keeps = f": {running[0].keeps}" if running[0].keeps else ""
        return join(keys, "      ", ("c", "bold $accent"), (f" cancels{keeps}", "$muted"))

    def pressed(self, event: events.Key) -> None:
        event.stop()
        if event.key in ("escape", "enter", "q"):
            self.dismiss(None)
        elif event.key == "c":
            running = [job for job in self._wanted() if job.state == "running"]
            if running:
                running[-1].cancel()
                self.redraw()
