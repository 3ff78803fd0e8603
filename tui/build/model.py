"""One build as the app sees it: its steps, what they have said, how it went. Made of the engine's events alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from core.client.builds import Told, Wish
from core.model.build import (
    Built,
    Event,
    Failed,
    Finished,
    Noted,
    Output,
    Planned,
    PlannedStep,
    Progressed,
    Started,
)
from core.model.buildrecord import BuildRecord
from tui.jobs.model import Part
from tui.logview.store import LineStore

State = Literal["waiting", "running", "cached", "done", "failed", "cancelled"]
Outcome = Literal["sending", "running", "done", "failed", "cancelled", "lost"]

_LINES: Final = 20_000
_BYTES: Final = 4 << 20  # of output of one step that are kept
_PARTS: Final = 64
_WARNING: Final = re.compile(r"line (\d+)(?:-\d+)?: (.*)", re.DOTALL)
_CURE: Final = re.compile(r"(.*?)(?:^|: )(?:write|use) ([A-Z]+\b.*)", re.DOTALL)
_BEFORE, _GONE = "a step before it changed", "not in the cache any more"  # what a failed step never was
_FROM: Final = re.compile(r"(?:--from=|FROM\s+(?:--\S+\s+)*)(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hint:
    """What works but is probably not meant: where, why, and the line to write instead ("" = none to give)."""

    line: int
    text: str
    cure: str = ""


@dataclass(slots=True, eq=False)
class Step:
    """One step. `began` and `seconds` are seconds, `began` after the build's own beginning."""

    told: PlannedStep
    state: State = "waiting"
    began: float = 0.0
    seconds: float = 0.0
    cause: str = ""
    size: int = 0
    error: str = ""
    exit_code: int = 0
    lines: LineStore = field(default_factory=lambda: LineStore(_LINES, _BYTES))
    parts: dict[str, Part] = field(default_factory=dict)
    said: int = 0
    """Grows with whatever the step tells."""

    @property
    def id(self) -> int:
        return self.told.id

    @property
    def over(self) -> bool:
        return self.state in ("cached", "done", "failed", "cancelled")

    @property
    def free(self) -> bool:
        """It did nothing that takes time: taken from the cache, or a base that was here."""
        base = self.told.text.upper().startswith("FROM") and not self.parts
        return self.state == "cached" or (self.state == "done" and base)


class Build:
    """Changes by `take`; `revision` grows with each change. `wish` None = it cannot be begun again from here."""

    def __init__(
        self, title: str, command: str, began: float, *, ident: str = "", wish: Wish | None = None
    ) -> None:
        self.title = title
        self.command = command
        self.began = began
        self.id = ident
        self.wish = wish
        self.steps: dict[int, Step] = {}
        self.outcome: Outcome = "sending"
        self.error = ""
        self.image = ""
        self.names: tuple[str, ...] = ()
        self.hints: tuple[Hint, ...] = ()
        self.seconds = 0.0
        self.source = ""
        self.dockerfile = ""
        self.before: frozenset[str] = frozenset()
        """The images that had its names when it began."""
        self.context = 0
        """Bytes that were sent; 0 = not known."""
        self.ended = 0.0
        self.revision = 0
        self.end: Callable[[], None] | None = None
        """Ends it, where it was begun here."""

    @property
    def live(self) -> bool:
        """It goes on."""
        return self.outcome in ("sending", "running")

    @property
    def done(self) -> int:
        """Steps that are behind it."""
        return sum(step.state in ("cached", "done") for step in self.steps.values())

    @property
    def cached(self) -> int:
        """Steps that took no time."""
        return sum(step.free for step in self.steps.values())

    @property
    def running(self) -> tuple[Step, ...]:
        """The steps that go on, in the order of the file. A stage that waits for its base does nothing."""
        return tuple(step for step in self.steps.values() if step.state == "running")

    @property
    def failed(self) -> Step | None:
        """The step over which it failed."""
        return next((step for step in self.steps.values() if step.state == "failed"), None)

    @property
    def side_by_side(self) -> int:
        """How many stages go on at once."""
        return len({step.told.stage for step in self.running})

    def elapsed(self, now: float) -> float:
        """Seconds since it began, or that it took."""
        return self.seconds if not self.live else max(now - self.began, 0.0)

    def spent(self, step: Step, now: float) -> float:
        """Seconds of one step, up to now where it goes on."""
        return max(self.elapsed(now) - step.began, 0.0) if step.state == "running" else step.seconds

    def waits_for(self, step: Step) -> Step | None:
        """The step of another stage whose files this one needs, while it is not there yet."""
        found = _FROM.search(step.told.text)
        if step.state != "waiting" or found is None:
            return None
        name = found.group(1).lower()
        others = [other for other in self.steps.values() if other.told.stage in (name, f"stage-{name}")]
        return others[-1] if others and not others[-1].over else None

    def why(self, chosen: Step | None) -> Step | None:
        """The step whose cause is worth telling: the chosen one's own, else the first that anybody can do something
        about."""
        told = [
            step for step in self.steps.values() if step.cause and (step.state != "failed" or step.cause != _GONE)
        ]
        own = [step for step in told if step.cause not in (_GONE, _BEFORE)]
        if chosen is not None and chosen in own:
            return chosen
        return next(iter(own), None) or (chosen if chosen in told else next(iter(told), None))

    def take(self, told: Told, now: float) -> None:
        """Something the engine tells of it."""
        self.revision += 1
        if self.outcome == "sending":
            self.outcome, self.began = "running", now - told.at
        self.began = min(self.began, now - told.at)
        self.seconds = max(self.seconds, told.at)
        if told.event is None:
            self.error = self.error or told.error
        elif isinstance(told.event, Planned):
            self._plan(told.event)
        else:
            self._hear(told.event, told.at)

    def _plan(self, event: Planned) -> None:
        self.steps = {step.id: Step(step) for step in event.steps}
        self.hints = hints_of(event.warnings)

    def _hear(self, event: Event, at: float) -> None:
        if isinstance(event, Built):
            self.image, self.names = event.image, event.names
            return
        if isinstance(event, Noted):
            self.hints += hints_of([event.text] if event.warning else ())
            return
        step = self.steps.get(event.id) if not isinstance(event, Planned) else None
        if step is None:
            return
        step.said += 1
        if isinstance(event, Started):
            step.state, step.began, step.cause = "running", at, event.cause
        elif isinstance(event, Output):
            step.lines.append(event.stream == 2, None, event.data)
        elif isinstance(event, Progressed):
            _progress(step, event)
        elif isinstance(event, Finished):
            step.state, step.seconds = "cached" if event.cached else "done", event.seconds
            step.size = event.size
        elif isinstance(event, Failed):
            step.state, step.seconds = "failed", max(at - step.began, 0.0) if step.began else 0.0
            step.error, step.exit_code = event.error, event.exit_code
            self.error = event.error

    def finish(self, now: float, outcome: Outcome | None = None) -> None:
        """No more events will come. How it ended is told by them, where nobody knows better."""
        self.revision += 1
        if outcome is None:
            outcome = "done" if self.image else "failed"
        self.outcome = outcome
        if not self.ended:
            self.ended = now
        self.seconds = self.seconds or max(now - self.began, 0.0)
        for step in self.steps.values():
            if step.state == "running":
                step.state, step.seconds = "cancelled", max(self.seconds - step.began, 0.0)

    def recall(self, record: BuildRecord) -> None:
        """What the engine has written down of it."""
        self.revision += 1
        self.source = record.source or self.source
        self.dockerfile = record.dockerfile or self.dockerfile
        if not record.running:
            self.seconds = record.seconds
            self.ended = record.started + record.seconds
            self.error = record.error
            self.image, self.names = record.image, record.names
            self.finish(self.ended, cast("Outcome", record.outcome))


def hints_of(warnings: Sequence[str]) -> tuple[Hint, ...]:
    """`line 3: write ENV STAGE=build` taken apart."""
    found = []
    for warning in warnings:
        whole = _WARNING.fullmatch(warning)
        line, text = (int(whole.group(1)), whole.group(2)) if whole else (0, warning)
        cure = _CURE.fullmatch(text)
        found.append(Hint(line, cure.group(1) or "an old form; write", cure.group(2)) if cure else Hint(line, text))
    return tuple(found)


def _progress(step: Step, event: Progressed) -> None:
    part = step.parts.get(event.name)
    if part is None:
        if len(step.parts) >= _PARTS:
            return
        part = step.parts[event.name] = Part(event.name)
    part.status = event.status
    if event.total or event.current:
        part.current, part.total = event.current, event.total or part.total
