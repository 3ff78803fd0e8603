"""One build as it goes on: its record, its events for whoever follows it, and a bounded log on disk.

The log is the events as JSON lines with `At`, seconds since the beginning. Of what programs write the first
mebibyte is kept, and after that the end of each step, where the reason of a failure stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from core.model.build import Built, Event, Failed, Finished, Noted, Output, Planned, Progressed, Started
from core.model.buildrecord import CANCELLED, DONE, FAILED, BuildRecord, StepRecord

LOG_LIMIT = 1 << 20  # bytes of output
TAIL = 16 << 10  # bytes of output of each step after that
LAG = 1024  # lines that a follower may be behind; of output alone more is left out
LOG, RECORD = "log", "record.json"

Follower = asyncio.Queue[bytes | None]


class Recording:
    """Takes the events of one build. Everything happens on the loop; `folder` is the build's own."""

    def __init__(self, record: BuildRecord, folder: Path) -> None:
        self._record = record
        self._folder = folder
        self._began = time.monotonic()
        self._steps: dict[int, StepRecord] = {}
        self._lines: list[bytes] = []
        self._followers: set[Follower] = set()
        self._room = LOG_LIMIT
        self._tails: dict[int, tuple[bytearray, int]] = {}
        self._told_error = False
        self._log: IO[bytes] = io.BytesIO()
        with contextlib.suppress(OSError):  # a full disk costs the log, not the build
            folder.mkdir(mode=0o700, parents=True)
            self._log = (folder / LOG).open("xb")
        self._save()

    @property
    def record(self) -> BuildRecord:
        """The build as it is now."""
        if not self._record.running:
            return self._record
        return msgspec.structs.replace(
            self._record, steps=tuple(self._steps.values()), seconds=time.monotonic() - self._began
        )

    def has_source(self, source: bytes) -> None:
        """The Dockerfile was read."""
        self._change(source=source.decode("utf-8", "replace"))
        self._save()

    def take(self, event: Event) -> None:
        """What the build tells."""
        match event:
            case Planned():
                told = ((step.id, msgspec.structs.asdict(step)) for step in event.steps)
                self._steps = {ident: StepRecord(**fields) for ident, fields in told}
                self._change(warnings=event.warnings)
            case Started():
                self._step(event.id, state="running", started=time.time(), cause=event.cause)
            case Output():
                self._change(output=self._record.output + len(event.data))
                if len(event.data) > self._room:
                    self._leave_out(event)
                    return
                self._room -= len(event.data)
            case Finished():
                self._end_output(event.id)
                self._step(
                    event.id, state="cached" if event.cached else "done", seconds=event.seconds, layer=event.layer,
                    size=event.size,
                )  # fmt: skip
            case Failed():
                self._told_error = True
                self._end_output(event.id)
                self._step(
                    event.id, state="failed", error=event.error, exit_code=event.exit_code,
                    seconds=self._since(event.id),
                )  # fmt: skip
            case Noted(warning=True):
                self._change(warnings=(*self._record.warnings, event.text))
            case Built():
                self._change(image=event.image, names=event.names)
        line = self._line(event)
        if not isinstance(event, Progressed):  # of interest while it happens
            self._keep(line)
        self._tell(line, skip=isinstance(event, Output | Progressed))

    def end(self, error: BaseException | None) -> BuildRecord:
        """The build is over: by nothing, by an EngineError, or cancelled."""
        outcome, text = DONE, ""
        if isinstance(error, asyncio.CancelledError):
            outcome, text = CANCELLED, "the build was cancelled"
        elif error is not None:
            outcome, text = FAILED, str(error)
        for ident, step in self._steps.items():
            if step.state == "running":
                self._end_output(ident)
                self._step(ident, state="cancelled", seconds=self._since(ident))
        if text and not self._told_error:
            line = encode_line({"errorDetail": {"message": text}, "error": text})
            self._keep(line)
            self._tell(line)
        seconds = time.monotonic() - self._began
        self._change(outcome=outcome, error=text, steps=tuple(self._steps.values()), seconds=seconds)
        for follower in self._followers:
            follower.put_nowait(None)
        with contextlib.suppress(OSError):
            self._log.close()
        self._save()
        return self._record

    @contextlib.contextmanager
    def followed(self) -> Iterator[tuple[tuple[bytes, ...], Follower]]:
        """The lines so far, and a queue of those that come; None is their end."""
        queue: Follower = asyncio.Queue()
        self._followers.add(queue)
        try:
            yield tuple(self._lines), queue
        finally:
            self._followers.discard(queue)

    @property
    def lines(self) -> tuple[bytes, ...]:
        return tuple(self._lines)

    def _change(self, **fields: Any) -> None:
        self._record = msgspec.structs.replace(self._record, **fields)

    def _step(self, ident: int, **fields: Any) -> None:
        self._steps[ident] = msgspec.structs.replace(self._steps[ident], **fields)

    def _since(self, ident: int) -> float:
        started = self._steps[ident].started
        return max(time.time() - started, 0.0) if started else 0.0

    def _line(self, event: Event) -> bytes:
        told = msgspec.to_builtins(event, enc_hook=str)
        return encode_line({**told, "At": round(time.monotonic() - self._began, 3)})

    def _keep(self, line: bytes) -> None:
        self._lines.append(line)
        with contextlib.suppress(OSError):
            self._log.write(line)
            self._log.flush()

    def _tell(self, line: bytes, *, skip: bool = False) -> None:
        for follower in self._followers:
            if not skip or follower.qsize() < LAG:
                follower.put_nowait(line)

    def _leave_out(self, event: Output) -> None:
        self._room = 0
        tail, before = self._tails.setdefault(event.id, (bytearray(), 0))
        tail += event.data
        excess = max(len(tail) - TAIL, 0)
        del tail[:excess]
        self._tails[event.id] = tail, before + excess
        self._tell(self._line(event), skip=True)

    def _end_output(self, ident: int) -> None:
        """Write the end of what a step said after the log was full."""
        tail, gone = self._tails.pop(ident, (bytearray(), 0))
        if tail:
            note = f"\n[{gone} bytes of output are left out here]\n".encode() if gone else b""
            self._keep(self._line(Output(id=ident, stream=1, data=note + bytes(tail))))

    def _save(self) -> None:
        save(self._folder, self._record)


def encode_line(value: dict[str, Any]) -> bytes:
    """One JSON line."""
    return msgspec.json.encode(value) + b"\n"


def save(folder: Path, record: BuildRecord) -> None:
    """Write a record beside the one that is there, then take its place. A full disk costs the record."""
    beside = folder / f"{RECORD}.new"
    with contextlib.suppress(OSError):
        beside.write_bytes(msgspec.json.encode(record))
        beside.rename(folder / RECORD)
