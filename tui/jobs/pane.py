"""The frame below the detail that shows the background's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tui.glyphs import Glyphs
from tui.jobs.model import Board, Job
from tui.jobs.paint import rows
from tui.paint import EMPTY, join
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList

_LEAST: Final = 4
_ROOMY: Final = 78


class JobsPane(ObjectList):
    """One row a job, its parts below it. It shows what the board says at each `redraw`."""

    DEFAULT_CSS = """
    JobsPane { width: 1fr; height: 8; display: none; }
    JobsPane.-shown { display: block; }
    """

    def __init__(self, board: Board, now: Callable[[], float], keys: Callable[[str], str], glyphs: Glyphs) -> None:
        super().__init__(id="jobs", glyphs=glyphs)
        self.scope = "jobs"
        self._board = board
        self._now = now
        self._keys = keys
        self.empty = join(("Nothing has run for long yet: pull, push, save and load will be here.", "$muted"))

    @property
    def shown(self) -> bool:
        return self.has_class("-shown")

    @property
    def job(self) -> Job | None:
        """The job under the cursor, or the one whose part that is."""
        key = self.cursor_id.partition(" ")[0]
        return next((job for job in self._board.jobs if job.key == key), None)

    def redraw(self) -> None:
        """Show how far everything is."""
        self.set_rows(rows(self._board.jobs, self._now(), self.glyphs))

    def wanted_height(self, most: int) -> int:
        """Rows that would show everything, within `most`."""
        return max(min(len(self.row_ids) + 2, most), _LEAST)

    def titles(self, focused: bool) -> Titles:
        style = "bold $focus" if focused else "$ink"
        more = " go on in the background" if self.outer_size.width >= _ROOMY else ""
        left = join(("Jobs", style), (more, "$muted"))
        states = [job.state for job in self._board.jobs]
        words = (("running", "run"), ("paused", "paused"), ("failed", "failed"), ("done", "done"))
        told = [f"{states.count(state)} {word}" for state, word in words if state in states]
        job = self.job
        keeps = f" · {self._keys('job_cancel')} cancels, {job.keeps}" if job is not None and job.live else ""
        hint = join((f"{self._keys('jobs')} hides this{keeps}", "$muted"))
        return Titles(left, join((" · ".join(told), "$muted")), hint, EMPTY)
