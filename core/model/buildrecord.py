"""What is kept of a build after it: its steps and how it ended. What its programs said is beside it."""

from __future__ import annotations

import msgspec

RUNNING, DONE, FAILED, CANCELLED, LOST = "running", "done", "failed", "cancelled", "lost"


class StepRecord(msgspec.Struct, frozen=True, rename="pascal"):
    """One step: `state` is waiting, running, done, cached, failed or cancelled; `started` is a Unix time.

    `line` and `last_line` are in the Dockerfile, `layer` is the diffID that it made, `size` its bytes.
    """

    id: int
    stage: str
    number: int
    total: int
    text: str
    line: int
    last_line: int
    state: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    cause: str = ""
    layer: str = ""
    size: int = 0
    error: str = ""
    exit_code: int = 0


class BuildRecord(msgspec.Struct, frozen=True, rename="pascal"):
    """One build. `outcome` is running, done, failed, cancelled, or lost: the engine ended over it.

    `place` is where the context came from, "" where nobody said; `error` one line; `output` the bytes its programs
    wrote, of which the log may hold less. `source` is the Dockerfile as it was.
    """

    id: str
    started: float
    place: str = ""
    dockerfile: str = ""
    names: tuple[str, ...] = ()
    target: str = ""
    seconds: float = 0.0
    outcome: str = RUNNING
    image: str = ""
    error: str = ""
    steps: tuple[StepRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    output: int = 0
    source: str = ""

    @property
    def running(self) -> bool:
        return self.outcome == RUNNING
