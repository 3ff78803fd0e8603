"""Flood skip: of text that scrolls past faster than anyone can see, only the last screen is drawn.

The state afterwards is exact. In a stretch of printable text, CR LF TAB BS, SGR and EL, on a whole-screen
scrolling region, a row depends on nothing that scrolled away before it; so drawing starts at a line that begins
at column 0, one more row above than the screen shows. What is jumped over goes to the scrollback as text.
"""

from __future__ import annotations

import re
from typing import Final

from tui.terminal.attrs import after
from tui.terminal.grid import DECAWM, IRM, LNM
from tui.terminal.screen import FastScreen

_STRETCH: Final = re.compile(r"(?:[^\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]++|\x1b\[[0-9;:]*+m|\x1b\[[012]?K)++")
_LEAST: Final = 2048  # characters; below this the count costs more than it saves


def skip(screen: FastScreen, text: str, at: int) -> tuple[int, int]:
    """Jump over what cannot be seen of `text` from `at` on.

    Returns where to go on drawing, and from where it makes sense to ask again.
    """
    if len(text) - at < _LEAST:
        return at, len(text)
    if not _steady(screen):
        return at, at + _LEAST
    stretch = _STRETCH.match(text, at)
    end = stretch.end() if stretch else at
    if end - at < _LEAST:
        return at, max(end, at + 1)
    if text.count("\n", at, end) <= 2 * screen.lines + 2:
        return at, end
    cut = end
    for _line in range(screen.lines + 2):
        cut = text.rfind("\n", at, cut)
    cut = text.rfind("\r\n", at, cut + 1) + 2
    skipped = text.count("\n", at, cut)
    if skipped < screen.lines:
        return at, end  # bare line feeds: where a line begins depends on all lines before it
    if not screen.alternate:
        _keep(screen, text[at:cut], skipped)
        screen.unpushed = screen.lines - 1
    screen.cursor.attrs = after(screen.cursor.attrs, text, at, cut)
    screen.blank()
    return cut, end


def _steady(screen: FastScreen) -> bool:
    return (
        screen.margins is None
        and screen.sides is None
        and DECAWM in screen.mode
        and IRM not in screen.mode
        and LNM not in screen.mode
        and not screen.graphics[screen.shift]
    )


def _keep(screen: FastScreen, text: str, lines: int) -> None:
    """Scroll the screen off and put the text after it, as drawing would have done."""
    y = screen.cursor.y
    for row in screen.rows[:y]:
        if screen.unpushed:
            screen.unpushed -= 1
        else:
            screen.scrollback.push(row)
    begun, x = screen.rows[y], screen.cursor.x
    before = "".join(begun.chars[:x])
    if behind := "".join(begun.chars[x:]).rstrip(" "):  # CR or BS left the cursor inside of its line
        before += f"{behind}\x1b[{x + 1}G"
    screen.scrollback.push_raw(screen.cursor.attrs, before + text, lines)
