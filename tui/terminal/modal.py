"""Modes: ANSI and DEC private ones, the alternate screen, and what the child asked of keyboard and mouse."""

from __future__ import annotations

from typing import Final

from tui.terminal.attrs import PLAIN
from tui.terminal.grid import DECAWM, DECLRMM, DECOM, DECSCNM, DECTCEM, IRM, REVERSE_WRAP
from tui.terminal.motion import Motion

DECCKM: Final = 1 << 5
DECNKM: Final = 66 << 5
BLINK: Final = 12 << 5
MOUSE_X10: Final = 9 << 5
MOUSE_CLICK: Final = 1000 << 5
MOUSE_DRAG: Final = 1002 << 5
MOUSE_MOVE: Final = 1003 << 5
FOCUS: Final = 1004 << 5
MOUSE_UTF8: Final = 1005 << 5
MOUSE_SGR: Final = 1006 << 5
ALTERNATE_SCROLL: Final = 1007 << 5
MOUSE_URXVT: Final = 1015 << 5
PASTE: Final = 2004 << 5
SYNCHRONIZED: Final = 2026 << 5

_MICE: Final = {MOUSE_X10, MOUSE_CLICK, MOUSE_DRAG, MOUSE_MOVE}
_CODINGS: Final = {MOUSE_UTF8, MOUSE_SGR, MOUSE_URXVT}
_ALTERNATES: Final = {47 << 5, 1047 << 5, 1049 << 5}
_KNOWN: Final = {
    IRM, 20, DECCKM, DECSCNM, DECOM, DECAWM, BLINK, DECTCEM, DECNKM, FOCUS, ALTERNATE_SCROLL, PASTE,
    SYNCHRONIZED, 1048 << 5, REVERSE_WRAP, DECLRMM, 2, 12, 4 << 5, 18 << 5, 19 << 5, 42 << 5, 67 << 5,
    *_MICE, *_CODINGS, *_ALTERNATES,
}  # fmt: skip
_NEVER: Final = {1, 5, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19, 60 << 5}  # modes no terminal of this kind has
_MOST_KITTY: Final = 16


class Modes(Motion):
    """Mode numbers of DEC private modes are shifted left by five, as pyte does, to tell them from ANSI ones."""

    cursor_shape: int
    kitty: list[int]
    modify_other_keys: int
    revision: int  # counts changes of anything in this class, for mirrors

    def reset(self) -> None:
        """RIS."""
        super().reset()
        self.cursor_shape = 0
        self.kept: dict[int, bool] = {}
        self.kitty = []
        self.modify_other_keys = 0
        self.revision = getattr(self, "revision", 0) + 1

    def soft_reset(self, *_: int) -> None:
        """DECSTR (VT510): modes, margins, attributes and charsets; the screen stays."""
        self.mode -= {IRM, DECOM, DECCKM, DECNKM, DECLRMM}
        self.mode |= {DECTCEM, DECAWM}
        self.margins = self.sides = None
        self.cursor.attrs = PLAIN
        self.graphics = [False, False, False, False]
        self.shift = 0
        self.saved[self.alternate] = None
        self.kitty.clear()
        self.modify_other_keys = 0
        self.revision += 1
        self.recheck()

    def set_mode(self, *modes: int) -> None:
        """SM."""
        self._change(modes, True)

    def reset_mode(self, *modes: int) -> None:
        """RM."""
        self._change(modes, False)

    def set_private_mode(self, *modes: int) -> None:
        """DECSET."""
        self._change([mode << 5 for mode in modes], True)

    def reset_private_mode(self, *modes: int) -> None:
        """DECRST."""
        self._change([mode << 5 for mode in modes], False)

    def mode_state(self, mode: int) -> int:
        """DECRPM's answer for a (shifted) mode: 1 set, 2 reset, 0 not recognised."""
        if mode in _NEVER:
            return 4
        if mode not in _KNOWN:
            return 0
        return 1 if mode in self.mode else 2

    def set_margins(self, top: int = 0, bottom: int = 0, *_: int) -> None:
        """DECSTBM: 1-based rows; homes the cursor. A region of fewer than two rows is ignored."""
        first = (top or 1) - 1
        last = min(bottom or self.lines, self.lines) - 1
        if first < last:
            self.margins = None if (first, last) == (0, self.lines - 1) else (first, last)
            self.cursor_position()

    def set_sides(self, left: int = 0, right: int = 0, *_: int) -> None:
        """DECSLRM where DECLRMM is set, else SCOSC; homes the cursor."""
        if DECLRMM not in self.mode:
            self.save_cursor()
            return
        first, last = (left or 1) - 1, min(right or self.columns, self.columns) - 1
        if first < last:
            self.sides = None if (first, last) == (0, self.columns - 1) else (first, last)
            self.recheck()
            self.cursor_position()

    def save_modes(self, *modes: int) -> None:
        """XTSAVE."""
        for mode in modes:
            if mode << 5 in _KNOWN and len(self.kept) < len(_KNOWN) + 1:
                self.kept[mode] = mode << 5 in self.mode

    def restore_modes(self, *modes: int) -> None:
        """XTRESTORE."""
        for mode in modes:
            if mode in self.kept:
                self._change([mode << 5], self.kept[mode])

    def set_cursor_shape(self, shape: int = 0, *_: int) -> None:
        """DECSCUSR."""
        if 0 <= shape <= 6:
            self.cursor_shape = shape
            self.revision += 1

    def set_keyboard(self, verb: str, *params: int) -> None:
        """The kitty keyboard protocol: `>` pushes flags, `<` pops, `=` sets; at most sixteen are stacked."""
        flags = params[0] if params else 0
        if verb == ">":
            del self.kitty[: len(self.kitty) - _MOST_KITTY + 1]
            self.kitty.append(flags & 31)
        elif verb == "<":
            del self.kitty[max(0, len(self.kitty) - (flags or 1)) :]
        else:
            now = self.kitty.pop() if self.kitty else 0
            how = params[1] if len(params) > 1 else 1
            self.kitty.append({1: flags, 2: now | flags, 3: now & ~flags}.get(how, now) & 31)
        self.revision += 1

    def set_key_modifiers(self, resource: int = 0, value: int = 0, *_: int) -> None:
        """XTMODKEYS; only modifyOtherKeys (4) is kept."""
        if resource == 4:
            self.modify_other_keys = min(value, 2)
            self.revision += 1

    def _change(self, modes: list[int] | tuple[int, ...], on: bool) -> None:
        for mode in modes:
            if mode in _MICE:
                self.mode -= _MICE
            elif mode in _CODINGS:
                self.mode -= _CODINGS
            if on and mode in _KNOWN:
                self.mode.add(mode)
            else:
                self.mode.discard(mode)
            if mode in _ALTERNATES or mode == 1048 << 5:
                self._alternate(mode >> 5, on)
            elif mode == DECOM:
                self.cursor_position()
            elif mode == DECLRMM and not on:
                self.sides = None
            elif mode == DECSCNM:
                self.dirty.update(range(self.lines))
        self.revision += 1
        self.recheck()

    def _alternate(self, number: int, on: bool) -> None:
        """47 and 1047 switch, 1048 saves the cursor, 1049 does both (xterm's ctlseqs)."""
        if number == 1048 or (number == 1049 and on and not self.alternate):
            self.save_cursor() if on else self.restore_cursor()
        if number != 1048:
            self.switch_buffer(on)
            if number == 1049 and not on and self.saved[0] is not None:  # in the main buffer already, too
                self.restore_cursor()
