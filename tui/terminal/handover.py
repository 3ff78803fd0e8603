"""What makes the reader's own terminal show an emulated screen, and what takes back all that a program did to it.

Pure text. The terminal is then as if the program had run in it from the beginning: both buffers, cursor, margins,
modes, keyboard, colours and title.
"""

from __future__ import annotations

from typing import Final

from tui.terminal.attrs import PLAIN, Attr
from tui.terminal.cells import FILLED, WRAPPED, Row
from tui.terminal.grid import DECAWM, DECLRMM, DECOM, DECTCEM, IRM, LNM, Saved
from tui.terminal.modal import DECNKM, SYNCHRONIZED
from tui.terminal.screen import FastScreen
from tui.terminal.settings import rendition

_ELSEWHERE: Final = {DECAWM, DECTCEM, DECOM, DECLRMM, DECNKM, SYNCHRONIZED} | {
    n << 5 for n in (47, 1047, 1048, 1049)
}
_CUT: Final = "\x18\x1b\\"  # ends whatever sequence or string a program has not ended
_OFF: Final = "".join(
    f"\x1b[?{mode}l"
    for mode in (
        9,
        1000,
        1001,
        1002,
        1003,
        1004,
        1005,
        1006,
        1007,
        1015,
        1016,
        2004,
        2026,
        2031,
        2048,
        5,
        45,
        69,
        6,
        1,
    )
)
_PLAIN: Final = (
    "\x1b[!p\x1b>\x1b[4l\x1b[20l\x1b(B\x1b)B\x1b*B\x1b+B\x0f\x1b[r\x1b[?7h\x1b[?25h\x1b[0 q\x1b]8;;\x1b\\\x1b[0m"
)
_COLOURS: Final = "\x1b]104\x1b\\\x1b]105\x1b\\" + "".join(f"\x1b]1{n}\x1b\\" for n in range(10, 20))


def showing(screen: FastScreen, title: str = "") -> str:
    """From a terminal as it is at power-on, with the cursor anywhere, to `screen`. What stood there scrolls away.

    `title` is used where the program has set none.
    """
    main = screen.other_rows if screen.alternate else screen.rows
    out = ["\x1b[22;0t", f"\x1b[{screen.lines};1H", "\n" * screen.lines, "\x1b[H", screen.palette.spelled()]
    out.append(_drawn(main))
    if screen.alternate:
        if saved := screen.saved[0]:
            out.append(_placed(saved.x, saved.y, saved.attr))
        out += ["\x1b[?1049h\x1b[0m\x1b[2J", _drawn(screen.rows)]
    if saved := screen.saved[screen.alternate]:
        out.append(_kept(saved))
    out += [_tabs(screen), _modes(screen), _keyboard(screen)]
    if shown := screen.title or title:
        out.append(f"\x1b]2;{shown}\x1b\\")
    out.append(_cursor(screen))
    return "".join(out)


def undoing(screen: FastScreen) -> str:
    """From a terminal that shows `screen`, perhaps in the middle of a sequence, to one as at power-on.

    The main buffer keeps what is on it, with the cursor below it; the title is the one before.
    """
    out = [_CUT, "\x1b[<u" * len(screen.kitty), "\x1b[>4m" if screen.modify_other_keys else ""]
    # first of all, since with the cursor come the charset and origin mode that were saved
    out += ["\x1b[?1049l" if screen.alternate else "", _OFF, _PLAIN]
    if screen.palette.changed:
        out.append(_COLOURS)
    if screen.tabstops != set(range(8, screen.columns, 8)):
        out.append("\x1b[?5W")
    out.append("\x1b[23;0t\x1b[999;1H\n")
    return "".join(out)


def _drawn(rows: list[Row]) -> str:
    out: list[str] = []
    before, link, joined = PLAIN, "", False
    for y, row in enumerate(rows):
        if not joined:  # a row that goes on is written on, so that the terminal knows it as one
            out.append(f"\x1b[{y + 1};1H")
        joined = bool(row.wrapped & WRAPPED) and not row.wrapped & FILLED
        runs = row.runs()
        while runs and not joined and runs[-1].attr is PLAIN and not runs[-1].text.strip(" "):
            runs.pop()
        for run in runs:
            if run.attr is not before:
                out.append(f"\x1b[{rendition(run.attr)}m")
            if run.attr.link != link:
                link = run.attr.link
                out.append(f"\x1b]8;;{link}\x1b\\")
            before = run.attr
            out.append(run.text)
    return "".join(out) + ("\x1b]8;;\x1b\\" if link else "") + "\x1b[0m"


def _placed(x: int, y: int, attr: Attr) -> str:
    return f"\x1b[{y + 1};{x + 1}H\x1b[{rendition(attr)}m"


def _kept(saved: Saved) -> str:
    origin = ("\x1b[?6h", "\x1b[?6l") if saved.origin else ("", "")
    return f"{origin[0]}{_placed(saved.x, saved.y, saved.attr)}\x1b7{origin[1]}\x1b[0m"


def _tabs(screen: FastScreen) -> str:
    if screen.tabstops == set(range(8, screen.columns, 8)):
        return ""
    return "\x1b[3g" + "".join(f"\x1b[1;{x + 1}H\x1bH" for x in sorted(screen.tabstops) if x < screen.columns)


def _modes(screen: FastScreen) -> str:
    mode = screen.mode
    out = [f"\x1b[?{number >> 5}h" for number in sorted(mode - _ELSEWHERE) if number >= 32]
    out += [f"\x1b[{number}h" for number in (IRM, LNM) if number in mode]
    out += [f"\x1b{slot}0" for slot, drawing in zip("()*+", screen.graphics, strict=True) if drawing]
    out.append(("", "\x0e", "\x1bn", "\x1bo")[screen.shift])
    if screen.margins is not None:
        out.append(f"\x1b[{screen.margins[0] + 1};{screen.margins[1] + 1}r")
    if DECLRMM in mode:
        out.append("\x1b[?69h")
    if screen.sides is not None:
        out.append(f"\x1b[{screen.sides[0] + 1};{screen.sides[1] + 1}s")
    return "".join(out)


def _keyboard(screen: FastScreen) -> str:
    out = ["\x1b=" if DECNKM in screen.mode else ""]
    out.append(f"\x1b[>4;{screen.modify_other_keys}m" if screen.modify_other_keys else "")
    return "".join(out) + "".join(f"\x1b[>{flags}u" for flags in screen.kitty)


def _cursor(screen: FastScreen) -> str:
    """Last of all, since margins and origin mode move it. A wrap that is pending is made by writing anew."""
    cursor, row = screen.cursor, screen.rows[screen.cursor.y]
    x, y, left, top = min(cursor.x, screen.columns - 1), cursor.y, 0, 0
    out = []
    if DECOM in screen.mode:
        left, top = screen.sides[0] if screen.sides else 0, screen.region[0]
        out.append("\x1b[?6h")
    if cursor.x >= screen.columns:
        last = x if row.chars[x] else x - 1  # a wide one has two cells
        out += [_placed(last - left, y - top, row.attrs[last]), row.chars[last], f"\x1b[{rendition(cursor.attrs)}m"]
    else:
        out.append(_placed(x - left, y - top, cursor.attrs))
    if DECAWM not in screen.mode:
        out.append("\x1b[?7l")
    out.append(f"\x1b[{screen.cursor_shape} q" if screen.cursor_shape else "")
    out.append("\x1b[?25h" if DECTCEM in screen.mode else "\x1b[?25l")
    return "".join(out)
