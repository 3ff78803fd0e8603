"""The state of a search: what is looked for, what was found, and which hit the reader stands on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tui.logview.query import Hits, Query
from tui.logview.store import Store


class Finder:
    """`hits` is None while nothing is searched; `keep` shows the hits alone; `current` = a line's number."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.hits: Hits | None = None
        self.keep = False
        self.current: int | None = None
        self.floor: int | None = None
        """Lines before this one are put away (cleared)."""

    @property
    def text(self) -> str:
        """What is searched, "" if nothing."""
        return self.hits.query.text if self.hits is not None else ""

    @property
    def first(self) -> int:
        """The first line that may be shown."""
        return self.store.first if self.floor is None else max(self.store.first, self.floor)

    def start(self, text: str, *, keep: bool, invert: bool = False) -> None:
        """Search anew; empty text ends the search."""
        self.hits = Hits(Query(text, invert=invert), self.store) if text else None
        self.keep = keep and self.hits is not None
        self.current = None

    def turn_to(self, store: Store) -> None:
        """Search the same in other lines."""
        self.store = store
        self.floor = None
        query = self.hits.query if self.hits is not None else None
        self.start(query.text if query else "", keep=self.keep, invert=bool(query and query.invert))

    def shown(self) -> Sequence[int]:
        """The numbers of the lines to show."""
        if not self.keep or self.hits is None:
            return range(self.first, self.store.end)
        numbers = self.hits.numbers
        return numbers if self.floor is None else numbers[bisect_left(numbers, self.floor) :]

    def step(self, forward: bool, edge: int) -> int | None:
        """To the next or previous hit, counted from the current one or from line `edge`; None without hits."""
        if self.hits is None:
            return None
        if self.current is None or self.current < self.first:
            self.current = edge + (-1 if forward else 1)
        found = self.hits.after(self.current) if forward else self.hits.before(self.current)
        self.current = found
        return found

    def words(self) -> str:
        """`17 of 307 lines` or `2 of 9 hits in 307 lines`; "so far" while the search goes on.

        What is no regular expression is said to be searched as it is.
        """
        total, hits = max(self.store.end - self.first, 0), self.hits
        lines = f"{total:,}{'' if self.store.complete else '+'}"
        if hits is None:
            since = "" if self.floor is None else " since it was cleared"
            return f"{lines} lines{since}" if total != 1 else f"1 line{since}"
        if hits.query.slow:
            return "this pattern takes too long; try a simpler one"
        more = "" if hits.complete and self.store.complete else " so far"
        lines_so = " lines" + (", as plain text" if hits.query.literal else "")
        found = len(hits.numbers)
        if self.keep:
            return f"{found:,} of {lines}{lines_so}{more}"
        at = bisect_left(hits.numbers, self.current) if self.current is not None else found
        noun = "hit" if found == 1 else "hits"
        if at < found:
            return f"{at + 1:,} of {found:,} {noun}{more} in {lines}{lines_so}"
        return f"{found:,} {noun}{more} in {lines}{lines_so}"
