"""Cell attributes: interned, so that a run of equal cells is a run of one object, and SGR is one dict hit.

Colours are ints: `DEFAULT` (-1), a palette index 0..255 kept as an index so that the reader's own palette
applies, or `RGB | 0xRRGGBB`. Flags follow ECMA-48 §8.3.117 and xterm's additions (4:3 curly, 53 overline).
A hyperlink (OSC 8) is an attribute too.
"""

from __future__ import annotations

import re
from typing import Any, Final

DEFAULT: Final = -1
RGB: Final = 0x1000000

BOLD: Final = 1
DIM: Final = 2
ITALIC: Final = 4
UNDERLINE: Final = 8
BLINK: Final = 16
REVERSE: Final = 32
CONCEAL: Final = 64
STRIKE: Final = 128
OVERLINE: Final = 256
DOUBLE_UNDERLINE: Final = 512
CURLY_UNDERLINE: Final = 1024
PROTECTED: Final = 2048  # DECSCA, read by selective erase
DOTTED_UNDERLINE: Final = 4096
DASHED_UNDERLINE: Final = 8192
GUARDED: Final = 16384  # SPA, read by plain erase (ECMA-48 §8.3.143)

_UNDERLINES: Final = UNDERLINE | DOUBLE_UNDERLINE | CURLY_UNDERLINE | DOTTED_UNDERLINE | DASHED_UNDERLINE
_KINDS: Final = {
    0: 0,
    1: UNDERLINE,
    2: UNDERLINE | DOUBLE_UNDERLINE,
    3: UNDERLINE | CURLY_UNDERLINE,
    4: UNDERLINE | DOTTED_UNDERLINE,
    5: UNDERLINE | DASHED_UNDERLINE,
}
_SET: Final = {
    1: BOLD,
    2: DIM,
    3: ITALIC,
    5: BLINK,
    6: BLINK,
    7: REVERSE,
    8: CONCEAL,
    9: STRIKE,
    53: OVERLINE,
}
_CLEAR: Final = {
    22: BOLD | DIM,
    23: ITALIC,
    24: _UNDERLINES,
    25: BLINK,
    27: REVERSE,
    28: CONCEAL,
    29: STRIKE,
    55: OVERLINE,
}

# A stream of ever new true colours must not grow the process: past this many the tables start anew, and
# equal attributes made before and after differ in identity only, which costs a longer strip and nothing else.
_MOST_ATTRS: Final = 32768
_MOST_NEXT: Final = 2048
_SGR: Final = re.compile(r"\x1b\[([0-9;:]*)m")


Key = tuple[int, int, int, int, str]


class Attr:
    """One combination of colours, flags and link. Make it with `intern`; never change it; compare it with `is`.

    `line` is the colour of the underline.
    """

    __slots__ = ("bg", "fg", "flags", "line", "link", "next", "style")

    def __init__(self, fg: int, bg: int, flags: int, line: int, link: str) -> None:
        self.fg = fg
        self.bg = bg
        self.flags = flags
        self.line = line
        self.link = link
        self.next: dict[str, Attr] = {}
        self.style: Any = None  # room for the painter's own cached form

    def __repr__(self) -> str:
        return f"Attr(fg={self.fg:#x}, bg={self.bg:#x}, flags={self.flags:#x}, line={self.line:#x}, {self.link!r})"

    @property
    def key(self) -> Key:
        """(foreground, background, flags, underline, link): equal for attributes that look the same."""
        return self.fg, self.bg, self.flags, self.line, self.link


_interned: dict[Key, Attr] = {}
PLAIN: Final = Attr(DEFAULT, DEFAULT, 0, DEFAULT, "")
_interned[PLAIN.key] = PLAIN


def intern(fg: int, bg: int, flags: int, line: int = DEFAULT, link: str = "") -> Attr:
    """The one `Attr` with these colours and flags."""
    key = (fg, bg, flags, line, link)
    attr = _interned.get(key)
    if attr is None:
        if len(_interned) >= _MOST_ATTRS:
            for old in _interned.values():
                old.next.clear()
            _interned.clear()
            _interned[PLAIN.key] = PLAIN
        attr = _interned[key] = Attr(*key)
    return attr


def erased(attr: Attr) -> Attr:
    """The attribute of a cell erased while `attr` is current: only the background stays (BCE)."""
    if attr.bg == DEFAULT:
        return PLAIN
    return intern(DEFAULT, attr.bg, 0)


def flagged(attr: Attr, flag: int, on: bool) -> Attr:
    """`attr` with `flag` set or cleared."""
    return intern(attr.fg, attr.bg, attr.flags | flag if on else attr.flags & ~flag, attr.line, attr.link)


def linked(attr: Attr, link: str) -> Attr:
    """`attr` as part of the hyperlink `link`, or of none."""
    return intern(attr.fg, attr.bg, attr.flags, attr.line, link)


def after(attr: Attr, text: str, start: int, end: int) -> Attr:
    """The attribute after the SGR sequences between `start` and `end`; all before a reset is without effect."""
    reset = max(text.rfind("\x1b[m", start, end), text.rfind("\x1b[0m", start, end))
    for match in _SGR.finditer(text, max(reset, start), end):
        attr = sgr(attr, match.group(1))
    return attr


def sgr(attr: Attr, params: str) -> Attr:
    """`attr` after `CSI params m`; `params` is the raw text of digits, `;` and `:`."""
    found = attr.next.get(params)
    if found is None:
        found = _apply(attr, params)
        if len(attr.next) >= _MOST_NEXT:
            attr.next.clear()
        attr.next[params] = found
    return found


def number(text: str, default: int = 0) -> int:
    """A CSI parameter as an int: empty is `default`, and longer than five digits is 99999."""
    if not text:
        return default
    if len(text) > 5:
        text = text.lstrip("0") or "0"
    return int(text) if len(text) <= 5 and text.isascii() and text.isdigit() else 99999


def _apply(attr: Attr, params: str) -> Attr:
    fg, bg, flags, line = attr.fg, attr.bg, attr.flags, attr.line
    parts = params.split(";")
    at = 0
    while at < len(parts):
        part = parts[at]
        at += 1
        if ":" in part:
            code, *sub = (number(p) for p in part.split(":"))
        else:
            code, sub = number(part), []
        if code == 0:
            fg, bg, flags, line = DEFAULT, DEFAULT, flags & (PROTECTED | GUARDED), DEFAULT
        elif code in _SET:
            flags |= _SET[code]
        elif code == 4:
            flags = flags & ~_UNDERLINES | _KINDS.get(sub[0] if sub else 1, UNDERLINE)
        elif code == 21:
            flags = flags & ~_UNDERLINES | _KINDS[2]
        elif code in _CLEAR:
            flags &= ~_CLEAR[code]
        elif 30 <= code <= 37 or 90 <= code <= 97:
            fg = code - 30 if code < 90 else code - 82
        elif 40 <= code <= 47 or 100 <= code <= 107:
            bg = code - 40 if code < 100 else code - 92
        elif code == 39:
            fg = DEFAULT
        elif code == 49:
            bg = DEFAULT
        elif code == 59:
            line = DEFAULT
        elif code in (38, 48, 58):
            if sub:
                colour = _colon_colour(sub)
            else:
                colour, at = _semicolon_colour(parts, at)
            if colour is not None and code == 38:
                fg = colour
            elif colour is not None and code == 48:
                bg = colour
            elif colour is not None:
                line = colour
    return intern(fg, bg, flags, line, attr.link)


def _colon_colour(sub: list[int]) -> int | None:
    """`5:n`, `2:r:g:b` or `2:space:r:g:b` (ITU-T T.416 as xterm reads it)."""
    if sub[0] == 5 and len(sub) >= 2:
        return sub[1] if sub[1] < 256 else None
    if sub[0] == 2 and len(sub) >= 4:
        red, green, blue = sub[2:5] if len(sub) >= 5 else sub[1:4]
        return _rgb(red, green, blue)
    return None


def _semicolon_colour(parts: list[str], at: int) -> tuple[int | None, int]:
    """The older spelling `38;5;n` and `38;2;r;g;b`; returns the colour and where to go on."""
    kind = number(parts[at]) if at < len(parts) else 0
    if kind == 5 and at + 1 < len(parts):
        index = number(parts[at + 1])
        return (index if index < 256 else None), at + 2
    if kind == 2 and at + 3 < len(parts):
        return _rgb(*(number(p) for p in parts[at + 1 : at + 4])), at + 4
    return None, len(parts)


def _rgb(red: int, green: int, blue: int) -> int:
    return RGB | min(red, 255) << 16 | min(green, 255) << 8 | min(blue, 255)
