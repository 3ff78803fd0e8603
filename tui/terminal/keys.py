"""Bytes for keys that come as Textual events: where no raw input exists (pilots, pipes, web).

xterm's encodings with modifiers as `1 + shift + 2 alt + 4 ctrl`; cursor keys in SS3 form under DECCKM. Events
cannot tell all keys apart (Tab is Ctrl-I there); the raw driver is the true way.
"""

from __future__ import annotations

from typing import Final

_LETTERS: Final = {"up": "A", "down": "B", "right": "C", "left": "D", "end": "F", "home": "H"}
_NUMBERS: Final = {
    "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6,
    "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20, "f10": 21, "f11": 23, "f12": 24,
}  # fmt: skip
_FUNCTIONS: Final = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
_PLAIN: Final = {
    "enter": "\r", "return": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " ",
    "shift+tab": "\x1b[Z",
}  # fmt: skip
_CONTROLS: Final = {
    "at": 0, "space": 0, "left_square_bracket": 27, "backslash": 28, "right_square_bracket": 29,
    "circumflex_accent": 30, "underscore": 31, "slash": 31, "question_mark": 127,
    "2": 0, "3": 27, "4": 28, "5": 29, "6": 30, "7": 31, "8": 127,
}  # fmt: skip


def encode(key: str, character: str | None, *, application_cursor: bool = False) -> bytes:
    """What xterm would send for the key Textual calls `key` ("ctrl+left"), printing `character`; b"" if none."""
    if key in _PLAIN:
        return _PLAIN[key].encode()
    *modifiers, name = key.split("+") if key != "+" else ["+"]
    shift, alt, ctrl = "shift" in modifiers, "alt" in modifiers or "meta" in modifiers, "ctrl" in modifiers
    special = _special(name, 1 + shift + 2 * alt + 4 * ctrl, application_cursor)
    if special:
        return special.encode()
    text = _PLAIN.get(name) or character or (name if len(name) == 1 else "")
    if ctrl:
        text = _control(name) or text
    if name in ("backspace",) and ctrl:
        text = "\b"
    return (("\x1b" if alt else "") + text).encode() if text else b""


def _special(name: str, modifier: int, application_cursor: bool) -> str:
    if name in _LETTERS:
        if modifier > 1:
            return f"\x1b[1;{modifier}{_LETTERS[name]}"
        return f"\x1b{'O' if application_cursor else '['}{_LETTERS[name]}"
    if name in _FUNCTIONS:
        return f"\x1b[1;{modifier}{_FUNCTIONS[name]}" if modifier > 1 else f"\x1bO{_FUNCTIONS[name]}"
    if name in _NUMBERS:
        return f"\x1b[{_NUMBERS[name]};{modifier}~" if modifier > 1 else f"\x1b[{_NUMBERS[name]}~"
    return ""


def _control(name: str) -> str:
    if name in _CONTROLS:
        return chr(_CONTROLS[name])
    if len(name) == 1 and "a" <= name.lower() <= "z":
        return chr(ord(name) & 31)
    return ""


def paste(text: str, *, bracketed: bool) -> bytes:
    """A paste as the child asked for it. Line feeds become CR, as if typed; an end mark inside is dropped."""
    text = text.replace("\r\n", "\r").replace("\n", "\r")
    if not bracketed:
        return text.encode("utf-8", "replace")
    return b"\x1b[200~" + text.replace("\x1b[201~", "").encode("utf-8", "replace") + b"\x1b[201~"


def mouse(button: int, x: int, y: int, *, release: bool, coding: str) -> bytes:
    """A mouse report. `button` has its modifier and motion bits; `x`, `y` count from 0.

    `coding` is "sgr", "urxvt", "utf8" or "x10"; what the older ones cannot say (columns past 223) gives b"".
    """
    column, line = x + 1, y + 1
    if coding == "sgr":
        return f"\x1b[<{button};{column};{line}{'m' if release else 'M'}".encode()
    code = 32 + (button & ~3 | 3 if release else button)
    if coding == "urxvt":
        return f"\x1b[{code};{column};{line}M".encode()
    if coding == "utf8":
        return b"\x1b[M" + f"{chr(code)}{chr(32 + column)}{chr(32 + line)}".encode()
    if column > 223 or line > 223:
        return b""
    return b"\x1b[M" + bytes((code, 32 + column, 32 + line))
