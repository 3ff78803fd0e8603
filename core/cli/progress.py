"""Progress streams (pull, push, load, import): on a terminal a line a thing, rewritten in place, with rate and time
left; elsewhere one line a step, as Docker's client prints them.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager

from core.cli import pace, terminal
from core.cli.failure import CommandFailed
from core.cli.output import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TextIO

_REDRAW = 0.1  # seconds between two pictures of figures; another word is shown at once
_PLAIN = frozenset(("Waiting", "Preparing", "Pulling fs layer"))  # nothing has been done yet
_HEADINGS = ("Pulling from", "The push refers")
_HERE = ("Already exists", "Layer already exists", "Mounted from")
_DONE = ("Pull complete", "Pushed", *_HERE)
_ARRIVED = ("Download complete", "Verifying Checksum", "Extracting", "Unpacking layer", "Pull complete", "Pushed")


class _Row:
    """What has been told of one thing. `size` and `arrived` = bytes that have to come, and that have."""

    def __init__(self) -> None:
        self.status = ""
        self.current = self.total = 0
        self.size = self.arrived = 0
        self.pace = pace.Pace()

    def hear(self, status: str, current: int, total: int, now: float) -> None:
        if status != self.status:
            self.pace = pace.Pace()
        self.status, self.current, self.total = status, current, total
        if status.startswith(_HERE):
            self.size = self.arrived = 0
        elif status.startswith(_ARRIVED):
            self.arrived = self.size
        elif total:
            self.size, self.arrived = total, min(current, total)
        if total or current:
            self.pace.hear(current, now)

    @property
    def done(self) -> bool:
        return self.status.startswith(_DONE) or 0 < self.total == self.current

    @property
    def waits(self) -> bool:
        return self.status in _PLAIN or (not self.current and self.total > 0)


class Board:
    """Lines at the bottom of a terminal, rewritten by name. `vanishes` = nothing of them stays in the end."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, *, vanishes: bool = False
    ) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._vanishes = vanishes
        self._rows: dict[str, _Row] = {}
        self._left: list[_Row] = []  # those that were done and had no room any more
        self._all = pace.Pace()
        self._drawn = 0  # lines of the last picture
        self._moment = -_REDRAW
        self.live = self._stream.isatty()

    def put(self, name: str, status: str, current: int = 0, total: int = 0) -> None:
        """One step of `name`."""
        now = self._clock()
        row = self._rows.setdefault(name, _Row())
        changed = row.status != status
        row.hear(status, current, total, now)
        self._all.hear(sum(one.arrived for one in self._counted()), now)
        if changed or now - self._moment >= _REDRAW:
            self._moment = now
            self._draw(now)

    def say(self, text: str) -> None:
        """A line that stays; what is above it is not rewritten any more."""
        self.close()
        print(shown(text, self._stream), file=self._stream, flush=True)

    def close(self) -> None:
        """The last picture, or none; the cursor stands at the beginning of a line."""
        if not self.live or not self._rows:
            return
        if self._vanishes:
            self._write([])
        else:
            lines = [self._line(name, row, self._clock()) for name, row in self._rows.items()]
            self._write(lines)
        self._rows.clear()
        self._left.clear()
        self._all = pace.Pace()
        self._drawn = 0

    def _draw(self, now: float) -> None:
        if not self.live:
            return
        height, _ = terminal.size()
        room = max((height or 24) - 3, 1)
        gone = self._leave(room)
        names = self._visible(room)
        lines = [self._line(name, self._rows[name], now) for name in names]
        hidden = len(self._rows) - len(names)
        if hidden:
            lines.append(self._fit(f"... and {hidden} more"))
        if whole := self._whole(now):
            lines.append(whole)
        self._write([*gone, *lines], stay=len(gone))

    def _leave(self, room: int) -> list[str]:
        """What is done goes up and out of the picture where there are too many."""
        done = [name for name, row in self._rows.items() if row.done][: max(len(self._rows) - room, 0)]
        self._left += [self._rows[name] for name in done]
        now = self._clock()
        return [self._line(name, self._rows.pop(name), now) for name in done]

    def _visible(self, room: int) -> list[str]:
        """Who is shown where not all can be: whoever is at work."""
        names = list(self._rows)
        for spare in (lambda row: row.waits, lambda row: row.done, lambda row: True):
            for name in reversed(names[:]):
                if len(names) <= room:
                    return names
                if spare(self._rows[name]):
                    names.remove(name)
        return names

    def _line(self, name: str, row: _Row, now: float) -> str:
        head = shown(f"{name}: {row.status}" if name else row.status, self._stream)
        if row.status in _PLAIN or not (row.current or row.total):
            return self._fit(head)
        moving = row.current < row.total or not row.total
        rate = row.pace.rate(now) if moving else 0.0
        left = row.pace.left(row.total - row.current, now) if row.total else 0.0
        short = shown(f"{name}:", self._stream) if name else ""
        return pace.line(head, row.current, row.total, rate, left, self._cells(), short=short)

    def _whole(self, now: float) -> str:
        """What all of it comes to, while there is more than one that counts."""
        counted = [row for row in self._counted() if row.size]
        current, total = sum(row.arrived for row in counted), sum(row.size for row in counted)
        if len(counted) < 2 or not current or current >= total:
            return ""
        head = f"{sum(row.done for row in self._counted())} of {len(self._counted())} done:"
        left = self._all.left(total - current, now)
        return self._fit(pace.line(head, current, total, self._all.rate(now), left, self._cells()))

    def _counted(self) -> list[_Row]:
        return [*self._left, *self._rows.values()]

    def _cells(self) -> int:
        return max((terminal.size()[1] or 80) - 1, 1)

    def _fit(self, text: str) -> str:
        return pace.cut(text, self._cells())

    def _write(self, lines: list[str], *, stay: int = 0) -> None:
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._stream.write("".join([up, "\r", *(f"{line}\x1b[K\n" for line in lines), "\x1b[J"]))
        self._stream.flush()
        self._drawn = len(lines) - stay


def follow(
    values: Iterable[Any],
    *,
    quiet: bool = False,
    plain: bool = False,
    to_stderr: bool = False,
    vanishes: bool = False,
) -> list[dict[str, Any]]:
    """Show a progress stream to its end and return its `aux` members.

    `plain`: off a terminal too, each step is told once. `vanishes`: no bar stays. Raises CommandFailed with the
    stream's own error.
    """
    board = Board(sys.stderr if to_stderr else None, vanishes=vanishes)
    told: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    try:
        for value in values:
            if not isinstance(value, dict):
                continue
            if value.get("error"):
                raise CommandFailed(str(value["error"]))
            if isinstance(value.get("aux"), dict):
                found.append(value["aux"])
            elif "stream" in value:
                board.close()
                print(shown(str(value["stream"])), end="", flush=True)
            elif "status" in value and not quiet:
                _show(board, value, told if plain else None)
    finally:
        board.close()
    return found


def _show(board: Board, value: dict[str, Any], told: dict[str, str] | None) -> None:
    name, status, detail = str(value.get("id") or ""), str(value["status"]), value.get("progressDetail")
    current, total = _count(detail, "current"), _count(detail, "total") or _count(value, "size")
    if board.live and name and status.startswith(_HEADINGS):
        board.say(f"{name}: {status}")
    elif board.live and (name or current):
        board.put(name, status, current, total)
    elif not name and not current:
        board.say(status)
    elif told is not None and not current and (not total or status in _PLAIN) and told.get(name) != status:
        told[name] = status
        board.say(f"{name}: {status}")


def _count(detail: object, member: str) -> int:
    found = detail.get(member) if isinstance(detail, dict) else None
    return max(int(found), 0) if isinstance(found, int | float) else 0


@contextmanager
def meter(title: str, total: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for what this program moves itself; it hears the bytes so far, and goes in the end."""
    board = Board(sys.stderr, vanishes=True)
    try:
        yield lambda current: board.put("", title, current, total) if board.live else None
    finally:
        board.close()
