"""A build as its clients read it: Docker's classic lines, or our own events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

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

Line = dict[str, Any]
_WHERE = re.compile(r"dockerfile parse error line [\d-]+: (?=COPY|ADD)")


def event_line(event: Event) -> Iterator[Line]:
    """An event as onggi's own clients get it."""
    yield msgspec.to_builtins(event, enc_hook=str)  # a Digest is a text


class ClassicLines:
    """Docker's builder before BuildKit, as its client prints it. moby builder/dockerfile/dispatchers.go."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._steps: dict[int, PlannedStep] = {}
        self._order: list[int] = []
        self._begun: set[int] = set()
        self._quiet = quiet
        self._warnings: list[str] = []
        self._handlers: dict[type[Event], Callable[[Any], Iterator[Line]]] = {
            Planned: self._planned,
            Started: self._started,
            Output: self._output,
            Progressed: self._progressed,
            Finished: self._finished,
            Failed: self._failed,
            Built: self._built,
            Noted: self._noted,
        }

    def __call__(self, event: Event) -> Iterator[Line]:
        """The lines that tell an event."""
        yield from self._handlers[type(event)](event)

    def _planned(self, event: Planned) -> Iterator[Line]:
        self._steps = {step.id: step for step in event.steps}
        self._order = [step.id for step in event.steps]
        self._warnings = list(event.warnings)
        yield from ()

    def _noted(self, event: Noted) -> Iterator[Line]:
        yield {"stream": f"{'[Warning] ' if event.warning else ''}{event.text}\n"}

    def _begin(self, ident: int) -> Iterator[Line]:
        if ident not in self._begun:
            self._begun.add(ident)
            step = self._steps[ident]
            yield {"stream": f"Step {self._order.index(ident) + 1}/{len(self._order)} : {step.text}"}
            yield {"stream": "\n"}

    def _started(self, event: Started) -> Iterator[Line]:
        yield from self._begin(event.id)
        if event.key and self._steps[event.id].text.upper().startswith("RUN"):
            yield {"stream": f" ---> Running in {event.key[:12]}\n"}

    def _output(self, event: Output) -> Iterator[Line]:
        yield {"stream": event.data.decode("utf-8", "replace")}

    def _progressed(self, event: Progressed) -> Iterator[Line]:
        detail = {"current": event.current, "total": event.total} if event.total else {}
        yield {"status": event.status, "id": event.name, "progressDetail": detail}

    def _finished(self, event: Finished) -> Iterator[Line]:
        yield from self._begin(event.id)
        if event.cached:
            yield {"stream": " ---> Using cache\n"}
        yield {"stream": f" ---> {event.key[:12]}\n"}

    def _failed(self, event: Failed) -> Iterator[Line]:
        yield from self._begin(event.id)
        error = _WHERE.sub("", event.error)  # the step stands above it
        detail: Line = {"message": error}
        if event.exit_code:
            detail["code"] = event.exit_code
        yield {"errorDetail": detail, "error": error}

    def _built(self, event: Built) -> Iterator[Line]:
        if self._quiet:
            yield {"stream": f"{event.image}\n"}
            return
        for warning in self._warnings:
            yield {"stream": f"{warning if warning.startswith('[') else f'[Warning] {warning}'}\n"}
        yield {"aux": {"ID": event.image}}
        yield {"stream": f"Successfully built {event.image.removeprefix('sha256:')[:12]}\n"}
        for name in event.names:
            yield {"stream": f"Successfully tagged {name}\n"}
