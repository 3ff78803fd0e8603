"""How a build is written: the rows of its steps, and what stands below them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from textual.content import Content

from tui.build.model import Build, Step
from tui.glyphs import Glyphs
from tui.jobs.paint import bar
from tui.paint import EMPTY, cut, ends, fit, join, wrap
from tui.safe import crop_end, safe, safe_plain
from tui.text import took
from tui.widgets.objectlist import Row

_STYLES: Final = {
    "waiting": "$muted", "running": "$restarting", "cached": "$muted", "done": "$ink", "failed": "$failed",
    "cancelled": "$paused",
}  # fmt: skip
_OUTCOMES: Final = {
    "sending": "$restarting", "running": "$restarting", "done": "$running", "failed": "$failed",
    "cancelled": "$paused", "lost": "$failed",
}  # fmt: skip
_FILES: Final = re.compile(r"(?:(?:COPY|ADD|RUN) ?.*?)?changed: (.*)", re.DOTALL)
_QUICK: Final = 0.05  # seconds: what takes less is written as 0.0 s
FOLDED: Final = 2
"""So many cached steps after one another are one line."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Cached steps after one another; `key` is their row's."""

    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        return f"fold {self.steps[0].id}"


def title(step: Step) -> str:
    """The instruction on one line, inert."""
    return safe_plain(" ".join(step.told.text.split()))


def sign(state: str, glyphs: Glyphs) -> tuple[str, str]:
    """The glyph of a step's state: round is alive, square is at rest, a cross went wrong."""
    return {
        "waiting": (glyphs.created, "$muted"),
        "running": (glyphs.restarting, "$restarting"),
        "cached": (glyphs.exited, "$muted"),
        "done": (glyphs.exited, "$running"),
        "failed": (glyphs.failed, "$failed"),
        "cancelled": (glyphs.exited, "$paused"),
    }[state]


def duration(seconds: float) -> str:
    """`0.3 s`, `38 s`, `1 min 14 s`"""
    if seconds < 60:
        return took(seconds)
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def folds(steps: Sequence[Step]) -> list[Step | Fold]:
    """The steps with runs of cached ones folded."""
    found: list[Step | Fold] = []
    run: list[Step] = []
    for step in [*steps, None]:
        if step is not None and step.free:
            run.append(step)
            continue
        found += [Fold(tuple(run))] if len(run) >= FOLDED else run
        run = []
        if step is not None:
            found.append(step)
    return found


def step_rows(build: Build, unfolded: frozenset[str], now: float, glyphs: Glyphs) -> list[Row]:
    """One row a step; cached ones in a row share one until it is unfolded."""
    rows: list[Row] = []
    for one in folds(tuple(build.steps.values())):
        if isinstance(one, Step):
            rows.append(_step_row(build, one, now, glyphs))
            continue
        opened = one.key in unfolded
        rows.append(Row(one.key, (len(one.steps), opened, glyphs.rule), _fold_painter(one, opened, glyphs)))
        if opened:
            rows += [_step_row(build, step, now, glyphs) for step in one.steps]
    return rows


def _fold_painter(fold: Fold, opened: bool, glyphs: Glyphs) -> Callable[[int], Content]:
    numbers = f"{fold.steps[0].id}-{fold.steps[-1].id}"
    mark = glyphs.open if opened else glyphs.closed

    def paint(width: int) -> Content:
        left = join((f"{mark} {len(fold.steps)} cached", "$muted"), (f"  steps {numbers}", "$muted"))
        return fit(left, width)

    return paint


def _step_row(build: Build, step: Step, now: float, glyphs: Glyphs) -> Row:
    told = "cached" if step.free else duration(build.spent(step, now)) if step.state != "waiting" else ""
    waits = build.waits_for(step)
    more = f" waits for {waits.id}" if waits is not None else ""
    stamp = (step.state, told, more, step.told.text, glyphs.rule)
    return Row(str(step.id), stamp, _step_painter(step, told, more, glyphs))


def _step_painter(step: Step, told: str, waits: str, glyphs: Glyphs) -> Callable[[int], Content]:
    mark, words, state = sign("cached" if step.free else step.state, glyphs), title(step), step.state
    quick = step.free or (state == "done" and step.seconds < _QUICK)
    style = _STYLES["cached" if quick else state]

    def paint(width: int) -> Content:
        number = (f"{step.id:>3} ", "$muted")
        right = join((waits, "$muted"), (f"  {told} " if told else " ", style))
        room = max(width - 6 - right.cell_length, 8)
        name = "$muted" if state == "waiting" else "bold $failed" if state == "failed" else ""
        return ends(join(mark, " ", number, _named(crop_end(words, room), name, glyphs)), right, width)

    return paint


def _named(words: str, style: str, glyphs: Glyphs) -> Content:
    """The name of a stage is muted beside what it is made of."""
    head, sign_, tail = words.partition(" AS ")
    if not words.upper().startswith("FROM") or not sign_ or style:
        return join((words, style))
    return join(head, (f" AS {tail}", "$muted"))


def notes(build: Build, chosen: Step | None, now: float, glyphs: Glyphs, width: int) -> list[Content]:
    """What stands below the steps: how far, why a step ran, hints."""
    width = max(width - 2, 10)
    lines = [EMPTY, *_progress(build, now, glyphs, width)]
    if build.error and build.failed is None and not build.live:
        words = wrap(safe(build.error, style="$failed"), max(width - 2, 8))
        lines += [EMPTY, *(join(f"{glyphs.failed} " if n == 0 else "  ", line) for n, line in enumerate(words))]
    why = build.why(chosen)
    if why is not None:
        lines += [EMPTY, join((f"Why step {why.id} ran", "bold $accent"))]
        lines += _cause(why, width)
    if build.hints:
        lines += [EMPTY, join(("Hints", "bold $accent"))]
        for hint in build.hints:
            where = f"line {hint.line}  " if hint.line else ""
            told = wrap(join((where, "$muted"), safe(hint.text)), max(width - 2, 8))
            lines += [join(("! ", "$paused") if n == 0 else "  ", line) for n, line in enumerate(told)]
            if hint.cure:
                lines += [join("  ", line) for line in wrap(safe(hint.cure, style="$accent2"), max(width - 2, 8))]
    return [join(" ", line) for line in lines]


def _cause(step: Step, width: int) -> list[Content]:
    files = _FILES.fullmatch(step.cause)
    if files is not None:
        return [cut(_changed_file(name), width) for name in files.group(1).split(", ") if name]
    sentence = {
        "--no-cache": "the cache was not to be used",
        "not in the cache any more": "it was not in the cache any more",
    }.get(step.cause, step.cause)
    return [join(("~ ", "$paused"), line) if n == 0 else join("  ", line)
            for n, line in enumerate(wrap(safe(sentence), max(width - 2, 8)))]  # fmt: skip


def _changed_file(told: str) -> Content:
    """`a` changed, `b (new)`, `c (gone)`, or `+2 more`."""
    for end, sign_, word in ((" (new)", "+ ", "new"), (" (gone)", "- ", "gone")):
        if told.endswith(end):
            return join((sign_, "$paused"), safe(told.removesuffix(end)), (f" {word}", "$muted"))
    if told.startswith("+") and told.endswith(" more"):
        return join((f"  and {safe_plain(told[1:])}", "$muted"))
    return join(("~ ", "$paused"), safe(told), (" changed", "$muted"))


def _progress(build: Build, now: float, glyphs: Glyphs, width: int) -> list[Content]:
    total = len(build.steps)
    spent = join((duration(build.elapsed(now)), "$muted"))
    if not total:
        word = {"sending": "sending the context", "running": "reading the Dockerfile"}.get(
            build.outcome, "no step ran"
        )
        return [ends(join((word, "$muted")), spent if build.live else EMPTY, width)]
    percent = build.done * 100 // total
    style = _OUTCOMES[build.outcome]
    cached = f", {build.cached} cached" if build.cached else ""
    lines = [
        bar(percent, width, style, glyphs),
        ends(join(f"{build.done} of {total} steps{cached}"), spent, width),
    ]
    if build.image:
        short = safe(build.image.removeprefix("sha256:")[:12], style="$muted")
        named = [safe(name, style="bold") for name in build.names] or [join(("no name", "$muted"))]
        lines += [
            EMPTY,
            *(cut(ends(name, short if n == 0 else EMPTY, width), width) for n, name in enumerate(named)),
        ]
    if (old := sorted(build.before - {build.image})) and (build.image or build.live):
        told = ", ".join(ident.removeprefix("sha256:")[:12] for ident in old)
        words = "in place of" if build.image else f"{', '.join(map(safe_plain, _names(build)))} will move on from"
        lines += wrap(join((f"{words} {told}", "$muted")), width)
    return lines


def _names(build: Build) -> Sequence[str]:
    return build.names or (build.wish.names if build.wish is not None else ())


def how(build: Build, glyphs: Glyphs) -> Content:
    """The top right title: `◌ 7/12`, `▪ done`, `× failed`."""
    style = _OUTCOMES[build.outcome]
    if build.live:
        told = f"{build.done}/{len(build.steps)}" if build.steps else "begins"
        return join((f"{glyphs.restarting} {told}", style))
    mark = glyphs.failed if build.outcome in ("failed", "lost") else glyphs.exited
    return join((f"{mark} {build.outcome}", style))


def outcome(build: Build, now: float) -> Content:
    """What the command line says: `running, 1 min 14 s`, `done, 3.0 s`, `failed in step 11`."""
    style, spent = _OUTCOMES[build.outcome], duration(build.elapsed(now))
    if build.live:
        return join(("running", style), (f", {spent}", "$muted"))
    if build.outcome == "done":
        short = build.image.removeprefix("sha256:")[:12]
        return join(("done", style), (f", {spent} · ", "$muted"), safe(short, style="$muted"))
    if build.failed is not None and build.outcome == "failed":
        return join((f"failed in step {build.failed.id}", style), (f", {spent}", "$muted"))
    return join((build.outcome, style), (f", {spent}", "$muted"))


def excerpt(build: Build, step: Step, glyphs: Glyphs, around: int = 2) -> list[Content]:
    """The Dockerfile's lines of a step, with some before and after."""
    text = build.source.rstrip("\n").split("\n")
    if not build.source or step.told.line > len(text):
        return []
    first, last = max(step.told.line - 1 - around, 0), min(step.told.last_line + around, len(text))
    cells = len(str(last))
    lines = []
    for number in range(first + 1, last + 1):
        here = step.told.line <= number <= step.told.last_line
        mark = (f"{glyphs.cursor} " if here else "  ", "$failed")
        line = safe(text[number - 1].replace("\t", "    ").rstrip("\r"), style="" if here else "$muted")
        lines.append(join(mark, (f"{number:>{cells}}  ", "$muted"), line))
    return lines
