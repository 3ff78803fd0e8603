"""Long work: loading, saving, importing, exporting. It shows how far it is, can be left alone and be cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from tui.glyphs import Glyphs
from tui.header import Work
from tui.paint import EMPTY, ends, join
from tui.safe import crop_middle, safe, safe_plain
from tui.text import rate, size, span, took

State = Literal["running", "done", "failed", "cancelled"]
_BAR = 24


@dataclass(slots=True, eq=False)
class Job:
    """One piece of long work. `current` and `total` are bytes, total 0 = not known; times by the app's clock."""

    title: str
    command: str
    began: float
    current: int = 0
    total: int = 0
    ended: float = 0.0
    state: State = "running"
    note: str = ""
    keeps: str = ""
    """What a cancel leaves behind, in words."""
    cancel: Callable[[], None] = lambda: None

    @property
    def percent(self) -> int:
        """How far, -1 = not known."""
        if self.state == "done":
            return 100
        return min(self.current * 100 // self.total, 100) if self.total else -1


class JobBoard:
    """All long work since the app began, the newest last. `changed` is called when a job has moved on."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.jobs: list[Job] = []
        self._changed = changed

    def add(self, job: Job) -> Job:
        """Show a job from now on."""
        self.jobs.append(job)
        self._changed()
        return job

    def move(self, job: Job, current: int, total: int) -> None:
        """A job has done more bytes."""
        job.current, job.total = current, total or job.total
        self._changed()

    def end(self, job: Job, state: State, note: str, now: float) -> None:
        """A job is over."""
        job.state, job.note, job.ended = state, note, now
        self._changed()

    @property
    def running(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.state == "running")

    def work(self) -> Work:
        """What the header says of it."""
        running = self.running
        known = [job for job in running if job.total]
        total = sum(job.total for job in known)
        percent = sum(job.current for job in known) * 100 // total if total and len(known) == len(running) else -1
        return Work(len(running), percent)


def bar(percent: int, cells: int, state: State, glyphs: Glyphs) -> Content:
    """`━━━━────`; nothing where the end is not known."""
    if percent < 0:
        return EMPTY
    filled = cells * percent // 100
    style = {"done": "$running", "failed": "$failed", "cancelled": "$paused"}.get(state, "$accent")
    return join((glyphs.heavy * filled, style), (glyphs.rule * (cells - filled), "$line"))


def lines(job: Job, now: float, glyphs: Glyphs, width: int) -> list[Content]:
    """A job in three lines: what it is, how far it is, the command that does the same."""
    title = join((crop_middle(safe_plain(job.title), max(width - 14, 8)), "bold"))
    state = join((job.state, {"done": "$running", "failed": "$failed"}.get(job.state, "$muted")))
    return [
        ends(title, state, width),
        progress(job, now, glyphs),
        join(("$ ", "$muted"), safe(job.command, style="$muted")),
    ]


def progress(job: Job, now: float, glyphs: Glyphs) -> Content:
    """`━━━━──── 62 %  94 of 151 M · 11 MB/s · 5 s`"""
    if job.state in ("failed", "cancelled"):
        return safe(job.note, style="$failed" if job.state == "failed" else "$paused")
    spent = max((job.ended or now) - job.began, 0.001)
    if job.state == "done":
        return join(bar(100, _BAR, "done", glyphs), "  ", safe(job.note), (f" · {took(spent)}", "$muted"))
    speed = job.current / spent
    parts = [size(job.current)]
    if job.total:
        parts = [f"{size(job.current)} of {size(job.total)}"]
    if speed >= 1:
        parts.append(rate(speed))
        if job.total > job.current:
            parts.append(f"{span((job.total - job.current) / speed)} left")
    if job.total and job.current >= job.total:
        parts = [f"{size(job.total)} sent, the engine unpacks it"]
    figures = join((" · ".join(parts), "$muted"))
    known = job.percent
    return join(bar(known, _BAR, job.state, glyphs), f" {known} %  " if known >= 0 else "", figures)
