"""A piece of long work and its parts, as figures; and the board of all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, Final, Literal, cast

from tui.header import Work
from tui.state import Json

State = Literal["running", "paused", "done", "failed", "cancelled"]

_WINDOW: Final = 6.0  # seconds over which the rate is taken
_MOST_PARTS: Final = 200
_HERE: Final = ("already exists", "layer already exists")
_HEADINGS: Final = ("Pulling from", "The push refers")
UNPACKING: Final = ("extracting", "unpacking layer")
_OVER: Final = ("download complete", "pull complete", "pushed", "verifying checksum", *UNPACKING)


@dataclass(slots=True)
class Part:
    """One layer of a pull or push: Docker's word for what it is doing, and its bytes (total 0 = not known)."""

    id: str
    status: str = ""
    current: int = 0
    total: int = 0

    @property
    def here(self) -> bool:
        """It was there before."""
        word = self.status.lower()
        return word in _HERE or word.startswith("mounted from")

    @property
    def over(self) -> bool:
        """All its bytes have come."""
        return self.here or self.status.lower() in ("pull complete", "pushed")

    @property
    def arrived(self) -> int:
        """Bytes that have come, whatever is done with them now."""
        word = self.status.lower()
        return self.total if word in _OVER or self.over else min(self.current, self.total or self.current)


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
    keeps: str = "nothing of it stays"
    """What a cancel leaves behind, in words."""
    parts: dict[str, Part] = field(default_factory=dict)
    open: bool = True
    """Its parts are listed while it runs."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Clear while work that reads or writes a file is paused."""
    key: str = ""
    """Its row."""
    again: bool = False
    """A pause ends the work, and going on begins it anew: what has come is not fetched twice."""
    cancel: Callable[[], None] = lambda: None
    show: Callable[[], None] | None = None
    """Opens its own view, where it has one instead of parts."""
    stays: bool = False
    """The engine goes on with it when the app ends; it cannot pause, and counts steps instead of bytes."""
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def live(self) -> bool:
        """It goes on or may go on."""
        return self.state in ("running", "paused")

    @property
    def percent(self) -> int:
        """How far, -1 = not known."""
        if self.state == "done":
            return 100
        return min(self.current * 100 // self.total, 100) if self.total else -1

    def moved(self, current: int, total: int, now: float) -> None:
        """It has done more bytes."""
        self.current, self.total = current, total or self.total
        self._samples.append((now, current))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()

    def heard(self, line: Json, now: float) -> None:
        """One line of a progress stream: of a part, or what the whole comes to."""
        detail, status = line.get("progressDetail") or {}, str(line.get("status") or "")
        name = str(line.get("id") or "")
        if not name or status.startswith(_HEADINGS):
            self.note = status or self.note
            return
        part = self.parts.get(name)
        if part is None:
            if len(self.parts) >= _MOST_PARTS:
                return
            part = self.parts[name] = Part(name)
        part.status = status
        total = int(detail.get("total") or line.get("size") or 0)
        if total:
            extracting = status.lower() in UNPACKING and part.total
            part.current = part.total if extracting else int(detail.get("current") or 0)
            part.total = part.total if extracting else total
        known = [one for one in self.parts.values() if one.total and not one.here]
        self.moved(sum(one.arrived for one in known), sum(one.total for one in known), now)

    def rate(self, now: float) -> float:
        """Bytes a second over the last few seconds; 0 = not known."""
        if len(self._samples) < 2:
            return self.current / max(now - self.began, 0.001) if self.current and now > self.began else 0.0
        (then, before), (_, after) = self._samples[0], self._samples[-1]
        return max(after - before, 0) / max(now - then, 0.001)

    def left(self, now: float) -> float:
        """Seconds until it is done at this rate; 0 = not known."""
        speed = self.rate(now)
        return (self.total - self.current) / speed if speed >= 1 and self.total > self.current else 0.0

    def forget_rate(self) -> None:
        """A pause is not slowness."""
        self._samples.clear()


class Watch:
    """What the work itself sees of its job: it tells how far it is, and is held while it is paused."""

    def __init__(self, job: Job, now: Callable[[], float], changed: Callable[[], None]) -> None:
        self._job = job
        self._now = now
        self._changed = changed

    def told(self, current: int, total: int) -> None:
        """`current` of `total` bytes are done."""
        self._job.moved(current, total, self._now())
        self._changed()

    def heard(self, line: Json) -> None:
        """The engine has said a line of progress."""
        self._job.heard(line, self._now())
        self._changed()

    def next_stage(self) -> None:
        """What comes now is other work on the same thing: its parts are counted anew."""
        self._job.parts.clear()
        self._job.forget_rate()
        self._job.moved(0, 0, self._now())
        self._job.total = 0
        self._changed()

    def begins_anew(self) -> None:
        """From here on a pause ends the work, and going on begins it from the start."""
        self._job.again = True

    def gated(self, file: IO[bytes]) -> IO[bytes]:
        """`file`, which blocks its thread while the job is paused."""
        return cast("IO[bytes]", _Gated(file, self._job.gate))


class _Gated:
    def __init__(self, file: IO[bytes], gate: threading.Event) -> None:
        self._file = file
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        self._gate.wait()
        return self._file.read(size)

    def write(self, data: bytes) -> int:
        self._gate.wait()
        return self._file.write(data)


class Board:
    """All long work since the app began, the newest last. `changed` is called when a job has moved on."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.jobs: list[Job] = []
        self.changed = changed
        self._count = 0

    def add(self, job: Job) -> Job:
        """Show a job from now on."""
        self._count += 1
        job.key = str(self._count)
        self.jobs.append(job)
        self.changed()
        return job

    def end(self, job: Job, state: State, note: str, now: float) -> None:
        """A job is over, or rests."""
        job.state, job.note = state, note
        job.ended = now if not job.live else 0.0
        self.changed()

    def clear(self) -> None:
        """Forget what is over."""
        self.jobs = [job for job in self.jobs if job.live]
        self.changed()

    @property
    def live(self) -> tuple[Job, ...]:
        """What goes on or may go on."""
        return tuple(job for job in self.jobs if job.live)

    def work(self) -> Work:
        """What the header says of it."""
        known = [job for job in self.live if job.total]
        if not known or len(known) < len(self.live):
            return Work(len(self.live), -1)
        if any(job.stays for job in known):  # steps and bytes do not add up
            return Work(len(known), sum(job.percent for job in known) // len(known))
        total = sum(job.total for job in known)
        return Work(len(known), sum(job.current for job in known) * 100 // total)
