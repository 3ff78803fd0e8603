"""Wrapping text anew when the width changes: rows that were one line are one line again, wherever it was broken."""

from __future__ import annotations

from typing import Final, NamedTuple

from tui.terminal.attrs import PLAIN, Attr
from tui.terminal.cells import FILLED, WRAPPED, Row, Run, split
from tui.terminal.scrollback import Line, Scrollback, decode

_MOST_JOINED: Final = 2000  # rows of one line taken back from the scrollback; a longer one breaks there


class Mark(NamedTuple):
    """A place on the screen that stays with its text. `x` may be one past the last column (a pending wrap)."""

    y: int
    x: int


class _Cells:
    """One line as cells, and the marks in it as (number, offset)."""

    def __init__(self) -> None:
        self.chars: list[str] = []
        self.attrs: list[Attr] = []
        self.marks: list[tuple[int, int]] = []


def fit(
    rows: list[Row], marks: list[Mark], scrollback: Scrollback, size: tuple[int, int]
) -> tuple[list[Row], list[Mark]]:
    """The main screen in a new `size` (lines, columns), `marks[0]` being the cursor.

    What no longer fits goes to the scrollback, from the top, as far as the cursor allows; a screen that was full
    and became taller takes rows back from there.
    """
    lines, columns = size
    last = max([mark.y for mark in marks[:1]] + [y for y, row in enumerate(rows) if _used(row)])
    full = last == len(rows) - 1
    grown = max(0, lines - len(rows)) if full else 0
    laid, at = _wrapped(_joined(rows[: last + 1], marks, scrollback), columns, len(marks))
    for number, mark in enumerate(marks):
        if mark.y > last:
            at[number] = Mark(len(laid) + mark.y - last - 1, min(mark.x, columns - 1))
    while grown > 0 and len(laid) < lines and len(scrollback):
        line = _Cells()
        _take(scrollback, line)
        above, _ = _wrapped([line], columns, 0)
        laid[:0] = above
        at = [Mark(mark.y + len(above), mark.x) for mark in at]
        grown -= len(above)
    away = max(0, min(len(laid) - lines, at[0].y))
    for row in laid[:away]:
        scrollback.push(row)
    laid = laid[away : away + lines]
    laid += [Row(columns, PLAIN) for _ in range(lines - len(laid))]
    return laid, [Mark(min(max(mark.y - away, 0), lines - 1), min(mark.x, columns)) for mark in at]


def wrap(line: Line, columns: int) -> list[Line]:
    """A line of runs as rows of at most `columns` cells."""
    if sum(run.cells for run in line) <= columns:
        return [line]
    rows: list[Line] = [[]]
    room = columns
    for text, attr, count in line:
        cells = list(text) if len(text) == count else split(text)
        at = 0
        while at < len(cells):
            if not room:
                rows.append([])
                room = columns
            end = min(at + room, len(cells))
            if end < len(cells) and not cells[end]:  # not through a two-cell character
                end = end - 1 if end - 1 > at or room < columns else at + 2
            if end > at:
                rows[-1].append(Run("".join(cells[at:end]), attr, end - at))
            room = max(0, room - (end - at)) if end > at else 0
            at = end
    return rows


def _used(row: Row) -> bool:
    return bool(row.wrapped) or any(attr is not PLAIN for attr in row.attrs) or row.text().strip(" ") != ""


def _joined(rows: list[Row], marks: list[Mark], scrollback: Scrollback) -> list[_Cells]:
    """The lines that rows belong to, the first one completed from the scrollback."""
    line = _Cells()
    lines = [line]
    if scrollback.open():
        _take(scrollback, line)
    for y, row in enumerate(rows):
        base = len(line.chars)
        line.marks += [(n, base + mark.x) for n, mark in enumerate(marks) if mark.y == y]
        whole = len(row.chars) - (row.wrapped == FILLED and row.chars[-1] == " ")
        line.chars += row.chars[:whole]
        line.attrs += row.attrs[:whole]
        if not row.wrapped and y < len(rows) - 1:
            line = _Cells()
            lines.append(line)
    return lines


def _wrapped(lines: list[_Cells], columns: int, marks: int) -> tuple[list[Row], list[Mark]]:
    rows: list[Row] = []
    at = [Mark(0, 0)] * marks
    for line in lines:
        _trim(line, columns)
        if columns == 1:  # no room for two-cell characters
            wide = [x - 1 for x, char in enumerate(line.chars) if not char]
            for x in wide:
                line.chars[x : x + 2] = " ", " "
        start = 0
        while True:
            end = min(start + columns, len(line.chars))
            filled = end < len(line.chars) and not line.chars[end] and end - start > 1
            end -= filled
            more = end < len(line.chars)
            row = Row(columns, PLAIN)
            row.chars[: end - start] = line.chars[start:end]
            row.attrs[: end - start] = line.attrs[start:end]
            row.wrapped = (FILLED if filled else WRAPPED) if more else 0
            for number, offset in line.marks:
                if start <= offset and (offset < end or not more):
                    at[number] = Mark(len(rows), min(offset - start, columns))
            rows.append(row)
            start = end
            if not more:
                break
    return rows, at


def _trim(line: _Cells, columns: int) -> None:
    """Drop what is blank at the end, but for the marks' sake; a coloured rest ends with the row it is in."""
    need = min(max((offset for _, offset in line.marks), default=0), len(line.chars))
    end = len(line.chars)
    while end > need and line.chars[end - 1] == " " and line.attrs[end - 1] is PLAIN:
        end -= 1
    if end > columns and line.chars[end - 1] == " ":
        last, text = line.attrs[end - 1], end
        while text > need and line.chars[text - 1] == " " and line.attrs[text - 1] is last:
            text -= 1
        end = max(min(end, -(-text // columns) * columns), 1)
    del line.chars[end:], line.attrs[end:]


def _take(scrollback: Scrollback, line: _Cells) -> None:
    """Take the newest line back from the scrollback, with all its rows."""
    taken: list[Line] = []
    while len(taken) < _MOST_JOINED and (block := scrollback.pop_row()) is not None:
        taken.append(decode(block)[0])
        if not scrollback.open():
            break
    for text in reversed(taken):
        for run in text:
            cells = split(run.text)
            line.chars += cells
            line.attrs += [run.attr] * len(cells)
