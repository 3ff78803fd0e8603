"""How jobs and their parts are written: `◌ pull postgres:17 ━━━━──── 62 %  94 of 151 M · 11 MB/s · 5 s`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.jobs.model import UNPACKING, Job, Part
from tui.paint import EMPTY, cut, fit, join
from tui.safe import crop_middle, safe, safe_plain
from tui.text import clock, rate, size, span, took
from tui.widgets.objectlist import Row

_STYLES: Final = {"done": "$running", "failed": "$failed", "cancelled": "$paused", "paused": "$paused"}
_PERCENT: Final = 6
_ROOMY: Final = 64


def rows(jobs: Sequence[Job], now: float, glyphs: Glyphs) -> list[Row]:
    """The newest first, each followed by its parts while it goes on and is unfolded."""
    found: list[Row] = []
    for job in [*(j for j in jobs[::-1] if j.live), *(j for j in jobs[::-1] if not j.live)]:
        figures = job_figures(job, now)
        stamp = (job.title, job.state, job.percent, figures.plain, glyphs.rule)
        found.append(Row(job.key, stamp, _job_painter(job, [figures, *_less(job, now)], glyphs)))
        if job.live and job.open:
            for part in job.parts.values():
                told = (part.status, part.current, part.total, job.state)
                found.append(Row(f"{job.key} {part.id}", told, _part_painter(part, job, glyphs)))
    return found


def bar(percent: int, cells: int, style: str, glyphs: Glyphs) -> Content:
    """`━━━━────`; nothing where the end is not known."""
    if percent < 0:
        return join(" " * cells)
    filled = cells * percent // 100
    return join((glyphs.heavy * filled, style), (glyphs.rule * (cells - filled), "$line"))


def _widths(width: int) -> tuple[int, int]:
    """Cells of the title and of the bar."""
    title = max(min(width * 32 // 100, 40), 14)
    return title, (min(max(width // 9, 8), 24) if width >= _ROOMY else 8)


def sign(job: Job, glyphs: Glyphs) -> tuple[str, str]:
    """The glyph of a job's state."""
    signs = {
        "running": (glyphs.restarting, "$restarting"),
        "paused": (glyphs.paused, "$paused"),
        "done": (glyphs.exited, "$running"),
        "failed": (glyphs.failed, "$failed"),
        "cancelled": (glyphs.exited, "$exited"),
    }
    return signs[job.state]


def _job_painter(job: Job, figures: Sequence[Content], glyphs: Glyphs) -> Callable[[int], Content]:
    """`figures` = what is said of it, and what where there is no room for that."""
    style = _STYLES.get(job.state, "$accent")
    percent, live, title, mark = job.percent, job.live, safe_plain(job.title), sign(job, glyphs)

    def paint(width: int) -> Content:
        cells, long = _widths(width)
        head = join(mark, " ", fit(safe(crop_middle(title, cells)), cells), " ")
        if live:
            share = f"{percent} % " if percent >= 0 else ""
            head = join(head, bar(percent, long, style, glyphs), fit(join(share), _PERCENT + 1, right=True))
        room = max(width - head.cell_length - 1, 8)
        told = next((one for one in figures if one.cell_length <= room), figures[0])
        return join(head, fit(cut(told, room), room, right=live or told.cell_length < room), " ")

    return paint


def job_figures(job: Job, now: float) -> Content:
    """`94 of 151 M · 11 MB/s · 5 s`, or how it ended."""
    if job.state == "failed":
        return safe(job.note, style="$failed")
    if job.state == "cancelled":
        return safe(job.note, style="$paused")
    if job.state == "paused":
        return join(("paused by you", "$muted"))
    spent = max((job.ended or now) - job.began, 0.0)
    if job.state == "done":
        what = safe(job.note) if job.note else EMPTY
        moved = f"{size(job.current)} in " if job.current and not job.stays else ""
        told = f"{moved}{took(spent)} · {clock(job.ended)[:5]}"
        return join(what, "  " if what else "", (told, "$muted"))
    if job.stays:
        step = f"step {min(job.current + 1, job.total)} of {job.total} · " if job.total else ""
        return join(
            (step, "$muted"), safe(job.note, style="$muted"), (" · " if job.note else "", "$muted"), span(spent)
        )
    if job.total and job.current >= job.total:
        here = any(part.status.lower() in UNPACKING for part in job.parts.values())
        return join((f"{size(job.total)} {'there, unpacking' if here else 'done, finishing'}", "$muted"))
    parts = [of(job.current, job.total)] if job.current or job.total else []
    speed = job.rate(now)
    if speed >= 1:
        parts.append(rate(speed))
    figures = join((" · ".join(parts) or safe_plain(job.note) or f"{span(spent)}", "$muted"))
    left = job.left(now)
    return join(figures, (" · ", "$muted"), span(left)) if left else figures


def _less(job: Job, now: float) -> list[Content]:
    """What stays of a running job's figures where there is less room: `11 MB/s · 5 s`, `5 s`."""
    left = 0.0 if job.stays or job.state != "running" else job.left(now)
    if not left:
        return []
    return [join((f"{rate(job.rate(now))} · ", "$muted"), span(left)), join(span(left))]


def of(current: int, total: int) -> str:
    """`94 of 151 M`; without a known total the bytes alone."""
    if not total:
        return size(current)
    done, whole = size(current), size(total)
    number, _, unit = done.partition(" ")
    return f"{number if unit == whole.partition(' ')[2] else done} of {whole}"


def _part_painter(part: Part, job: Job, glyphs: Glyphs) -> Callable[[int], Content]:
    percent = 100 if part.over else part.arrived * 100 // part.total if part.total else -1
    style = "$running" if part.over else "$paused" if job.state == "paused" else "$accent"
    status, name, here = safe_plain(part.status).lower(), safe_plain(part.id)[:12], part.here
    told = f"{percent} % " if 0 <= percent < 100 else ""
    figures = of(part.arrived, part.total) if percent < 100 else size(part.total) if part.total else ""
    if here:
        figures = f"{figures}, here already" if figures else "here already"
    elif percent >= 0 and status in (*UNPACKING, "verifying checksum"):
        figures = f"{size(part.total)}, {'unpacking' if status in UNPACKING else 'checking'}"
    elif percent < 0 or (not part.current and not part.over):
        figures = f"{size(part.total)} waits" if part.total else "waits"

    def paint(width: int) -> Content:
        cells, long = _widths(width)
        head = join("  ", fit(join((f"  {name}", "$muted")), cells), " ", bar(percent, long, style, glyphs))
        word = join(("done ", "$running")) if part.over else join(told)
        head = join(head, fit(word, _PERCENT + 1, right=True))
        room = max(width - head.cell_length - 1, 6)
        return join(head, fit(join((figures, "$muted")), room, right=True), " ")

    return paint


def outcome(job: Job, now: float, key: str) -> Content:
    """What the command line says of a job that goes on: `running, 5 s left`; `key` shows the jobs, "" = none."""
    if job.state == "paused":
        return join(("paused", "$paused"), (f", {key} shows it" if key else "", "$muted"))
    left = 0.0 if job.stays else job.left(now)
    return join(("running", "$restarting"), (f", {span(left)} left" if left else "", "$muted"))
