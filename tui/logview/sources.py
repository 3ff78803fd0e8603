"""The containers of a merged log: their names and colours, who is muted, and the strip that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content
from textual.style import Style

from tui.safe import cell_width, crop_end, crop_middle, safe_plain

COLOURS: Final = 8
_NAME: Final = 12  # cells of a name beside the lines


class Sources:
    """Names by number. One container has no gutter."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = [safe_plain(name) for name in names]
        self.muted: frozenset[int] = frozenset()

    @property
    def many(self) -> bool:
        """Whether lines must say whose they are."""
        return len(self.names) > 1

    @property
    def heard(self) -> tuple[int, ...]:
        """The numbers of those that are not muted."""
        return tuple(n for n in range(len(self.names)) if n not in self.muted)

    @property
    def width(self) -> int:
        """The cells of the gutter, bar and blank among them."""
        return min(max(map(cell_width, self.names)), _NAME) + 3 if self.many else 0

    def mute(self, number: int) -> bool:
        """Mute one, or let it be heard again; the last one that is heard cannot be muted."""
        muted = self.muted ^ {number}
        if not 0 <= number < len(self.names) or len(muted) == len(self.names):
            return False
        self.muted = muted
        return True

    def solo(self, number: int) -> bool:
        """Hear one alone, or all again when it is alone already."""
        if not 0 <= number < len(self.names):
            return False
        alone = frozenset(range(len(self.names))) - {number}
        self.muted = frozenset() if self.muted == alone else alone
        return True

    def all(self) -> bool:
        """Hear all; False where all are heard."""
        muted, self.muted = self.muted, frozenset()
        return bool(muted)

    def gutter(self, number: int, style: Callable[[str], Style], *, first: bool) -> Content:
        """`│ web    ` in its colour; a row that goes on with a line has the bar alone."""
        room = self.width - 3
        name = crop_middle(self.names[number], room) if first else ""
        bar = Content("│ " + name + " " * (room - cell_width(name)) + " ")
        return bar.stylize(style(f"log--gutter-{number % COLOURS + 1}"))

    def strip(
        self, width: int, style: Callable[[str], Style], key_of: Callable[[str], str]
    ) -> tuple[Content, list[tuple[int, int]]]:
        """`│1 web │2 api   m mutes · M alone`, and where on the row each name stands (from, to)."""
        row, places, used = Content(" "), [], 1
        for number, name in enumerate(self.names):
            text = f"{number + 1} {crop_middle(name, _NAME)} "
            if used + cell_width(text) + 1 > width:
                break
            part = Content("│").stylize(style(f"log--gutter-{number % COLOURS + 1}"))
            part += Content(text).stylize(style("log--muted" if number in self.muted else "log--name"))
            places.append((used, used + 1 + cell_width(text)))
            used += 1 + cell_width(text)
            row += part
        ways = ((key_of("log_mute"), "mutes"), (key_of("log_solo"), "alone"))
        hint = crop_end("  " + " · ".join(f"{key} {does}" for key, does in ways if key), max(width - used, 0))
        return row + Content(hint).stylize(style("log--time")), places
