"""What a program may ask about the state it has set (DECRQSS, DECDSR, XTGETTCAP), as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.terminal import attrs
from tui.terminal.attrs import Attr

if TYPE_CHECKING:
    from tui.terminal.report import Reports

_FLAGS: Final = (
    (attrs.BOLD, "1"), (attrs.DIM, "2"), (attrs.ITALIC, "3"), (attrs.DOUBLE_UNDERLINE, "4:2"),
    (attrs.CURLY_UNDERLINE, "4:3"), (attrs.DOTTED_UNDERLINE, "4:4"), (attrs.DASHED_UNDERLINE, "4:5"),
    (attrs.BLINK, "5"), (attrs.REVERSE, "7"), (attrs.CONCEAL, "8"), (attrs.STRIKE, "9"), (attrs.OVERLINE, "53"),
)  # fmt: skip
_KINDS: Final = attrs.DOUBLE_UNDERLINE | attrs.CURLY_UNDERLINE | attrs.DOTTED_UNDERLINE | attrs.DASHED_UNDERLINE
STATUS: Final = {
    15: "\x1b[?13n",  # no printer
    25: "\x1b[?20n",  # user-defined keys are not locked
    26: "\x1b[?27;0;0;0n",  # a keyboard of unknown language
    53: "\x1b[?50n",  # no locator
    55: "\x1b[?50n",
    56: "\x1b[?57;0n",
    62: "\x1b[0*{",  # no room for macros
    75: "\x1b[?70n",  # the line has no errors
    85: "\x1b[?83n",  # one session
}
"""DECDSR's answers where they never change (DEC STD 070; VT510)."""

_CAPABILITIES: Final = {"Co": "256", "colors": "256", "TN": "xterm-256color", "RGB": "8/8/8"}


def setting(screen: Reports, what: str) -> str | None:
    """DECRQSS: the sequence that would make `what` as it is now, without its introducer; None if not known."""
    if what == "m":
        return f"{rendition(screen.cursor.attrs)}m"
    if what == "r":
        top, bottom = screen.region
        return f"{top + 1};{bottom + 1}r"
    if what == "s":
        left, right = screen.sides or (0, screen.columns - 1)
        return f"{left + 1};{right + 1}s"
    known = {
        " q": f"{screen.cursor_shape} q",
        '"q': f'{1 if screen.cursor.attrs.flags & attrs.PROTECTED else 0}"q',
        '"p': '64;1"p',
        "t": f"{screen.lines}t",
        "*|": f"{screen.lines}*|",
        "*x": "0*x",
        "$}": "0$}",
        "$~": "0$~",
    }
    return known.get(what)


def rendition(attr: Attr) -> str:
    """The SGR parameters that make `attr` out of anything."""
    parts = ["0"] + [code for flag, code in _FLAGS if attr.flags & flag]
    if attr.flags & attrs.UNDERLINE and not attr.flags & _KINDS:
        parts.insert(1 + sum(1 for flag, _ in _FLAGS[:3] if attr.flags & flag), "4")
    for colour, base, bright in ((attr.fg, 30, 90), (attr.bg, 40, 100), (attr.line, 50, -1)):
        if colour == attrs.DEFAULT:
            continue
        if colour & attrs.RGB:
            parts.append(f"{base + 8}:2::{colour >> 16 & 255}:{colour >> 8 & 255}:{colour & 255}")
        elif colour >= 16 or bright < 0:
            parts.append(f"{base + 8}:5:{colour}")
        else:
            parts.append(str(base + colour if colour < 8 else bright + colour - 8))
    return ";".join(parts)


def capabilities(names: str) -> str:
    """XTGETTCAP: the answer to names in hexadecimal, those before the first unknown one (as xterm does)."""
    known = []
    for name in names.split(";")[:16]:
        try:
            value = _CAPABILITIES.get(bytes.fromhex(name).decode("ascii"))
        except ValueError:
            value = None
        if value is None:
            break
        known.append(f"{name}={value.encode().hex().upper()}")
    return f"\x1bP1+r{';'.join(known)}\x1b\\" if known else "\x1bP0+r\x1b\\"
