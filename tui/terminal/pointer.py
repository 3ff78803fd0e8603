"""The mouse over a terminal: the program's where it asked for it, otherwise (and with Shift) the reader's.

A drag selects and copies when the button is let go; a double click takes a word, a third one the row.
"""

from __future__ import annotations

from time import monotonic
from typing import Final, Protocol

from textual import events

from tui.terminal import mouse
from tui.terminal.paper import Paper, Place, Selection

_DOUBLE: Final = 0.4  # seconds between the clicks of a double one


class Owner(Protocol):
    """What the view does for its mouse."""

    @property
    def modes(self) -> set[int]:
        """The modes set by the program."""
        ...

    def send(self, data: bytes) -> None:
        """Give the program a report."""
        ...

    def scroll_history(self, rows: int) -> None:
        """Look further up or down."""
        ...

    def copy(self, text: str) -> None:
        """Put text on the clipboard."""
        ...


class Pointer:
    """`selection` is what the mouse has selected last."""

    def __init__(self, paper: Paper, owner: Owner) -> None:
        self._paper = paper
        self._owner = owner
        self._start: Place | None = None
        self._clicks = 0
        self._last: tuple[float, Place | None] = (0.0, None)
        self.selection: Selection | None = None

    @property
    def dragging(self) -> bool:
        """Whether the button is down for the reader."""
        return self._start is not None

    def report(self, event: events.MouseEvent, kind: mouse.Kind, *, live: bool) -> bool:
        """Give the event to the program if it asked for it."""
        if self.dragging or not live:
            return False
        data = mouse.report(event, kind, self._owner.modes)
        if data is None:
            return False
        self._owner.send(data)
        return True

    def down(self, event: events.MouseDown) -> bool:
        """Begin to select; returns whether it is ours."""
        self.selection = None
        if event.button != 1:
            return False
        place = self._place(event)
        then, where = self._last
        again = monotonic() - then < _DOUBLE and where == place
        self._clicks = self._clicks % 3 + 1 if again else 1
        self._last = (monotonic(), place)
        self._start = place
        if self._clicks == 2:
            self.selection = self._paper.word(place)
        elif self._clicks == 3:
            self.selection = Selection(place, place, whole=True)
        return True

    def move(self, event: events.MouseMove, height: int) -> bool:
        """Select up to here; past an edge the view scrolls along."""
        if self._start is None:
            return False
        if event.y < 0 or event.y >= height:
            self._owner.scroll_history(1 if event.y < 0 else -1)
        place = self._place(event)
        if place != self._start or (self.selection is not None and self._clicks == 1):
            self.selection = Selection(self._start, place, whole=self._clicks == 3)
        return True

    def up(self) -> bool:
        """Copy what is selected; returns whether the button was down for us."""
        if self._start is None:
            return False
        self._start = None
        if self.selection is not None and (text := self._paper.text(self.selection)):
            self._owner.copy(text)
        return True

    def forget(self) -> None:
        """Select nothing."""
        self.selection = self._start = None

    def _place(self, event: events.MouseEvent) -> Place:
        row = min(max(self._paper.top + int(event.y), self._paper.first), self._paper.last)
        return Place(row, max(int(event.x), 0))
