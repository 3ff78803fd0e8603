"""Rows of the project list: containers that say by their labels that they belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import fit, join
from tui.safe import crop_middle, safe, safe_plain
from tui.state import SERVICE_LABEL, Container
from tui.text import count
from tui.widgets.objectlist import Row

NONE_YET: Final = join("None. A project is what a compose file brings up.")


def rows(projects: Mapping[str, tuple[Container, ...]], glyphs: Glyphs) -> list[Row]:
    """One row a project: how many services, how many of its containers are up."""
    return [Row(name, (name, members), _painter(name, members, glyphs)) for name, members in projects.items()]


def _painter(name: str, members: tuple[Container, ...], glyphs: Glyphs) -> Callable[[int], Content]:
    services = len({one.labels.get(SERVICE_LABEL, one.name) for one in members})
    up = sum(one.up for one in members)
    glyph = (glyphs.running, "$running") if up else (glyphs.exited, "$exited")

    def paint(width: int) -> Content:
        room = max(width - 27, 6)
        shown = fit(safe(crop_middle(safe_plain(name), room)), room)
        state = join((f"{up} of {len(members)} up", "$muted" if up == len(members) else "$paused"))
        return join(
            glyph, " ", shown, fit(join((count(services, "service"), "$muted")), 12), fit(state, 12, right=True)
        )

    return paint
