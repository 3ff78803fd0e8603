"""The colours a program may change and ask for (OSC 4, 5, 10-19 and their resets; xterm's ctlseqs).

An answer is numbers only, whatever text the program set them with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Colour = tuple[int, int, int]
"""Red, green, blue in 16 bits each, as XParseColor counts."""

_HASH: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{9}|[0-9a-fA-F]{12})")
_RGB: Final = re.compile(r"rgb:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_RGBI: Final = re.compile(r"rgbi:([0-9.]{1,9})/([0-9.]{1,9})/([0-9.]{1,9})")
_BASIC: Final = (
    0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
    0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
)  # fmt: skip
_LEVELS: Final = (0, 95, 135, 175, 215, 255)
_SPECIAL: Final = 256  # bold, underline, blink, reverse, italic stand behind the palette
_LAST_SPECIAL: Final = _SPECIAL + 4
FOREGROUND: Final = 10
BACKGROUND: Final = 11


def parse(spec: str) -> Colour | None:
    """A colour as X spells it: `#rgb` to `#rrrrggggbbbb`, `rgb:r/g/b`, `rgbi:0.5/0/1`; None for anything else."""
    if _HASH.fullmatch(spec):
        size = (len(spec) - 1) // 3
        # the highest bits, and a screen has eight
        red, green, blue = (int(spec[n : n + size].ljust(2, "0")[:2], 16) for n in range(1, len(spec), size))
        return red * 257, green * 257, blue * 257
    if match := _RGB.fullmatch(spec):
        red, green, blue = (int(part, 16) * 0xFFFF // (16 ** len(part) - 1) for part in match.groups())
        return red, green, blue
    if match := _RGBI.fullmatch(spec):
        try:
            red, green, blue = (round(min(float(part), 1.0) * 0xFFFF) for part in match.groups())
        except ValueError:
            return None
        return red, green, blue
    return None


def standard(index: int) -> Colour:
    """xterm's colour for a palette index: what is told where the reader's own is not known."""
    if index < 16:
        value = _BASIC[index]
        red, green, blue = value >> 16, value >> 8 & 255, value & 255
    elif index < 232:
        red, green, blue = (_LEVELS[(index - 16) // step % 6] for step in (36, 6, 1))
    else:
        red = green = blue = 8 + 10 * (index - 232)
    return red * 257, green * 257, blue * 257


class Palette:
    """What the program has changed; `base` are the colours of the pane, {10: "rrggbb", 11: "rrggbb"}."""

    def __init__(self, base: dict[int, str]) -> None:
        self._base = base
        self._set: dict[int, Colour] = {}  # 0..260
        self._dynamic: dict[int, Colour] = {}  # 10..19
        self.revision = 0

    def indexed(self, index: int) -> int | None:
        """0xRRGGBB where the program changed a palette index."""
        return _packed(self._set.get(index))

    def dynamic(self, number: int) -> int | None:
        """0xRRGGBB where the program changed `FOREGROUND` or `BACKGROUND`."""
        return _packed(self._dynamic.get(number))

    @property
    def changed(self) -> bool:
        """Whether the program has changed anything."""
        return bool(self._set or self._dynamic)

    def spelled(self) -> str:
        """The sequences that change another terminal's colours in the same way."""
        out = [
            f"\x1b]4;{index};{_spelled(colour)}\x1b\\"
            if index < _SPECIAL
            else f"\x1b]5;{index - _SPECIAL};{_spelled(colour)}\x1b\\"
            for index, colour in self._set.items()
        ]
        return "".join(
            out + [f"\x1b]{number};{_spelled(colour)}\x1b\\" for number, colour in self._dynamic.items()]
        )

    def reset(self) -> None:
        """As if nothing had been changed."""
        self._set.clear()
        self._dynamic.clear()
        self.revision += 1

    def command(self, number: int, text: str, reply: Callable[[str], None]) -> bool:
        """Do OSC `number`; returns whether a colour changed."""
        before = self.revision
        if number in (4, 5):
            parts = text.split(";")
            for name, spec in zip(parts[::2], parts[1::2], strict=False):
                self._indexed(number, name, spec, reply)
        elif 10 <= number <= 19:
            for at, spec in enumerate(text.split(";")[: 20 - number]):
                self._one(number + at, spec, reply)
        elif number in (104, 105):
            names = [int(n) for n in text.split(";") if n.isascii() and n.isdigit() and len(n) < 5]
            first = _SPECIAL if number == 105 else 0
            every = range(_SPECIAL, _LAST_SPECIAL + 1) if number == 105 else range(_SPECIAL)
            for index in [first + n for n in names] if text else every:
                self._set.pop(index, None)
            self.revision += 1
        elif 110 <= number <= 119:
            self._dynamic.pop(number - 100, None)
            self.revision += 1
        return self.revision != before

    def _indexed(self, number: int, name: str, spec: str, reply: Callable[[str], None]) -> None:
        if not (name.isascii() and name.isdigit() and len(name) < 5):
            return
        index = int(name) + (_SPECIAL if number == 5 else 0)
        if index > _LAST_SPECIAL:
            return
        if spec == "?":
            known = self._set.get(index) or (standard(index) if index < _SPECIAL else self._now(FOREGROUND))
            reply(f"\x1b]{number};{int(name)};{_spelled(known)}\x1b\\")
        elif colour := parse(spec):
            self._set[index] = colour
            self.revision += 1

    def _one(self, number: int, spec: str, reply: Callable[[str], None]) -> None:
        if spec == "?":
            if number in self._dynamic or FOREGROUND in self._base or number in self._base:
                reply(f"\x1b]{number};{_spelled(self._now(number))}\x1b\\")
        elif colour := parse(spec):
            self._dynamic[number] = colour
            self.revision += 1

    def _now(self, number: int) -> Colour:
        if number in self._dynamic:
            return self._dynamic[number]
        like = BACKGROUND if number in (BACKGROUND, 14, 16, 19) else FOREGROUND
        text = self._base.get(like, "000000" if like == BACKGROUND else "ffffff")
        return int(text[0:2], 16) * 257, int(text[2:4], 16) * 257, int(text[4:6], 16) * 257


def _packed(colour: Colour | None) -> int | None:
    return None if colour is None else colour[0] >> 8 << 16 | colour[1] >> 8 << 8 | colour[2] >> 8


def _spelled(colour: Colour) -> str:
    return f"rgb:{colour[0]:04x}/{colour[1]:04x}/{colour[2]:04x}"
