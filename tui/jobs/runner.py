"""Does long work in the background: shows it, pauses it, ends it, and says how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.worker import Worker

from core.errors import EngineError
from tui.jobs.model import Board, Job, Watch
from tui.jobs.paint import outcome
from tui.jobs.pane import JobsPane
from tui.paint import join
from tui.safe import safe, safe_plain

if TYPE_CHECKING:
    from tui.screens.main import MainScreen

Doing = Callable[[Watch], Awaitable[str]]
"""The work itself: it moves the job on and answers with what came of it."""

_REPAINT: Final = 0.2  # seconds between two looks at moving figures
_PATIENCE: Final = 0.7  # seconds after which work is long enough to be shown
_SHARE: Final = 5  # of the right column's rows, the pane takes two in so many at most


class Runner:
    """The board, its pane, and the workers behind them."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.board = Board(self._changed)
        self.pane = JobsPane(self.board, screen.onggi.now, screen.onggi.key_of, screen.onggi.glyphs)
        self._doing: dict[int, Doing] = {}
        self._waits = False
        self._by_itself = False
        self.table: dict[str, Callable[[], None]] = {
            "jobs": self.toggle,
            "job_open": self._fold,
            "job_pause": self._pause,
            "job_resume": self._resume,
            "job_cancel": self._cancel,
            "job_clear": self._clear,
        }

    def start(self, title: str, command: str, doing: Doing, *, keeps: str = "", again: bool = False) -> Job:
        """Begin. `keeps` = what a cancel leaves; `again` = it may be begun anew without loss."""
        screen = self._screen
        job = Job(title, command, screen.onggi.now(), again=again)
        job.keeps = keeps or job.keeps
        self._doing[id(job)] = doing
        self.board.add(job)
        screen.line.show(command, join(("running", "$restarting")))
        if self.pane.is_attached and not self.pane.has_focus:
            self.pane.redraw()
            self.pane.select(job.key)
        self._begin(job)
        screen.set_timer(_PATIENCE, partial(self._appear, job))
        return job

    def _begin(self, job: Job) -> None:
        doing = self._doing[id(job)]
        worker: Worker[None] = self._screen.work(partial(self._run, job, doing), group="long")
        job.cancel = worker.cancel

    async def _run(self, job: Job, doing: Doing) -> None:
        screen, board = self._screen, self.board
        try:
            said = await doing(Watch(job, screen.onggi.now, board.changed))
        except asyncio.CancelledError:
            if job.state == "running":
                board.end(job, "cancelled", f"cancelled; {job.keeps}", screen.onggi.now())
                screen.line.say(join(safe(job.title), (f": cancelled; {job.keeps}", "$paused")))
            raise
        except (EngineError, OSError) as error:
            board.end(job, "failed", safe_plain(str(error)), screen.onggi.now())
            screen.say_error(f"{job.title}: {error}")
            return
        board.end(job, "done", said, screen.onggi.now())
        screen.line.show(job.command, join(("done", "$running"), ", ", safe(said, style="$muted")))
        if self._by_itself and not self.board.live and not self.pane.has_focus:
            self._show(False)

    def release(self) -> None:
        """The app ends: threads that wait for a paused job must not hold it up."""
        for job in self.board.live:
            job.gate.set()

    def tick(self) -> None:
        """A second has passed."""
        if self.board.live:
            self._repaint()

    def _changed(self) -> None:
        """Something moved: repaint soon, and not for every kilobyte."""
        if not self._waits:
            self._waits = True
            self._screen.set_timer(_REPAINT, self._repaint)

    def _repaint(self) -> None:
        self._waits = False
        screen = self._screen
        screen.update_header()
        if self.pane.has_focus:
            screen.update_footer()
        if self.pane.shown:
            before = len(self.pane.row_ids)
            self.pane.redraw()
            if len(self.pane.row_ids) != before:
                screen.arrange_frames()
        for job in self.board.live:
            if job.command == screen.line.command:
                screen.line.show(job.command, outcome(job, screen.onggi.now(), screen.onggi.key_of("jobs")))

    # The pane

    def arrange(self) -> None:
        """How tall the pane is."""
        height = self._screen.right.size.height
        if self.pane.shown and height:
            most = height - 2 if self._screen.narrow else max(height * 2 // _SHARE, 5)
            self.pane.styles.height = "1fr" if self._screen.narrow else self.pane.wanted_height(most)

    def _appear(self, job: Job) -> None:
        if job.state == "running" and not self.pane.shown and not self._screen.narrow:
            self._by_itself = True
            self._show(True)

    def toggle(self) -> None:
        """Show the pane and give it the keyboard, or hide it."""
        screen = self._screen
        self._by_itself = False
        if self.pane.shown and (self.pane.has_focus or screen.narrow):
            self._show(False)
            screen.go_to(screen.lists.current)
            return
        self._show(True)
        screen.call_after_refresh(self.pane.focus)

    def hide_narrow(self) -> None:
        """A narrow screen shows one thing at a time: another one is looked at now."""
        if self._screen.narrow and self.pane.shown:
            self._show(False)

    def _show(self, on: bool) -> None:
        screen = self._screen
        if on and not self.pane.is_attached:
            screen.right.mount(self.pane)
        screen.set_class(on, "-jobs")
        self.pane.set_class(on, "-shown")
        if on:
            self.pane.redraw()
        screen.call_after_refresh(screen.arrange_frames)

    # Acts on the job under the cursor

    def _fold(self) -> None:
        if (job := self.pane.job) is not None and job.show is not None:
            job.show()
        elif job is not None:
            job.open = not job.open
            self.pane.redraw()
            self._screen.line.show(job.command)
            self._screen.arrange_frames()

    def _clear(self) -> None:
        self.board.clear()
        self.pane.redraw()

    def _pause(self) -> None:
        job = self.pane.job
        if job is None or job.state != "running":
            return
        job.forget_rate()
        self.board.end(job, "paused", job.note, self._screen.onggi.now())
        job.gate.clear()
        if job.again:
            job.cancel()

    def _resume(self) -> None:
        job = self.pane.job
        if job is None or job.state != "paused":
            return
        job.state = "running"
        job.gate.set()
        if job.again:
            self._begin(job)
        self._changed()

    def _cancel(self) -> None:
        job = self.pane.job
        if job is None or not job.live:
            return
        if job.state == "paused" and job.again:
            self.board.end(job, "cancelled", f"cancelled; {job.keeps}", self._screen.onggi.now())
            return
        job.state = "running"
        job.gate.set()
        job.cancel()
