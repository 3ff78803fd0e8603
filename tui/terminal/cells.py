"""A row of the screen, and the small edits of it that keep two-cell characters whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple

from tui.terminal import widths
from tui.terminal.attrs import Attr

WRAPPED: Final = 1
FILLED: Final = 2
"""Wrapped, and the last cell is only there because a two-cell character did not fit."""


class Run(NamedTuple):
    """A stretch of one row in one attribute; `cells` is its width, which `text` alone does not tell."""

    text: str
    attr: Attr
    cells: int


class Row:
    """One row: a string and an attribute a cell.

    A two-cell character stands in its first cell and leaves "" in the second; combining characters stand in
    the cell of their base. Whoever changes a row sets `strip` (the painter's cached form) to None.
    """

    __slots__ = ("attrs", "chars", "strip", "wrapped")

    def __init__(self, columns: int, attr: Attr) -> None:
        self.chars: list[str] = [" "] * columns
        self.attrs: list[Attr] = [attr] * columns
        self.wrapped = 0  # WRAPPED or FILLED: the text goes on in the next row
        self.strip: Any = None

    def put(self, x: int, cells: Sequence[str], count: int, attr: Attr) -> None:
        """Write `count` cells from column `x`; halves of two-cell characters cut by it become blanks."""
        chars = self.chars
        end = x + count
        if not chars[x] and x:
            chars[x - 1] = " "
        if end < len(chars) and not chars[end]:
            chars[end] = " "
        chars[x:end] = cells
        self.attrs[x:end] = [attr] * count
        self.strip = None

    def erase(self, x: int, end: int, attr: Attr) -> None:
        """Blank the cells from `x` up to `end`, which is not among them."""
        if x < end:
            self.put(x, [" "] * (end - x), end - x, attr)

    def insert(self, x: int, count: int, attr: Attr) -> None:
        """Push the cells from `x` on to the right by `count`; what leaves the row is lost."""
        columns = len(self.chars)
        count = min(count, columns - x)
        self._split(x)
        self._split(columns - count)
        self.chars[x:] = [" "] * count + self.chars[x : columns - count]
        self.attrs[x:] = [attr] * count + self.attrs[x : columns - count]
        self.strip = None

    def fit(self, columns: int, attr: Attr) -> None:
        """Cut or pad the row to `columns` cells."""
        have = len(self.chars)
        if columns < have:
            self._split(columns)
            del self.chars[columns:], self.attrs[columns:]
        elif columns > have:
            self.chars += [" "] * (columns - have)
            self.attrs += [attr] * (columns - have)
        self.strip = None

    def mend(self, x: int) -> None:
        """Blank what stands in cell `x` if its other half is gone."""
        if self.chars[x] and cells_of(self.chars[x]) > 1:
            self.chars[x] = " "
            self.strip = None

    def shift(self, x: int, end: int, by: int, attr: Attr) -> None:
        """Move the cells from `x` up to `end` by `by`; what leaves is lost, blanks come in."""
        for edge in (x, end, *((end - by, x) if by > 0 else (x - by,))):
            self._split(edge)
        blank = [" "] * min(abs(by), end - x)
        kept, colours = self.chars[x:end], self.attrs[x:end]
        fill = [attr] * len(blank)
        if by > 0:
            self.chars[x:end] = blank + kept[: len(kept) - len(blank)]
            self.attrs[x:end] = fill + colours[: len(kept) - len(blank)]
        else:
            self.chars[x:end] = kept[len(blank) :] + blank
            self.attrs[x:end] = colours[len(blank) :] + fill
        self.strip = None

    def _split(self, x: int) -> None:
        """Blank a two-cell character that the border left of column `x` would cut through."""
        if 0 < x < len(self.chars) and not self.chars[x]:
            self.chars[x - 1] = self.chars[x] = " "

    def runs(self) -> list[Run]:
        """The row as runs of one attribute each, whole row."""
        out: list[Run] = []
        chars, start = self.chars, 0
        for attr, same in groupby(self.attrs):
            end = start + len(list(same))
            out.append(Run("".join(chars[start:end]), attr, end - start))
            start = end
        return out

    def text(self) -> str:
        """The characters of the row, trailing blanks included."""
        return "".join(self.chars)


def cells_of(text: str) -> int:
    """The cells that `text` takes."""
    if text.isascii() or not widths.find_odd(text):
        return len(text)
    return sum(len(run.group()) * (0, 1, 2, 0)[run.lastindex or 0] for run in widths.find_runs(text))


def split(text: str) -> list[str]:
    """`text` as the cells of a row: "" behind a two-cell character, combining characters with their base."""
    if text.isascii() or not widths.find_odd(text):
        return list(text)
    cells: list[str] = []
    for run in widths.find_runs(text):
        part = run.group()
        if run.lastindex == 1:
            cells += part
        elif run.lastindex == 2:
            both = [""] * (2 * len(part))
            both[::2] = part
            cells += both
        elif cells:
            cells[-1 if cells[-1] or len(cells) == 1 else -2] += part
    return cells


@lru_cache(1024)
def memo(text: str) -> list[str]:
    """`split`, remembered; not to be changed. Empty where `text` begins with a combining character."""
    return [] if widths.width(text[0]) == 0 else split(text)
