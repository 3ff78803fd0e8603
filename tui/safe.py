"""The one door through which foreign text reaches the screen.

Names, labels, commands, errors, file names and log lines come from images and containers. Here they become
text that can neither be markup nor control the terminal: C0 and C1 controls turn into their symbols (␛ ␊ ␇),
bidirectional controls, zero-width and other invisible characters turn into `HIDDEN`, combining marks are kept
but cannot pile up over other rows, and undecodable bytes are spelled `\\xNN`. Escape sequences thereby become
inert, readable text. `safe_log` alone keeps one thing: SGR colours.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from textual.color import Color
from textual.content import Content, Span
from textual.style import Style

from tui.terminal import attrs
from tui.terminal.attrs import PLAIN, Attr, sgr

HIDDEN: Final = "␦"
"""Stands for a character that would have been invisible or would have reordered its neighbours."""

ELLIPSIS: Final = "…"

_MOST_SYMBOLS: Final = 8192
_MOST_MARKS: Final = 3  # stacked combining marks; more than any living script needs on one letter

_PRINTABLE_ASCII: Final = re.compile(r"[ -~]*")
_MARK_RUNS: Final = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u0e31-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
# Letters, marks and symbols by category, yet without ink: fillers, joiners, selectors, blanks.
_INKLESS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffe\uffff"
    + "".join(map(chr, range(0x2061, 0x2070)))
)
_SELECTORS: Final = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
_TOKENS: Final = re.compile(rb"\x1b\[([0-9;:]{0,128})m|\x1b\[0?K")


class _Symbols(dict[int, str]):
    """A `str.translate` table that decides each character once, when it is first met."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MOST_SYMBOLS:
            self.clear()
        shown = self[code] = _shown(chr(code))
        return shown


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0:
        return "␛" + chr(code - 0x40)  # the seven-bit spelling of a C1 control
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte that surrogateescape carried
    if char in _SELECTORS:
        return ""  # they only ask for another face of a letter, and terminals disagree on the width
    if char in _INKLESS:
        return HIDDEN
    category = unicodedata.category(char)
    if category in ("Zl", "Zp"):
        return "␤"
    if category in ("Cf", "Cs"):
        return HIDDEN
    return char if category != "Zs" else " "


_symbols: Final = _Symbols()


def safe_plain(text: str) -> str:
    """`text` as one line of inert, printable characters. Newlines and tabs become symbols."""
    if _PRINTABLE_ASCII.fullmatch(text):
        return text
    return _inert(text)


def safe_lines(text: str) -> str:
    """Like `safe_plain` for text of many lines: newlines stay, tabs become spaces, CR LF counts as LF."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(safe_plain(expand_tabs(line)) for line in lines)


def safe(text: str, *, style: str | Style = "") -> Content:
    """`text` as a one-line `Content`, never as markup. `style` is ours and applies to the whole of it."""
    return _content(safe_plain(text), style)


def safe_block(text: str, *, style: str | Style = "") -> Content:
    """`safe` for text of many lines."""
    return _content(safe_lines(text), style)


def _content(text: str, style: str | Style) -> Content:
    spans = [Span(0, len(text), style)] if style and text else None
    return Content(text, spans)


def _inert(text: str) -> str:
    shown = unicodedata.normalize("NFC", text.translate(_symbols))
    shown = _MARK_RUNS.sub(lambda run: run.group()[:_MOST_MARKS], shown)
    if shown and unicodedata.combining(shown[0]):
        shown = "◌" + shown  # a leading mark would land on whatever stands before the text
    return shown


def safe_log(data: bytes) -> Content:
    """One log line (without its newline): SGR becomes spans, everything else of control is shown.

    Concealed and blinking text is shown plain. An erase to the end of the line, which grep and compilers
    send with each colour, means nothing here and is dropped.
    """
    if data.endswith(b"\r"):
        data = data[:-1]
    if b"\x1b" not in data:
        return Content(_log_text(data, 0))
    spans: list[Span] = []
    out: list[str] = []
    attr, at, length = PLAIN, 0, 0
    for token in [*_TOKENS.finditer(data), None]:
        text = _log_text(data[at : token.start() if token else len(data)], length)
        if text:
            out.append(text)
            if attr is not PLAIN:
                spans.append(Span(length, length + len(text), style_of(attr)))
            length += len(text)
        if token is not None:
            at = token.end()
            if token.group(1) is not None:
                attr = sgr(attr, token.group(1).decode("ascii"))
    return Content("".join(out), spans)


def _log_text(data: bytes, column: int) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return safe_plain(expand_tabs(text, column) if "\t" in text else text)


def expand_tabs(text: str, column: int = 0) -> str:
    """`text` with its tabs as spaces up to the next multiple of eight cells; it starts at cell `column`."""
    if "\t" not in text:
        return text
    out: list[str] = []
    for part in text.split("\t"):
        if out:
            pad = 8 - column % 8
            out.append(" " * pad)
            column += pad
        out.append(part)
        column += cell_width(part)
    return "".join(out)


@lru_cache(4096)
def _style_of(fg: int, bg: int, flags: int) -> Style:
    return Style(
        foreground=_colour(fg),
        background=_colour(bg),
        bold=True if flags & attrs.BOLD else None,
        dim=True if flags & attrs.DIM else None,
        italic=True if flags & attrs.ITALIC else None,
        underline=True if flags & attrs.UNDERLINE else None,
        strike=True if flags & attrs.STRIKE else None,
        reverse=True if flags & attrs.REVERSE else None,
    )


def style_of(attr: Attr) -> Style:
    """The Textual style of an SGR attribute, without conceal and blink."""
    return _style_of(attr.fg, attr.bg, attr.flags)


def _colour(colour: int) -> Color | None:
    if colour == attrs.DEFAULT:
        return None
    if colour & attrs.RGB:
        return Color(colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    if colour < 16:
        return Color.parse(_ANSI_NAMES[colour])
    if colour < 232:
        steps = (0, 95, 135, 175, 215, 255)
        cube = colour - 16
        return Color(steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6])
    grey = 8 + 10 * (colour - 232)
    return Color(grey, grey, grey)


_NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_ANSI_NAMES: Final = (*(f"ansi_{n}" for n in _NAMES), *(f"ansi_bright_{n}" for n in _NAMES))


def cell_width(text: str) -> int:
    """How many terminal cells `text` takes: 옹기 is 4. Exact for what `safe_plain` returned."""
    return cell_len(text)


def crop_end(text: str, width: int) -> str:
    """`text` cut at its end to at most `width` cells; what was cut shows as an ellipsis, which counts."""
    if cell_width(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def crop_front(text: str, width: int) -> str:
    """`text` cut at its front to at most `width` cells: for names whose end tells (an image and its tag)."""
    if cell_width(text) <= width:
        return text
    return ELLIPSIS + _tail(text, width - 1) if width > 0 else ""


def crop_middle(text: str, width: int) -> str:
    """`text` cut in the middle to at most `width` cells: for names both of whose ends tell."""
    if cell_width(text) <= width:
        return text
    if width <= 0:
        return ""
    tail = _tail(text, (width - 1) // 2)
    return _head(text, width - 1 - cell_width(tail)) + ELLIPSIS + tail


def _head(text: str, width: int) -> str:
    used = 0
    for at, char in enumerate(text):
        used += cell_len(char)
        if used > width:
            return text[:at]
    return text


def _tail(text: str, width: int) -> str:
    used = 0
    for at in range(len(text) - 1, -1, -1):
        used += cell_len(text[at])
        if used > width:
            kept = text[at + 1 :]
            return kept.lstrip("".join(c for c in kept if unicodedata.combining(c)))
    return text
