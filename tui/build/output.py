"""What the steps of a build have said: one page in the order of the file, where each step folds.

Everything that programs wrote goes through `safe_log` (colours stay, all other control is shown), line by line when
it comes onto the screen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.build import paint
from tui.build.model import Build, Step
from tui.glyphs import Glyphs
from tui.jobs.paint import bar, of
from tui.logview import lines as loglines
from tui.logview.layout import Layout
from tui.logview.store import LogLine
from tui.paint import EMPTY, cut, ends, join, strip_of
from tui.safe import crop_end, safe, safe_plain
from tui.widgets.frame import Framed, Titles

_GUTTER: Final = 3  # cells before a step's lines
_GAP: Final = 3
_LEAST: Final = 5  # lines of a running step that are shown, however many run


class Section:
    """One unfolded step: its heading, its lines, and what stands below them."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.layout = Layout()
        self.tail: list[Content] = []
        self._seen = -1
        self._shape: tuple[int, bool] = (0, False)

    @property
    def rows(self) -> int:
        """Heading, lines, tail, and a blank row."""
        return 1 + self.layout.rows + len(self.tail) + 1

    def measure(self, width: int, wrap: bool, keep: int) -> None:
        """Lay out what has come. `keep` = only so many lines of the end, 0 = all."""
        store = self.step.lines
        first = max(store.first, store.end - keep) if keep else store.first
        shape = (width, wrap)
        height = (lambda number: loglines.height(shown(store[number]), width)) if wrap else None
        changed = self._seen - 1 if shape == self._shape and self._seen >= 0 else None
        self.layout.update(range(first, store.end), height, None if keep else changed)
        self._seen, self._shape = store.end, shape


def shown(line: LogLine) -> LogLine:
    """A line that a program wrote over itself, as progress bars do, is what it was in the end."""
    if b"\r" not in line.data:
        return line
    return line._replace(data=line.data.rstrip(b"\r").rpartition(b"\r")[2])


class OutputPage(Framed, ScrollView, can_focus=True):
    """Shows a build at each `redraw`. `chosen` is the step under the cursor of the list of steps."""

    DEFAULT_CSS = """
    OutputPage { width: 1fr; height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    class Moved(Message):
        """The reader scrolls: nothing is followed any more."""

    class Picked(Message):
        """A folded step, or the heading of an unfolded one, was clicked."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, build: Build, glyphs: Glyphs) -> None:
        super().__init__(id="output")
        self.scope = "build"
        self.build = build
        self.glyphs = glyphs
        self.chosen = 0
        self.follow = True
        self.wrap = False
        self.now = 0.0
        self.narrow = False
        self._turned: dict[int, bool] = {}
        self._sections: dict[int, Section] = {}
        self._parts: list[Section | Content] = []
        self._folded: dict[int, list[tuple[int, int, int]]] = {}  # part -> clickable (start, end, step)
        self._tops: list[int] = []
        self._rows = 0
        self._placing = False

    # What is shown

    def is_open(self, step: Step) -> bool:
        """Whether a step's output is unfolded: by the reader's will, else where something happens; all of it where
        nothing will happen any more and nothing went wrong."""
        looked_at = step.id == self.chosen or self.build.outcome == "done"
        by_itself = step.state in ("running", "failed") or (looked_at and len(step.lines) > 0)
        return self._turned.get(step.id, by_itself)

    def turn(self, step: Step) -> None:
        """Fold or unfold a step."""
        self._turned[step.id] = not self.is_open(step)
        self.redraw(self.now)

    def redraw(self, now: float) -> None:
        """Show what has come."""
        self.now = now
        if not self.is_attached or not self.size.width:
            return
        self._gather()
        self._placing = True
        self.virtual_size = Size(self.size.width, self._rows)
        if self.follow:
            self.scroll_to(y=self._wanted(), animate=False, immediate=True, force=True)
        self._placing = False
        self.retitle()
        self.refresh()

    def _gather(self) -> None:
        """The rows from top to bottom: runs of folded steps, and unfolded ones between them."""
        width = self.size.width
        steps = list(self.build.steps.values())
        opened = [step for step in steps if self.is_open(step)]
        running = [step for step in opened if step.state == "running"]
        share = 0
        if self.follow and len(running) > 1:
            share = max((self.size.height - 2) // len(running) - 4, _LEAST)
        self._parts, self._folded = [], {}
        closed: list[Step] = []
        for step in steps:
            if step not in opened:
                closed.append(step)
                continue
            self._fold(closed, width)
            closed = []
            section = self._sections.setdefault(step.id, Section(step))
            section.measure(max(width - _GUTTER - 1, 8), self.wrap, share if step in running else 0)
            section.tail = self._tail(step, width)
            self._parts.append(section)
        self._fold(closed, width)
        if not self.build.live and self.build.failed is None and self.build.error:
            self._parts += self._trouble(width)
        self._tops, row = [], 0
        for part in self._parts:
            self._tops.append(row)
            row += part.rows if isinstance(part, Section) else 1
        self._rows = row

    def _fold(self, steps: Sequence[Step], width: int) -> None:
        """`▹ 1 2 3 cached   ▹ 4 14.2 s`, as many on a row as fit; a blank row below where more follows."""
        rows: list[list[tuple[Content, int]]] = [[]]
        used = 1
        for one in paint.folds(steps):
            piece = self._piece(one)
            first = one.id if isinstance(one, Step) else one.steps[0].id
            if rows[-1] and used + _GAP + piece.cell_length > width - 1:
                rows.append([])
                used = 1
            used += piece.cell_length + (_GAP if rows[-1] else 0)
            rows[-1].append((piece, first))
        for row in rows if steps else ():
            spots, at = [], 1
            for piece, first in row:
                spots.append((at, at + piece.cell_length, first))
                at += piece.cell_length + _GAP
            self._folded[len(self._parts)] = spots
            self._parts.append(cut(join(" ", join(" " * _GAP).join([piece for piece, _ in row])), width))

    def _piece(self, one: Step | paint.Fold) -> Content:
        mark = f"{self.glyphs.closed} "
        if isinstance(one, paint.Fold):
            ids = [str(step.id) for step in one.steps]
            numbers = " ".join(ids) if len(ids) < 5 else f"{ids[0]}-{ids[-1]}"
            return join((f"{mark}{numbers} cached", "$muted"))
        if one.state == "waiting":
            waits = self.build.waits_for(one)
            return join((f"{mark}{one.id}{f' waits for {waits.id}' if waits else ''}", "$muted"))
        spent = "cached" if one.free else paint.duration(self.build.spent(one, self.now))
        return join((f"{mark}{one.id} {spent}", "$muted" if one.state != "failed" else "$failed"))

    def _tail(self, step: Step, width: int) -> list[Content]:
        """Progress of a pull, and what went wrong with the lines of the Dockerfile."""
        tail: list[Content] = []
        if step.state == "running":
            for part in list(step.parts.values())[-12:]:
                percent = 100 if part.over else part.arrived * 100 // part.total if part.total else -1
                told = of(part.arrived, part.total) if part.total or part.arrived else ""
                name = f"{safe_plain(part.id)[:12]:12}  {safe_plain(part.status).lower():<18}"
                shown_bar = bar(percent, 16, "$running" if part.over else "$accent", self.glyphs)
                tail.append(join((name, "$muted"), shown_bar, (f"  {told}", "$muted")))
        if step.state == "failed":
            why = f"ended with exit code {step.exit_code}" if step.exit_code else safe_plain(step.error)
            words = _broken(f"{self.glyphs.failed} {why}", max(width - _GUTTER - 1, 8))
            tail += [EMPTY] if len(step.lines) else []
            tail += [join((line, "$failed")) for line in words]
            lines = paint.excerpt(self.build, step, self.glyphs)
            tail += [EMPTY, *lines] if lines else []
        return tail

    def _trouble(self, width: int) -> list[Content]:
        words = _broken(f"{self.glyphs.failed} {safe_plain(self.build.error)}", max(width - 2, 8))
        return [EMPTY, *(join(" ", (line, "$failed")) for line in words)]

    # Where the reader is

    def _wanted(self) -> int:
        """The row at the top when following: what happens is on the screen, with its heading if there is room."""
        steps = [part for part in self._parts if isinstance(part, Section) and self._matters(part.step)]
        if not steps:
            return self._top_of(self.chosen) if not self.build.live else self._rows
        first, last = self._index(steps[0]), self._index(steps[-1])
        bottom = self._tops[last] + steps[-1].rows
        top = max(self._tops[first] - 1, 0)
        return top if bottom - top <= self.size.height else max(bottom - self.size.height, 0)

    def _matters(self, step: Step) -> bool:
        return step.state in ("running", "failed")

    def _index(self, section: Section) -> int:
        return self._parts.index(section)

    def _top_of(self, step: int) -> int:
        for n, part in enumerate(self._parts):
            if isinstance(part, Section) and part.step.id == step:
                return self._tops[n]
        return 0

    def reveal(self, step: int) -> None:
        """Scroll to a step."""
        self._placing = True
        self.scroll_to(y=self._top_of(step), animate=False, immediate=True, force=True)
        self._placing = False

    def move(self, motion: str) -> bool:
        """Do a motion of the action table."""
        page = max(self.size.height // 2, 1)
        steps = {"down": 1, "up": -1, "page_down": page, "page_up": -page}
        if motion in steps:
            self.scroll_to(y=self.scroll_offset.y + steps[motion], animate=False, immediate=True, force=True)
        elif motion in ("first", "last"):
            self.scroll_to(y=0 if motion == "first" else self._rows, animate=False, immediate=True, force=True)
        else:
            return False
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Textual's hook: a reader who scrolls is not to be pulled away."""
        super().watch_scroll_y(old_value, new_value)
        if not self._placing and self.is_attached and old_value != new_value:
            self.follow = False
            self.post_message(self.Moved())

    def on_resize(self, event: events.Resize) -> None:
        self.redraw(self.now)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        n, row = self._at(offset.y + self.scroll_offset.y)
        part = self._parts[n] if 0 <= n < len(self._parts) else None
        if isinstance(part, Section) and row == 0:
            self.post_message(self.Picked(part.step.id))
        for start, end, step in self._folded.get(n, ()):
            if start <= offset.x < end:
                self.post_message(self.Picked(step))

    # Drawing

    def _at(self, row: int) -> tuple[int, int]:
        """(part, row within it) at a row of the page; part -1 past the end."""
        if not 0 <= row < self._rows:
            return -1, 0
        n = bisect_right(self._tops, row) - 1
        return n, row - self._tops[n]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        n, row = self._at(y + self.scroll_offset.y)
        if n < 0:
            words = self._empty() if not self._rows and y == 1 else EMPTY
            return strip_of(words, width, self.visual_style, self.app)
        part = self._parts[n]
        line = self._line(part, row, width) if isinstance(part, Section) else part
        return strip_of(line, width, self.visual_style, self.app)

    def _empty(self) -> Content:
        word = {"sending": "The context is on its way.", "running": "The engine reads the Dockerfile."}
        return join((f" {word.get(self.build.outcome, 'Nothing was said.')}", "$muted"))

    def _line(self, section: Section, row: int, width: int) -> Content:
        step = section.step
        if row == 0:
            return self._heading(step, width)
        place = section.layout.at(row - 1)
        if place is not None:
            return join(self._gutter(step, step.lines[place[0]].error), self._text(section, *place))
        below = row - 1 - section.layout.rows
        if below < len(section.tail):
            return join(self._gutter(step, False), section.tail[below])
        return EMPTY

    def _gutter(self, step: Step, error: bool) -> Content:
        if step.state == "failed" and not error:
            return join(" ", ("│ ", "$line"))
        return join(" ", ("┃ ", "$stderr") if error else ("│ ", "$line"))

    def _text(self, section: Section, number: int, row: int) -> Content:
        content = loglines.body(shown(section.step.lines[number]))
        if not self.wrap:
            return content
        width = max(self.size.width - _GUTTER - 1, 8)
        starts = [*loglines.breaks(content.plain, width), len(content.plain)]
        return content[starts[row] : starts[row + 1]]

    def _heading(self, step: Step, width: int) -> Content:
        state = "cached" if step.free else step.state
        mark, style = paint.sign(state, self.glyphs)
        spent = paint.duration(self.build.spent(step, self.now)) if state not in ("cached", "waiting") else state
        right = join((f"{mark} {spent} ", style))
        words = crop_end(paint.title(step), max(width - right.cell_length - 8, 8))
        colour = "$failed" if step.state == "failed" else "$restarting" if step.state == "running" else "$muted"
        left = join((f" {self.glyphs.open} ", "$muted"), (f"{step.id} ", f"bold {colour}"), (words, "bold"))
        return ends(left, right, width)

    def titles(self, focused: bool) -> Titles:
        build = self.build
        file = safe(build.dockerfile or "Dockerfile", style="$muted")
        left = join(("Output", "bold $focus" if focused else "$ink"), " ", file)
        if build.context:
            left = join(left, (f" · context {of(build.context, 0)}", "$muted"))
        mode = join(("follow", "$running")) if self.follow and build.live else EMPTY
        wrap = join((f"wrap {'on' if self.wrap else 'off'}", "$muted"))
        failed = build.failed
        note = EMPTY
        if failed is not None:
            note = join((f"step {failed.id} failed", "$failed"), (f" · line {failed.told.line}", "$muted"))
        return Titles(left, mode, note, wrap)


def _broken(text: str, width: int) -> list[str]:
    from tui.screens.output import break_at

    return break_at(text, width)
