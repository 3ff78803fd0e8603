"""Rows of the volume list and what one volume is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content

from tui.paint import fit, join
from tui.safe import crop_end, crop_middle, safe, safe_plain
from tui.state import Volume, World
from tui.text import size
from tui.widgets.objectlist import Row

NONE_YET: Final = join("Made when one is asked for.")
_SIZE: Final = 7


def used_by(world: World, volume: Volume) -> tuple[str, ...]:
    """The names of the containers that mount it."""
    return tuple(one.name for one in world.volume_users(volume.name))


def rows(shown: Sequence[Volume], world: World) -> list[Row]:
    """One row a volume."""
    return [Row(v.name, (v, used_by(world, v)), _painter(v, used_by(world, v))) for v in shown]


def _painter(volume: Volume, users: tuple[str, ...]) -> Callable[[int], Content]:
    def paint(width: int) -> Content:
        last = max(min(width // 4, 20), 8)
        room = width - last - _SIZE - 3
        name = safe(crop_middle(safe_plain(volume.name), room), style="$muted" if volume.anonymous else "")
        figure = join(size(volume.size) if volume.size >= 0 else "")
        text = safe_plain(", ".join(users)) if users else "unused"
        return join(
            " ",
            fit(name, room),
            fit(figure, _SIZE, right=True),
            "  ",
            fit(safe(crop_end(text, last), style="$muted"), last),
        )

    return paint
