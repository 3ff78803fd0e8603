"""Progress streams (pull, load, import) on this terminal: a line a thing, rewritten in place."""

from __future__ import annotations

import sys

from core.cli import terminal, units
from core.cli.failure import CommandFailed
from core.cli.output import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_BAR = 30


class Lines:
    """Lines that are rewritten by id, as long as stdout is a terminal."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._width = terminal.size()[1] or 80
        self._rows: list[str] = []

    def put(self, name: str, text: str) -> None:
        """The line of `name` now reads `text`."""
        if not self._live:
            return
        if name not in self._rows:
            self._rows.append(name)
            sys.stdout.write("\n")
        up = len(self._rows) - self._rows.index(name)
        line = shown(f"{name}: {text}" if name else text)[: self._width - 1]
        sys.stdout.write(f"\x1b[{up}A\x1b[2K\r{line}\x1b[{up}B\r")
        sys.stdout.flush()


def follow(values: Iterable[Any], *, quiet: bool = False) -> list[dict[str, Any]]:
    """Show a progress stream to its end and return its `aux` members.

    Raises CommandFailed with the stream's own error.
    """
    lines = Lines()
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
            _status(lines, value)
    return found


def _status(lines: Lines, value: dict[str, Any]) -> None:
    text = str(value["status"])
    detail = value.get("progressDetail")
    if value.get("id"):
        lines.put(str(value["id"]), f"{text} {bar(detail)}".rstrip())
    elif isinstance(detail, dict) and detail:
        lines.put("", f"{text} {bar(detail)}".rstrip())
    else:
        print(shown(text), flush=True)


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
