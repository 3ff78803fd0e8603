"""Progress streams (pull, push, load, import): on a terminal a line a thing, rewritten in place, with rate and time
left; elsewhere one line a step, as Docker's client prints them.
"""

from __future__ import annotations

import sys
import time

from core.cli import terminal, units
from core.cli.failure import CommandFailed
from core.cli.output import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TextIO

_BAR = 30
_SETTLE = 0.5  # seconds of one step until its rate says something
_WINDOW = 5.0  # seconds back that a rate looks


class Lines:
    """Lines that are rewritten by name, as long as `stream` is a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.live = self._stream.isatty()
        height, width = terminal.size()
        self._height, self._width = height or 24, width or 80
        self._rows: dict[str, int] = {}

    def put(self, name: str, text: str) -> None:
        """The line of `name` now reads `text`."""
        if not self.live:
            return
        new = name not in self._rows
        if new:
            self._rows[name] = len(self._rows)
            self._stream.write("\n")
        up = len(self._rows) - self._rows[name]
        if up >= self._height:
            return  # it has left the screen at the top, and nothing there can be rewritten
        line = shown(f"{name}: {text}" if name else text, self._stream)[: self._width - 1]
        self._stream.write(f"\x1b[{up}A\x1b[2K\r{line}\x1b[{up}B\r")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays; what is above it is not rewritten any more."""
        self._rows.clear()
        print(shown(text, self._stream), file=self._stream, flush=True)


class Rates:
    """How fast each step goes, by what it has told. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], list[tuple[float, int]]] = {}

    def of(self, name: str, step: str, current: int) -> float:
        """Bytes per second of `step` of `name`, which has come to `current`; 0.0 = not known yet."""
        now = self._clock()
        past = self._seen.setdefault((name, step), [])
        if past and current < past[-1][1]:
            past.clear()  # begun again
        past.append((now, current))
        while len(past) > 2 and now - past[1][0] > _WINDOW:
            past.pop(0)
        began, first = past[0]
        return (current - first) / (now - began) if now - began >= _SETTLE else 0.0


def follow(
    values: Iterable[Any], *, quiet: bool = False, plain: bool = False, to_stderr: bool = False
) -> list[dict[str, Any]]:
    """Show a progress stream to its end and return its `aux` members.

    `plain`: off a terminal too, each step is told once. Raises CommandFailed with the stream's own error.
    """
    board = _Board(Lines(sys.stderr if to_stderr else None), plain=plain)
    found: list[dict[str, Any]] = []
    for value in values:
        if not isinstance(value, dict):
            continue
        if value.get("error"):
            raise CommandFailed(str(value["error"]))
        if isinstance(value.get("aux"), dict):
            found.append(value["aux"])
        elif "stream" in value:
            print(shown(str(value["stream"])), end="", flush=True)
        elif "status" in value and not quiet:
            board.put(value)
    return found


class _Board:
    """What has been told of one stream."""

    def __init__(self, lines: Lines, *, plain: bool) -> None:
        self._lines = lines
        self._plain = plain
        self._rates = Rates()
        self._told: dict[str, str] = {}

    def put(self, value: dict[str, Any]) -> None:
        """One step."""
        name, text, detail = str(value.get("id") or ""), str(value["status"]), value.get("progressDetail")
        moving = bar(detail)
        if self._lines.live and (name or moving):
            self._lines.put(name, f"{text} {moving}{self._pace(name, text, detail)}".rstrip())
        elif not name and not moving:
            self._lines.say(text)
        elif self._plain and not _counted(detail) and self._told.get(name) != text:
            self._told[name] = text
            self._lines.say(f"{name}: {text}")

    def _pace(self, name: str, step: str, detail: object) -> str:
        """`  4.5MB/s  12s` of a step that counts bytes."""
        if not isinstance(detail, dict) or not detail.get("current"):
            return ""
        current, total = int(detail["current"]), int(detail.get("total") or 0)
        rate = self._rates.of(name, step, current)
        if not rate:
            return ""
        left = f"  {time_left((total - current) / rate)}" if total > current else ""
        return f"  {units.human_size(rate, 3)}/s{left}"


def _counted(detail: object) -> bool:
    return isinstance(detail, dict) and bool(detail.get("current") or detail.get("total"))


def time_left(seconds: float) -> str:
    """`9s`, `2m05s`, `1h02m`"""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def bar(detail: object) -> str:
    """`[=====>    ]  1.2MB/3MB` of a progressDetail, "" when there is nothing to show."""
    if not isinstance(detail, dict) or not detail.get("current"):
        return ""
    current, total = int(detail["current"]), int(detail.get("total") or 0)
    if total < current:
        return f"{units.human_size(current):>8}"
    filled = _BAR * current // total
    drawn = ("=" * filled + ">" if filled < _BAR else "=" * _BAR).ljust(_BAR)
    return f"[{drawn}] {units.human_size(current):>8}/{units.human_size(total)}"
