"""The state of a search: what is looked for, what was found, and which hit the reader stands on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tui.logview.query import Hits, Query
from tui.logview.store import LineStore


class Finder:
    """`hits` is None while nothing is searched; `keep` shows only the hits; `current` is a line number or -1."""

    def __init__(self, store: LineStore) -> None:
        self._store = store
        self.hits: Hits | None = None
        self.keep = False
        self.current = -1

    @property
    def text(self) -> str:
        """What is searched, "" if nothing."""
        return self.hits.query.text if self.hits is not None else ""

    def start(self, text: str, *, keep: bool, invert: bool = False) -> None:
        """Search anew; empty text ends the search."""
        self.hits = Hits(Query(text, invert=invert), self._store) if text else None
        self.keep = keep and self.hits is not None
        self.current = -1

    def shown(self) -> Sequence[int]:
        """The numbers of the lines to show."""
        if self.keep and self.hits is not None:
            return self.hits.numbers
        return range(self._store.first, self._store.end)

    def step(self, forward: bool, edge: int) -> int | None:
        """To the next or previous hit, counted from the current one or from line `edge`; None without hits."""
        if self.hits is None:
            return None
        if self.current < self._store.first:
            self.current = edge + (-1 if forward else 1)
        found = self.hits.after(self.current) if forward else self.hits.before(self.current)
        self.current = -1 if found is None else found
        return found

    def words(self) -> str:
        """`17 of 307 lines` or `2 of 9 hits in 307 lines`; "so far" while the search goes on."""
        total, hits = len(self._store), self.hits
        if hits is None:
            return f"{total} lines" if total != 1 else "1 line"
        if hits.query.slow:
            return "this pattern takes too long; try a simpler one"
        more = "" if hits.complete else " so far"
        found = len(hits.numbers)
        if self.keep:
            return f"{found} of {total} lines{more}"
        at = bisect_left(hits.numbers, self.current)
        if self.current >= 0 and at < found:
            return f"{at + 1} of {found} hits{more} in {total} lines"
        return f"{found} {'hit' if found == 1 else 'hits'}{more} in {total} lines"
