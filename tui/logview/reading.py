"""What a reader does with a log: search, keep, go to a time, select lines, put the past away."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from textual.content import Content
from textual.style import Style

from tui.logview import lines
from tui.logview.finder import Finder
from tui.logview.paper import LogPaper

_SLICE: Final = 0.004  # seconds of searching between two looks at the keyboard
_DRAWN: Final = 0.1  # seconds between two drawings while a search goes on
_HIT: Final = Style(reverse=True)  # where hits have no colour: Textual drops "reverse" from component classes
_MOST_LINES: Final = 100_000  # of one copy


class LogReading(LogPaper):
    """The state of a reader: `cursor` is a line's number while lines are being selected."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._finder = Finder(self._store)
        self._wanted_time: int | None = None
        self._wants_hit = False
        self._busy = False
        self.cursor: int | None = None
        self._anchor = 0

    @property
    def shown(self) -> str:
        """What is shown: `17 of 307 lines`, and how many hits a search has."""
        return self._finder.words()

    @property
    def why_nothing(self) -> str:
        """Nothing matches, or what is here was put away."""
        count = len(self._store)
        before = f"{count:,} lines" if count != 1 else "1 line"
        if self._finder.keep:
            key = self.key_of("log_keep")
            return f"0 of {before} match" + (f"; {key} shows all." if key else ".")
        if self._finder.floor is not None:
            return f"Cleared; {self.key_of('back')} brings {before} back."
        return ""

    def shown_lines(self) -> Sequence[int]:
        """All lines, or those that match; without the muted, where the store has them."""
        shown = self._finder.shown()
        if self._store is not self._lines or not self.sources.muted:
            return shown
        return [number for number in shown if self._lines[number].source not in self.sources.muted]

    def grown(self, number: int) -> None:
        """New lines may match."""
        if self._finder.hits is not None:
            self._finder.hits.changed(number)

    def emptied(self) -> None:
        """No hit is left to stand on."""
        self.cursor = None
        self._wanted_time = None
        self._wants_hit = False
        self._finder.turn_to(self._store)
        if self._finder.hits is not None:
            self._search_on()

    def looked_at(self) -> None:
        """Search what has come."""
        hits = self._finder.hits
        if hits is not None:
            hits.scan(_SLICE)
            if not hits.complete and not self._busy:
                self._search_on()
        if self._wanted_time is not None:
            if self._store.at_time(self._wanted_time) is not None:
                self._relayout(None)  # the line has come since the rows were laid out
            self.go_to_time(self._wanted_time)

    def marked(self, number: int, content: Content) -> Content:
        """A line with its hits."""
        if self._finder.hits is None:
            return content
        style = self.look("log--current" if number == self._finder.current else "log--hit")
        if style.background == self.visual_style.background:
            style = _HIT
        return lines.highlighted(content, self._finder.hits.query, style)

    def is_chosen(self, number: int) -> bool:
        """The line of the current hit, and lines being selected."""
        if self.cursor is None:
            return number == self._finder.current
        return min(self.cursor, self._anchor) <= number <= max(self.cursor, self._anchor)

    # Searching

    def search(self, text: str, *, keep: bool, invert: bool = False) -> None:
        """Look for a pattern, "" = no more."""
        self._finder.start(text, keep=keep, invert=invert)
        self._search_on()
        self._relayout(None)

    def _search_on(self) -> None:
        # A function: the worker it ends may not have begun, and a coroutine would be left unawaited.
        if self.is_attached:
            work: Any = self._searching  # mypy finds no result type for it
            self.run_worker(work, group="search", exclusive=True, exit_on_error=False)

    async def _searching(self) -> None:
        self._busy = True
        try:
            await self._search_to_the_end()
        finally:
            self._busy = False

    async def _search_to_the_end(self) -> None:
        hits = self._finder.hits
        loop = asyncio.get_running_loop()
        drawn = loop.time()
        while hits is not None and hits is self._finder.hits and not hits.complete:
            begun = loop.time()
            hits.scan(_SLICE)
            if self._wants_hit and hits.numbers:
                self.step(True)
            if loop.time() - drawn > _DRAWN:
                self._relayout(None) if self._finder.keep else self.tell()
                drawn = loop.time()
            # A key passes several queues before it is heard; on a busy machine a slice takes longer than it works.
            await asyncio.sleep(max(_SLICE / 2, loop.time() - begun - _SLICE))
        if hits is not None and hits is self._finder.hits:
            self._relayout(None)

    def invert(self) -> bool:
        """Keep what does not match, and back."""
        if self._finder.hits is None:
            return False
        query = self._finder.hits.query
        self.search(query.text, keep=True, invert=not query.invert)
        return True

    def step(self, forward: bool) -> bool:
        """To the next or previous hit, from the current one or from the row at the edge; else to the first one."""
        edge = self._layout.at(self.scroll_offset.y)
        found = self._finder.step(forward, edge[0] if edge else self._finder.first)
        hits = self._finder.hits
        self._wants_hit = found is None and hits is not None and not hits.complete
        if found is None:
            return self._wants_hit
        self.restyle()
        self.go_to_line(found)
        return True

    def move(self, motion: str) -> bool:
        """Scroll; to the very first line also where the index has not come so far yet."""
        self.let_go()
        if motion == "first" and not self._store.complete:
            self._wanted_time = 0
        return super().move(motion)

    def let_go(self) -> None:
        """The reader has something else in mind: wait for no place any more."""
        self._wanted_time = None
        self._wants_hit = False

    # Times

    def go_to_time(self, time_ns: int) -> None:
        """To the first line that is not older; later, where the index has not come so far yet."""
        number = self._store.at_time(time_ns)
        self._wanted_time = time_ns if number is None else None
        if number is None:
            super().move("first")
            return
        shown = self.shown_lines()
        at = bisect_left(shown, number)
        if shown:
            self.go_to_line(shown[min(at, len(shown) - 1)], top=True)

    # Selecting

    def select(self) -> bool:
        """Begin to select lines at the current hit, or at the last line on the screen."""
        if self.cursor is not None:
            return self.unselect()
        number = self._finder.current
        if number is None:
            at = min(self.scroll_offset.y + self._room, self._layout.rows) - 1
            place = self._layout.at(at)
            if place is None:
                return False
            number = place[0]
        self.follow = False
        self.cursor = self._anchor = number
        self.restyle()
        self.tell()
        return True

    def unselect(self) -> bool:
        """Select nothing."""
        was, self.cursor = self.cursor, None
        if was is None:
            return False
        self.restyle()
        self.tell()
        return True

    def move_cursor(self, motion: str) -> bool:
        """While lines are being selected a motion moves the end of the selection."""
        if self.cursor is None:
            return False
        shown = self.shown_lines()
        page = max(self._room // 2, 1)
        ends = {"first": -len(shown), "last": len(shown)}
        step = {"down": 1, "up": -1, "page_down": page, "page_up": -page, **ends}.get(motion)
        if step is None or not shown:
            return False
        at = max(0, min(bisect_left(shown, self.cursor) + step, len(shown) - 1))
        self.cursor = shown[at]
        self.restyle()
        self.go_to_line(self.cursor)
        return True

    def selected_text(self) -> str:
        """The text of the selected lines, without colours."""
        if self.cursor is None:
            return ""
        low, high = sorted((self.cursor, self._anchor))
        shown = self.shown_lines()
        at = bisect_left(shown, low)
        found: list[str] = []
        while at < len(shown) and shown[at] <= high and len(found) < _MOST_LINES:
            found.append(lines.body(self._store[shown[at]]).plain)
            at += 1
        return "\n".join(found)

    # Clearing

    def wipe(self) -> None:
        """Put away what is here: only new lines are shown."""
        self._finder.floor = self._store.end
        self.follow = True
        self._relayout(None)

    def unwipe(self) -> bool:
        """Show what was put away."""
        if self._finder.floor is None:
            return False
        self._finder.floor = None
        self._relayout(None)
        return True
