"""A build on the screen: BuildKit's plain lines, or a table that is rewritten in place on a terminal."""

from __future__ import annotations

import sys
import time
from binascii import a2b_base64

from core.cli import terminal, units
from core.cli.output import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_LOG_ROWS = 6  # of a running program
_REDRAW = 0.1  # seconds between two pictures
_KEPT = 200  # lines of output that a failure can show


class Step:
    """What is known of one step."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.id: int = told["Id"]
        self.title = f"[{told['Stage']} {told['Number']}/{told['Total']}] {told['Text']}"
        self.first: int = told["Line"]
        self.last: int = told["LastLine"]
        self.state = "waiting"
        self.began = 0.0
        self.seconds = 0.0
        self.cause = ""
        self.lines: list[str] = []
        self.pending = ""
        self.parts: dict[str, tuple[str, int, int]] = {}

    def hear(self, data: bytes) -> list[str]:
        """Whole lines of output that `data` completes."""
        *lines, self.pending = (self.pending + data.decode("utf-8", "replace")).split("\n")
        whole = [line.rstrip("\r").rpartition("\r")[2] for line in lines]
        self.lines = [*self.lines, *whole][-_KEPT:]
        return whole

    def end(self) -> list[str]:
        """What was left without a newline."""
        return self.hear(b"\n") if self.pending else []


class Build:
    """Follows the events of a build. `failed` and `image` tell how it ended."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.steps: dict[int, Step] = {}
        self.began = time.monotonic()
        self.failed: Step | None = None
        self.error = ""
        self.exit_code = 0
        self.image = ""
        self.names: list[str] = []
        self.warnings: list[str] = []

    def take(self, event: dict[str, Any]) -> None:
        """One event of core.model.build, as JSON."""
        if "error" in event:
            self.error = self.error or str(event["error"])
            return
        getattr(self, f"_{event['Event']}")(event)

    def close(self) -> None:
        """Nothing more will come."""

    def say(self, text: str) -> None:
        """One line; whatever the image or a program has put into it, a terminal must not obey."""
        self.stream.write(shown(text, self.stream) + "\n")

    def _planned(self, event: dict[str, Any]) -> None:
        self.steps = {told["Id"]: Step(told) for told in event["Steps"]}
        self.warnings += [text for text in event["Warnings"] if text not in self.warnings]

    def _noted(self, event: dict[str, Any]) -> None:
        if event["Warning"]:
            self.warnings.append(event["Text"])

    def _started(self, event: dict[str, Any]) -> None:
        step = self.steps[event["Id"]]
        step.state, step.began, step.cause = "running", time.monotonic(), event["Cause"]

    def _output(self, event: dict[str, Any]) -> None:
        self.steps[event["Id"]].hear(a2b_base64(event["Data"]))

    def _progress(self, event: dict[str, Any]) -> None:
        self.steps[event["Id"]].parts[event["Name"]] = (event["Status"], event["Current"], event["Total"])

    def _finished(self, event: dict[str, Any]) -> None:
        step = self.steps[event["Id"]]
        step.state = "cached" if event["Cached"] else "done"
        step.seconds = event["Seconds"]
        step.end()

    def _failed(self, event: dict[str, Any]) -> None:
        self.failed = self.steps[event["Id"]]
        self.failed.state, self.failed.seconds = "failed", time.monotonic() - self.failed.began
        self.failed.end()
        self.error, self.exit_code = event["Error"], event["ExitCode"]
        for step in self.steps.values():  # a stage beside it is ended, too
            if step.state == "running":
                step.state, step.seconds = "canceled", time.monotonic() - step.began

    def _built(self, event: dict[str, Any]) -> None:
        self.image, self.names = event["Image"], list(event["Names"])


class Plain(Build):
    """`#3 [stage-0 2/4] RUN make`, then its output line by line with seconds."""

    def _planned(self, event: dict[str, Any]) -> None:
        super()._planned(event)
        for warning in event["Warnings"]:
            self.say(f"WARN: {warning}")

    def _noted(self, event: dict[str, Any]) -> None:
        super()._noted(event)
        self.say(f"{'WARN: ' if event['Warning'] else ''}{event['Text']}")

    def _head(self, step: Step) -> None:
        self.say(f"#{step.id} {step.title}")

    def _started(self, event: dict[str, Any]) -> None:
        super()._started(event)
        step = self.steps[event["Id"]]
        self._head(step)
        if step.cause:
            self.say(f"#{step.id} not cached: {step.cause}")
        self.stream.flush()

    def _output(self, event: dict[str, Any]) -> None:
        step = self.steps[event["Id"]]
        for line in step.hear(a2b_base64(event["Data"])):
            self.say(f"#{step.id} {time.monotonic() - step.began:.3f} {line}")
        self.stream.flush()

    def _finished(self, event: dict[str, Any]) -> None:
        step = self.steps[event["Id"]]
        for line in step.end():
            self.say(f"#{step.id} {time.monotonic() - step.began:.3f} {line}")
        super()._finished(event)
        if step.state == "cached":
            self._head(step)
            self.say(f"#{step.id} CACHED\n")
        else:
            self.say(f"#{step.id} DONE {step.seconds:.1f}s\n")

    def _failed(self, event: dict[str, Any]) -> None:
        super()._failed(event)
        step = self.steps[event["Id"]]
        self.say(f"#{step.id} ERROR: {event['Error']}")

    def _built(self, event: dict[str, Any]) -> None:
        super()._built(event)
        self.say(f"built {self.image}")
        for name in self.names:
            self.say(f"named {name}")


class Live(Build):
    """`[+] Building 1.2s (5/7)`, a row a step, and below a running one the end of its output."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._drawn = 0
        self._last = 0.0

    def take(self, event: dict[str, Any]) -> None:
        super().take(event)
        if time.monotonic() - self._last >= _REDRAW or event.get("Event") in ("planned", "built", "failed"):
            self._draw()

    def close(self) -> None:
        self._draw()
        for warning in self.warnings:
            self.say(f" ! {warning}")

    def _draw(self) -> None:
        self._last = time.monotonic()
        height, width = terminal.size()
        rows = self._rows()
        keep = max((height or 24) - 2, 3)
        if len(rows) > keep:
            rows = [rows[0], *rows[-(keep - 1) :]]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        body = "".join(f"\x1b[2K{shown(row, self.stream)[: (width or 80) - 1]}\n" for row in rows)
        self.stream.write(f"{up}\x1b[J{body}")
        self.stream.flush()
        self._drawn = len(rows)

    def _rows(self) -> list[str]:
        done = sum(step.state in ("done", "cached") for step in self.steps.values())
        seconds = time.monotonic() - self.began
        end = " FINISHED" if self.image else ""
        rows = [f"[+] Building {seconds:.1f}s ({done}/{len(self.steps)}){end}"]
        for step in self.steps.values():
            if step.state != "waiting":
                rows += self._of_step(step)
        if self.image:
            rows.append(f" => {self.image.removeprefix('sha256:')[:12]}  {'  '.join(self.names)}".rstrip())
        return rows

    def _of_step(self, step: Step) -> list[str]:
        took = time.monotonic() - step.began if step.state == "running" else step.seconds
        mark = {"cached": "CACHED ", "failed": "ERROR ", "canceled": "CANCELED "}.get(step.state, "")
        width = (terminal.size()[1] or 80) - 10
        text = f" => {mark}{' '.join(step.title.split())}"
        rows = [f"{text[:width]:{width}} {took:6.1f}s"]
        if step.state == "running":
            if step.cause:
                rows.append(f" => => not cached: {step.cause}")
            rows += [f" => => {name} {status} {_amount(now, of)}" for name, (status, now, of) in step.parts.items()]
            rows += [f" => => # {line}" for line in step.lines[-_LOG_ROWS:]]
        return rows


def _amount(current: int, total: int) -> str:
    if not current:
        return ""
    return f"{units.human_size(current)} / {units.human_size(total)}" if total else units.human_size(current)


def explain(build: Build, source: str) -> list[str]:
    """What a failed step has said last, and the lines of the Dockerfile that it stands in."""
    step = build.failed
    if step is None:
        return []
    lines = ["------", f" > {step.title}:", *step.lines[-20:], "------"]
    text = source.split("\n")
    first, last = max(step.first - 3, 0), min(step.last + 2, len(text))
    lines += [f"Dockerfile:{step.first}", "-" * 20]
    for number in range(first, last):
        mark = ">>>" if step.first <= number + 1 <= step.last else "   "
        lines.append(f"{number + 1:4} | {mark} {text[number]}")
    return [*lines, "-" * 20]


def make_view(progress: str, stream: TextIO | None = None) -> Build:
    """`auto` is a table on a terminal and plain lines elsewhere; `quiet` says nothing."""
    stream = sys.stderr if stream is None else stream
    if progress == "quiet":
        return Build(stream)
    live = progress == "tty" or (progress == "auto" and stream.isatty())
    return Live(stream) if live else Plain(stream)
