"""The Stats tab, first form: what a container takes now and the last two minutes of it as charts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, ends, join
from tui.panes.inspect import heading
from tui.state import Usage
from tui.text import percent, size, size_prose

KEPT: Final = 240
_ROWS: Final = 5
_SHADES: Final = (42, 56, 70, 84, 96)
"""Per cent of a chart's colour from the floor to the top, as a woodblock print shades a sky."""


class Samples:
    """The recent figures of one container, newest last."""

    def __init__(self) -> None:
        self._all: deque[Usage] = deque(maxlen=KEPT)

    def add(self, usage: Usage) -> None:
        self._all.append(usage)

    @property
    def all(self) -> tuple[Usage, ...]:
        return tuple(self._all)


def chart(
    values: Sequence[float], top: float, width: int, colour: str, glyphs: Glyphs, rows: int = _ROWS
) -> list[Content]:
    """`rows` lines, one column a value, newest at the right; the floor shows that a value is 0, not missing."""
    shown = list(values)[-width:]
    scale = top if top > 0 else 1.0
    eighths = [max(1, min(round(v / scale * rows * 8), rows * 8)) for v in shown]
    lines = []
    for row in range(rows - 1, -1, -1):
        cells = "".join(_cell(level - row * 8, glyphs) for level in eighths)
        shade = _SHADES[min(row * len(_SHADES) // rows, len(_SHADES) - 1)]
        lines.append(join((cells.rjust(width), f"{colour} {shade}%")))
    return lines


def _cell(level: int, glyphs: Glyphs) -> str:
    return glyphs.block[min(level, 8) - 1] if level > 0 else " "


def lines(samples: Sequence[Usage], glyphs: Glyphs, width: int) -> list[Content]:
    """The whole tab. `samples` are about two seconds apart."""
    if not samples:
        return [join(("No figures yet; the first come in two seconds.", "$muted"))]
    now = samples[-1]
    room = max(width - 2, 8)
    cpus, memories = [s.cpu for s in samples], [float(s.memory) for s in samples]
    ceiling = now.limit if 0 < now.limit < 1 << 60 else 0
    made = _titled("cpu", percent(now.cpu), "100 % = one core", width)
    made += _inset(chart(cpus, max(100.0, *cpus), room, "$cpu", glyphs))
    of = f" of {size_prose(ceiling)}" if ceiling else ""
    top = max(float(ceiling) if ceiling and now.memory * 8 > ceiling else 0.0, *memories, 1.0)
    made += [EMPTY, *_titled("memory", size_prose(now.memory) + of, f"top {size(round(top))}", width)]
    made += _inset(chart(memories, top, room, "$running", glyphs))
    made += [
        EMPTY,
        heading("So far"),
        join("  ", ("network  ", "$muted"), f"{size(now.rx)} in, {size(now.tx)} out"),
        join("  ", ("disk     ", "$muted"), f"{size(now.read)} read, {size(now.written)} written"),
        join("  ", ("processes", "$muted"), f" {now.pids}"),
    ]
    return made


def _titled(name: str, value: str, note: str, width: int) -> list[Content]:
    return [ends(join((name, "bold $accent"), "  ", value), join((note, "$muted"), "  "), width)]


def _inset(lines: Sequence[Content]) -> list[Content]:
    return [join(" ", line) for line in lines]
