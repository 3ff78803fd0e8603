"""The left frame of a build: its steps, and below them how far it is, why a step ran, and hints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui.build import paint
from tui.build.model import Build, Step
from tui.glyphs import Glyphs
from tui.paint import EMPTY, fit, join
from tui.safe import crop_middle, safe, safe_plain
from tui.widgets.frame import Framed, Titles
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

_LEAST_STEPS: Final = 4
_LEAST_NOTES: Final = 3
_ROOMY: Final = 20  # rows of the frame from which a heading stands above the steps


def _heading(width: int) -> Content:
    return fit(join(("    # step", "$muted")), max(width - 6, 8)) + join(("time ", "$muted"))


class StepList(ObjectList):
    """One row a step, without a frame of its own."""

    DEFAULT_CSS = """
    StepList, StepList:focus { border: none !important; background: $pane; width: 1fr; height: 6; }
    """

    class Chosen(Message):
        """The reader has moved the cursor; what moves it besides is the build itself."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="steps", heading=_heading, glyphs=glyphs)
        self.scope = "build"

    def move(self, motion: str) -> bool:
        """Do a motion of the action table, and tell of it."""
        self.post_message(self.Chosen())
        return super().move(motion)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Chosen())


class StepsPane(Framed, Vertical):
    """Shows a build at each `redraw`."""

    DEFAULT_CSS = """
    StepsPane { height: 1fr; }
    StepsPane #notes { height: 1fr; }
    """

    def __init__(self, build: Build, glyphs: Glyphs) -> None:
        super().__init__(id="stepsframe")
        self.build = build
        self.glyphs = glyphs
        self.narrow = False
        self.now = 0.0
        self._unfolded: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        yield StepList(self.glyphs)
        yield LinesView(id="notes")

    @property
    def list(self) -> StepList:
        return self.query_one(StepList)

    @property
    def chosen(self) -> Step | None:
        """The step under the cursor; the first of a fold."""
        key = self.list.cursor_id.rpartition(" ")[2]
        return self.build.steps.get(int(key)) if key else None

    @property
    def on_fold(self) -> bool:
        """The cursor is on a line that stands for several steps."""
        return self.list.cursor_id.startswith("fold ")

    def turn(self) -> None:
        """Fold or unfold the cached steps under the cursor."""
        self._unfolded ^= {self.list.cursor_id}
        self.redraw(self.now)

    def select(self, step: Step) -> None:
        """Put the cursor on a step, or on the line that stands for it."""
        if not self.list.select(str(step.id)):
            for one in paint.folds(tuple(self.build.steps.values())):
                if isinstance(one, paint.Fold) and step in one.steps:
                    self.list.select(one.key)

    def redraw(self, now: float) -> None:
        """Show how far it is."""
        self.now = now
        if not self.is_attached:
            return
        steps, chosen = self.list, self.chosen
        steps.set_rows(paint.step_rows(self.build, self._unfolded, now, self.glyphs))
        if chosen is not None and chosen is not self.chosen:
            self.select(chosen)  # its row has become a part of a fold
        self._notes()
        self._share()
        self.retitle()

    def _notes(self) -> None:
        def built(width: int) -> Sequence[Content]:
            return paint.notes(self.build, self.chosen, self.now, self.glyphs, width)

        self.query_one("#notes", LinesView).show(built, keep=True)

    def _share(self) -> None:
        """The steps take what they need; the notes have the rest, and never less than how far it is."""
        height = self.size.height
        if not height:
            return
        roomy = height >= _ROOMY
        self.list.heading = _heading if roomy else None
        wanted = len(self.list.row_ids) + (1 if roomy else 0)
        notes = self.query_one("#notes", LinesView).line_count
        most = max(height - max(min(notes, height // 2), _LEAST_NOTES), _LEAST_STEPS)
        self.list.styles.height = max(min(wanted, most), 1)

    def on_resize(self, event: events.Resize) -> None:
        self.redraw(self.now)

    def titles(self, focused: bool) -> Titles:
        build = self.build
        right = paint.how(build, self.glyphs)
        room = max(self.outer_size.width - right.cell_length - 18, 8)
        name = safe(crop_middle(safe_plain(build.title), room), style="$muted" if focused else "")
        left = join(("Build", "bold $focus" if focused else "$ink"), " ", name)
        stages = build.side_by_side
        mode = join((f"{stages} stages side by side", "$muted")) if stages > 1 else EMPTY
        return Titles(left, right, EMPTY, mode)
