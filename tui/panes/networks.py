"""Rows of the network list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content

from tui.paint import fit, join
from tui.safe import crop_middle, safe, safe_plain
from tui.state import Network
from tui.widgets.objectlist import Row

NONE_YET: Final = join("None; the engine makes its own when it starts.")
_SUBNET: Final = 19


def rows(shown: Sequence[Network], users: Callable[[str], int]) -> list[Row]:
    """One row a network; `users` counts the containers on a network's name."""
    return [Row(n.id or n.name, (n, users(n.name)), _painter(n, users(n.name))) for n in shown]


def _painter(network: Network, users: int) -> Callable[[int], Content]:
    def paint(width: int) -> Content:
        room = max(width - _SUBNET - 7, 6)
        name = fit(safe(crop_middle(safe_plain(network.name), room)), room)
        subnet = fit(safe(network.subnet or network.driver, style="$muted"), _SUBNET, right=True)
        return join(" ", name, subnet, fit(join(str(users)), 5, right=True), " ")

    return paint
